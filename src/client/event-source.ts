/** A stream through the browser's own `EventSource`. Coming back is left to those who know the cursor. */
import { isRunletError, RunletError } from '../core/error.ts'
import type { SseFrame } from '../wire/sse.ts'
import type { OpenFramesOptions } from './frames.ts'
import { headOf, watchSilence, whyBroken } from './frames.ts'
import type { HttpCaller } from './http-call.ts'
import { Queue } from './queue.ts'
import { closedBy, DONE } from './records.ts'

/** What came and was not read; then the connection is closed, for an `EventSource` cannot be held up. */
const MAX_WAITING_CHARS = 1 << 20

/** As `fetch` gives them. Throws what the server refused, which an `EventSource` would not tell. */
export async function* eventSourceFrames(
  http: HttpCaller,
  path: string,
  { names, audible, accessToken, onOpen, stop }: OpenFramesOptions,
): AsyncGenerator<readonly SseFrame[], void, undefined> {
  const { EventSource: Source } = http
  if (!Source) throw noEventSource()
  const address = accessToken === undefined ? path : withToken(path, accessToken)
  const answer = await looked(http, address, stop.signal)
  if (answer.status === 204) return yield [{ event: DONE, data: '' }]
  onOpen(headOf(answer))

  const queue = new Queue<SseFrame>()
  const source = new Source(`${http.baseUrl}${address}`)
  const end = (error: RunletError) => {
    source.close()
    queue.end(error)
  }
  const hear = (event: Event) => {
    // A run may end with an event that is called as the browser calls the loss of a connection.
    if (!('data' in event)) return end(whyBroken(http, stop, event))
    const { type, data, lastEventId } = event as MessageEvent<string>
    queue.push({ event: type === 'message' ? undefined : type, id: lastEventId || undefined, data }, data.length)
    if (queue.size > MAX_WAITING_CHARS) end(closedBy('overflow'))
  }
  for (const name of ['message', 'error', ...names]) source.addEventListener(name, hear)
  const onAbort = () => end(whyBroken(http, stop, undefined))
  const watch = () => (audible ? watchSilence(http, stop) : () => {})
  let cancelTimer = watch()
  stop.signal.addEventListener('abort', onAbort)
  try {
    for await (const frames of queue.read()) {
      cancelTimer()
      yield frames
      cancelTimer = watch()
    }
  } finally {
    cancelTimer()
    stop.signal.removeEventListener('abort', onAbort)
    source.close()
  }
}

/** Asks what an `EventSource` would be answered: it would not tell a refusal from a lost network. */
async function looked(http: HttpCaller, path: string, signal: AbortSignal): Promise<Response> {
  const request = { signal, token: null }
  try {
    return await http.call(path, { method: 'HEAD', ...request })
  } catch (thrown) {
    if (!isRunletError(thrown) || thrown.reason !== 'not_runlet') throw thrown
    // The answer to `HEAD` has no body, and the body says why.
    const answer = await http.call(path, request)
    await answer.body?.cancel()
    return answer
  }
}

const withToken = (path: string, token: string) =>
  `${path}${path.includes('?') ? '&' : '?'}access_token=${encodeURIComponent(token)}`

const noEventSource = () =>
  new RunletError('unsupported', {
    reason: 'no_event_source',
    message: 'there is no EventSource here; use fetch',
  })
