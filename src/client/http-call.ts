/** Asks a Runlet server, and takes nothing for an answer that is none. */
import type { Clock } from '../core/clock.ts'
import { systemClock } from '../core/clock.ts'
import { checkedBaseUrl, refusalOf, unreachable } from './http-errors.ts'

/** Which server, and how to reach it. */
export interface HttpClientOptions {
  /** For example `http://127.0.0.1:7411`. The token goes there and nowhere else. */
  readonly baseUrl: string
  /** The owner's token, or one to read a single run. Default: none, as in the server's own page, which has a cookie. */
  readonly token?: string
  /** Default: the global one. */
  readonly fetch?: typeof fetch
  /** Default: the global one. Only needed for the transport `event-source`. */
  readonly EventSource?: typeof EventSource
  /**
   * Longest silence on a stream before it counts as broken. Servers give a sign of life every 15 seconds.
   * Milliseconds. Default 45,000. An `EventSource` hides the signs of a single run's stream, so there it does not apply.
   */
  readonly silenceMs?: number
  /** Default: the machine's. */
  readonly clock?: Clock
}

/** What every call takes. */
export interface CallOptions {
  /** Ends the call with the signal's reason. What the server does meanwhile goes on. */
  readonly signal?: AbortSignal
}

/** A request besides its path. */
export interface HttpRequest extends CallOptions {
  /** Default `GET`, and `POST` with a body. */
  readonly method?: string
  readonly body?: object
  readonly headers?: Readonly<Record<string, string>>
  /** Default: the client's. Null: none. */
  readonly token?: string | null
}

/** One server, and all that reading from it has to know. */
export interface HttpCaller {
  /** Without a slash at its end. */
  readonly baseUrl: string
  readonly silenceMs: number
  readonly clock: Clock
  readonly EventSource: typeof EventSource | undefined
  /** Throws what was refused, and `network` with reason `server_unreachable`. */
  readonly call: (path: string, request?: HttpRequest) => Promise<Response>
  /** The JSON of an answer. It is trusted to have its shape, as the server is with the token. */
  readonly json: <T>(path: string, request?: HttpRequest) => Promise<T>
}

/** Makes the calls of one client. Throws `invalid_request` with reason `bad_base_url`. */
export function httpCaller(options: HttpClientOptions): HttpCaller {
  const baseUrl = checkedBaseUrl((options as HttpClientOptions | undefined)?.baseUrl)
  const { token: own, silenceMs = 45_000, clock = systemClock } = options
  // Browsers refuse a `fetch` that is called as somebody's method.
  const send: typeof fetch = options.fetch ?? ((input, init) => fetch(input, init))

  async function call(path: string, request: HttpRequest = {}): Promise<Response> {
    const { body, signal, headers, method = body === undefined ? 'GET' : 'POST', token = own } = request
    let response: Response
    try {
      response = await send(`${baseUrl}${path}`, {
        method,
        headers: {
          ...(token === undefined || token === null ? {} : { authorization: `Bearer ${token}` }),
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
        body: body && JSON.stringify(body),
        // A server that sends the token somewhere else is not the one that it was meant for.
        redirect: 'error',
        signal,
      })
    } catch (cause) {
      signal?.throwIfAborted()
      throw unreachable(baseUrl, cause)
    }
    if (!response.ok) throw await refusalOf(response, baseUrl)
    return response
  }

  return {
    baseUrl,
    silenceMs,
    clock,
    EventSource: options.EventSource ?? globalThis.EventSource,
    call,
    async json<T>(path: string, request?: HttpRequest): Promise<T> {
      const response = await call(path, request)
      try {
        return (await response.json()) as T
      } catch (cause) {
        throw unreachable(baseUrl, cause)
      }
    },
  }
}
