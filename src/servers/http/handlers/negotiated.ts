import { isRunletError } from '../../../core/error.ts'
import type { Framing } from '../../../core/format.ts'
import { negotiate } from '../requests/accept.ts'

const types = {
  'text/event-stream': 'sse',
  'application/x-ndjson': 'ndjson',
  'application/ndjson': 'ndjson',
  'application/jsonl': 'ndjson',
  'application/json': 'ndjson',
} as const satisfies Record<string, Framing>

/**
 * The framing that a request accepts; SSE where it takes anything. A path that says `/events` or `/sse` stands for SSE
 * where the header accepts neither. Throws `invalid_request` 406 with reason `not_acceptable`.
 */
export function negotiated({ headers, url }: Request): Framing {
  try {
    return negotiate<Framing>(headers.get('accept') ?? undefined, { types, fallback: 'sse' })
  } catch (thrown) {
    if (isRunletError(thrown) && /\/(?:events|sse)(?:\/|$)/.test(new URL(url).pathname)) return 'sse'
    throw thrown
  }
}
