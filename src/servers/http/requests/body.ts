import { RunletError } from '../../../core/error.ts'
import type { JsonObject } from '../../../core/json.ts'
import { parseJsonObject } from '../../../wire/json.ts'

/**
 * The JSON object in a request, or `empty` where it has no body. Throws `invalid_request`: 415 with reason
 * `content_type` or `content_encoding`, 413 with `body_too_large`, 400 with `bad_utf8`, `bad_json`,
 * `json_too_deep` or `json_too_many`.
 */
export async function readJson(request: Request, maxBytes: number, empty?: JsonObject): Promise<JsonObject> {
  const type = request.headers.get('content-type') ?? ''
  if (type === '' && empty && !hasBody(request)) return empty
  // Anything else could be sent by a page of another origin without being asked (a "simple" request).
  if (!/^application\/json\s*(;|$)/i.test(type)) {
    throw refusal(415, 'content_type', `the body is ${type.slice(0, 80) || 'of no named type'}; send application/json`)
  }
  if (request.headers.has('content-encoding')) {
    throw refusal(415, 'content_encoding', 'the body is compressed; send it as it is')
  }
  const tooLarge = () => refusal(413, 'body_too_large', `the body is longer than the ${maxBytes} bytes accepted here`)
  if (Number(request.headers.get('content-length') ?? 0) > maxBytes) throw tooLarge()
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of request.body ?? []) {
    length += chunk.length
    if (length > maxBytes) throw tooLarge()
    chunks.push(chunk)
  }
  if (length === 0 && empty) return empty
  return parseJsonObject(decode(Buffer.concat(chunks)), { maxBytes })
}

/** Told by the headers: to a server, the body of every POST looks like a stream. */
function hasBody({ headers }: Request): boolean {
  return headers.has('transfer-encoding') || Number(headers.get('content-length') ?? 0) > 0
}

function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (cause) {
    throw new RunletError('invalid_request', { reason: 'bad_utf8', message: 'the body is not UTF-8', cause })
  }
}

function refusal(status: number, reason: string, message: string): RunletError {
  return new RunletError('invalid_request', { status, reason, message })
}
