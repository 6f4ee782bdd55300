/** A Runlet server over HTTP. Nothing in here needs more than `fetch`: it runs in Node and in browsers. */
import type { Batch } from '../core/batch.ts'
import type { Clock } from '../core/clock.ts'
import { systemClock } from '../core/clock.ts'
import type { Cursor } from '../core/cursor.ts'
import { ANY_EPOCH, formatCursor, parseCursor } from '../core/cursor.ts'
import type { RunId, RunStatus } from '../core/event.ts'
import type { Gap, ListQuery, RunHeader } from '../core/log.ts'
import type { ModelOptions } from '../core/provider.ts'
import { eventRecords } from './event-stream.ts'
import { refusalOf, unreachable } from './http-errors.ts'

/** Which server, what to show it, and when to give it up. */
/** Which server, and how to reach it. */
export interface HttpClientOptions {
  /** For example `http://127.0.0.1:7411`. The token goes there and nowhere else. */
  readonly baseUrl: string
  readonly token?: string
  /** Default: the global one. */
  readonly fetch?: typeof fetch
  /**
   * Longest silence on a stream before it counts as broken. Servers give a sign of life every 15 seconds.
   * Milliseconds. Default 45,000.
   */
  readonly silenceMs?: number
  /** Default: the machine's. */
  readonly clock?: Clock
}

/** The body of `POST /v1/runs`, as it stands on the wire. */
export interface StartBody {
  readonly model?: string
  readonly prompt?: string
  readonly system?: string
  readonly session_id?: string
  readonly tools?: readonly string[]
  readonly options?: ModelOptions
  readonly idempotency_key?: string
}

/** What the server tells of a run that it has just begun. */
/** What the server says of a run that it took. */
export interface StartedRun {
  readonly run_id: RunId
  readonly session_id: string
  readonly status: RunStatus
}

/** What every call takes. */
/** What every call takes. */
export interface CallOptions {
  /** Ends the call with the signal's reason. What the server does meanwhile goes on. */
  readonly signal?: AbortSignal
}

/** Where to read from, and how. */
/** Where a reading of events begins. */
export interface EventsOptions extends CallOptions {
  /** Default: from the start. */
  readonly after?: Cursor
}

/** Every method throws what the server answered as `RunletError`, and `network` when it cannot be reached. */
export interface HttpClient {
  /** Begins a run, which lives on without this client. */
  start(body: StartBody, options?: CallOptions): Promise<StartedRun>
  /**
   * One connection to a run's events. Returns when the server said that there is no more; throws when the connection
   * broke before. `follow` makes it last.
   */
  events(run: RunId, options?: EventsOptions): AsyncGenerator<Batch | Gap, void, undefined>
  find(run: RunId, options?: CallOptions): Promise<RunHeader>
  /** Ends a run and resolves with how it ended. */
  cancel(run: RunId, options?: CallOptions & { readonly reason?: string }): Promise<RunHeader>
  /** Newest first. */
  list(query?: ListQuery, options?: CallOptions): Promise<RunHeader[]>
  /** Resolves if the server answers. Needs no token. */
  health(options?: CallOptions): Promise<void>
}

/** A run as it stands on the wire. */
type WireHeader = Omit<RunHeader, 'cursor'> & { readonly cursor: string }

/** A client of one server. It holds no connection of its own between calls. */
/** A client of one server. It holds no connection open by itself, and needs no closing. */
export function httpClient(options: HttpClientOptions): HttpClient {
  const { token, fetch: send = fetch, silenceMs = 45_000, clock = systemClock } = options
  const baseUrl = options.baseUrl.replace(/\/+$/, '')

  async function call(path: string, { body, signal, headers }: Call = {}): Promise<Response> {
    let response: Response
    try {
      response = await send(`${baseUrl}${path}`, {
        method: body === undefined ? 'GET' : 'POST',
        headers: {
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        // A server that sends the token somewhere else is not the one that it was meant for.
        redirect: 'error',
        ...(signal ? { signal } : {}),
      })
    } catch (cause) {
      signal?.throwIfAborted()
      throw unreachable(baseUrl, cause)
    }
    if (!response.ok) throw await refusalOf(response, baseUrl)
    return response
  }

  async function json<T>(path: string, request?: Call): Promise<T> {
    const response = await call(path, request)
    try {
      // A Runlet server's own answer: it is trusted to have its shape, as its token is.
      return (await response.json()) as T
    } catch (cause) {
      throw unreachable(baseUrl, cause)
    }
  }

  return {
    start: (body, { signal } = {}) =>
      json('/v1/runs', { body, headers: { prefer: 'respond-async' }, ...(signal ? { signal } : {}) }),
    async *events(run, { after, signal } = {}) {
      const stop = new AbortController()
      const onAbort = () => stop.abort(signal?.reason)
      if (signal?.aborted) onAbort()
      signal?.addEventListener('abort', onAbort, { once: true })
      try {
        const place = after && after.seq > 0 ? `?after=${spelled(after)}` : ''
        const response = await call(`/v1/runs/${encodeURIComponent(run)}/events${place}`, {
          headers: { accept: 'text/event-stream' },
          signal: stop.signal,
        })
        // 204: the run is over, and there is nothing behind the cursor.
        if (response.status === 204) return
        yield* eventRecords(response, { run, baseUrl, stop, silenceMs, clock })
      } finally {
        signal?.removeEventListener('abort', onAbort)
        stop.abort()
      }
    },
    find: async (run, { signal } = {}) =>
      headerOf(await json<WireHeader>(`/v1/runs/${encodeURIComponent(run)}`, signal ? { signal } : {})),
    cancel: async (run, { signal, reason } = {}) =>
      headerOf(
        await json<WireHeader>(`/v1/runs/${encodeURIComponent(run)}/cancel`, {
          body: reason === undefined ? {} : { reason },
          ...(signal ? { signal } : {}),
        }),
      ),
    async list(query = {}, { signal } = {}) {
      const asked = new URLSearchParams(Object.entries(query).map(([name, value]) => [name, String(value)]))
      const { runs } = await json<{ runs: WireHeader[] }>(`/v1/runs?${asked.toString()}`, signal ? { signal } : {})
      return runs.map(headerOf)
    },
    async health({ signal } = {}) {
      const { body } = await call('/healthz', signal ? { signal } : {})
      await body?.cancel()
    },
  }
}

interface Call extends CallOptions {
  readonly body?: object
  readonly headers?: Readonly<Record<string, string>>
}

/** A cursor whose epoch is not known goes without one. */
const spelled = (cursor: Cursor) => (cursor.epoch === ANY_EPOCH ? String(cursor.seq) : formatCursor(cursor))

function headerOf({ cursor, ...header }: WireHeader & { output_text?: string; message?: object }): RunHeader {
  const { output_text: _text, message: _message, ...rest } = header
  return { ...rest, cursor: parseCursor(cursor) }
}
