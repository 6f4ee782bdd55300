/** One connection's server-sent events, by `fetch` or by `EventSource`: either way the frames of one read as one array. */
import { parseCursor } from '../core/cursor.ts'
import { isRunletError, type RunletError } from '../core/error.ts'
import type { SseFrame } from '../wire/sse.ts'
import { eventSourceFrames } from './event-source.ts'
import type { HttpCaller } from './http-call.ts'
import { networkError, unreachable } from './http-errors.ts'
import { DONE } from './records.ts'
import { sseFrames } from './sse-frames.ts'

/**
 * What carries a stream. `fetch` takes no more from the server than is read. An `EventSource` takes all that comes, and
 * is closed and opened anew when 1 Mi characters wait; the page cannot give it headers, so it shows the server the page's
 * cookie or the token of a single run, and a page of another origin has only the latter.
 */
export type Transport = 'fetch' | 'event-source'

/** What a stream is opened with. */
export interface FramesOptions {
  readonly signal?: AbortSignal | undefined
  readonly transport: Transport
  /** A token to read a single run, instead of the client's. */
  readonly accessToken?: string | undefined
  /** Names of the events that are to be heard, besides those without one. `fetch` hears all. */
  readonly names: readonly string[]
  /** The server gives signs of life that an `EventSource` hears. */
  readonly audible: boolean
  /** Called when the server answers, with the run's last seq at that moment, where it told. */
  readonly onOpen: (head: number | undefined) => void
}

/** Throws what the server refused, and `network` when the connection breaks. An answer without a body is `DONE`. */
export async function* openFrames(
  http: HttpCaller,
  path: string,
  options: FramesOptions,
): AsyncGenerator<readonly SseFrame[], void, undefined> {
  const { signal, transport } = options
  const stop = new AbortController()
  const onAbort = () => stop.abort(signal?.reason)
  if (signal?.aborted) onAbort()
  signal?.addEventListener('abort', onAbort, { once: true })
  const open = transport === 'fetch' ? fetchedFrames : eventSourceFrames
  try {
    yield* open(http, path, { ...options, stop })
  } finally {
    signal?.removeEventListener('abort', onAbort)
    stop.abort()
  }
}

/** What one transport is handed: `stop` cuts the connection. */
export type OpenFramesOptions = FramesOptions & { readonly stop: AbortController }

async function* fetchedFrames(
  http: HttpCaller,
  path: string,
  { accessToken, onOpen, stop }: OpenFramesOptions,
): AsyncGenerator<readonly SseFrame[], void, undefined> {
  const response = await http.call(path, {
    headers: { accept: 'text/event-stream' },
    signal: stop.signal,
    token: accessToken,
  })
  // 204: the run is over, and there is nothing behind the cursor.
  if (response.status === 204) return yield [{ event: DONE, data: '' }]
  onOpen(headOf(response))
  yield* sseFrames(bytesOf(response, http, stop))
}

/** Browsers cannot iterate over a body everywhere; and a connection may die without a word. */
async function* bytesOf(
  { body }: Response,
  http: HttpCaller,
  stop: AbortController,
): AsyncGenerator<Uint8Array, void, undefined> {
  if (!body) return
  const reader = body.getReader()
  try {
    for (;;) {
      const cancelTimer = watchSilence(http, stop)
      try {
        const { done, value } = await reader.read()
        if (done) return
        yield value
      } finally {
        cancelTimer()
      }
    }
  } catch (cause) {
    throw whyBroken(http, stop, cause)
  } finally {
    await reader.cancel().catch(() => {})
  }
}

/** Cuts the connection if nothing comes for too long; gives the way to call that off. */
export function watchSilence({ baseUrl, silenceMs, clock }: HttpCaller, stop: AbortController): () => void {
  return clock.after(silenceMs, () =>
    stop.abort(networkError('stream_silent', `${baseUrl} gave no sign of life for ${silenceMs / 1000} seconds`)),
  )
}

/** Why a connection is over that ended in the middle. */
export function whyBroken({ baseUrl }: HttpCaller, stop: AbortController, cause: unknown): RunletError {
  const { reason } = stop.signal as { reason: unknown }
  return isRunletError(reason) ? reason : unreachable(baseUrl, cause)
}

/** The run's last seq when the server answered, as `X-Run-Cursor` tells it; a proxy or another origin may hide it. */
export function headOf({ headers }: Response): number | undefined {
  const cursor = headers.get('x-run-cursor')
  return cursor === null ? undefined : parseCursor(cursor).seq
}
