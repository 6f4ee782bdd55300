import type { IncomingMessage } from 'node:http'
import { parseCursor, type Cursor } from '../../../core/cursor.ts'

/** A request, as much of it as decides how a stream is answered; both kinds of request look alike through it. */
export interface Asked {
  readonly header: (name: string) => string | undefined
  readonly query: URLSearchParams
  /** Aborts when the request is given up; absent on Node's own, whose response tells. */
  readonly signal?: AbortSignal
}

export function asked(request: Request | IncomingMessage): Asked {
  if ('rawHeaders' in request) {
    return {
      header: (name) => request.headers[name]?.toString(),
      // The path may be what a framework left of it, or nothing that makes a URL.
      query: new URLSearchParams(/\?(.*)/s.exec(request.url ?? '')?.[1] ?? ''),
    }
  }
  return {
    header: (name) => request.headers.get(name) ?? undefined,
    query: new URL(request.url).searchParams,
    signal: request.signal,
  }
}

/**
 * Where a request wants to read on. The header goes first: a browser that comes back repeats the URL of its first
 * visit. Throws `invalid_request` with reason `cursor_malformed`.
 */
export function placeOf({ header, query }: Asked): Cursor | undefined {
  const last = header('last-event-id')
  if (last !== undefined && last !== '') return parseCursor(last)
  const after = query.get('after')
  return after === null ? undefined : parseCursor(after)
}
