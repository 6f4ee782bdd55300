import { httpClient, type HttpClient } from '../../src/client/http.ts'
import type { HttpClientOptions } from '../../src/client/http-call.ts'
import type { Following } from '../../src/client/following.ts'
import { Batch } from '../../src/core/batch.ts'
import { formatCursor } from '../../src/core/cursor.ts'
import { fakeClock, type FakeClock } from '../../src/testing/fake-clock.ts'
import { lab, type Lab, type LabOptions } from '../servers/http/lab.ts'

export const baseUrl = 'http://127.0.0.1:7411'

/** A lab's server and a client of it, without a network between them. */
export interface Served extends Lab {
  readonly client: HttpClient
  /** The client's; the server has one of its own. */
  readonly time: FakeClock
  /** Paths that were asked for, in order. */
  readonly asked: string[]
  /** Streams of several runs that are open, and the most that were open at once. */
  readonly open: { now: number; most: number }
  /** Break the streams that are open. */
  readonly cut: (() => void)[]
  /** Decides what becomes of the bytes of a stream; for the n-th one, counted from 0. */
  damage: ((stream: ReadableStream<Uint8Array>, n: number) => ReadableStream<Uint8Array>) | undefined
  /** Answers instead of the server, while it is set. */
  answer: (() => Response | Promise<Response>) | undefined
}

export function served(options: LabOptions = {}, clientOptions: Partial<HttpClientOptions> = {}): Served {
  const time = fakeClock()
  const open = { now: 0, most: 0 }
  const asked: string[] = []
  const cut: (() => void)[] = []
  let streams = 0
  const send: typeof fetch = async (input, init) => {
    const request = new Request(input, init)
    const { pathname, search } = new URL(request.url)
    asked.push(`${pathname}${search}`)
    if (held.answer) return held.answer()
    const response = await held.server.fetch(request)
    if (!response.body || !pathname.endsWith('/events')) return response
    open.most = Math.max(open.most, ++open.now)
    const body = held.damage?.(response.body, streams++) ?? response.body
    return new Response(counted(body, init?.signal, { onEnd: () => open.now--, cut }), response)
  }
  const l = lab(options)
  const client = httpClient({ baseUrl, token: l.token, fetch: send, clock: time, ...clientOptions })
  const held: Served = { ...l, client, time, asked, open, cut, damage: undefined, answer: undefined }
  return held
}

/** As the network does: an abort breaks the body, and its end is noticed. */
function counted(
  body: ReadableStream<Uint8Array>,
  signal: AbortSignal | null | undefined,
  { onEnd, cut }: { readonly onEnd: () => void; readonly cut: (() => void)[] },
): ReadableStream<Uint8Array> {
  const reader = body.getReader()
  let over = false
  const end = () => {
    if (!over) onEnd()
    over = true
  }
  return new ReadableStream<Uint8Array>({
    start(controller) {
      const breakOff = (reason: unknown) => {
        if (over) return
        end()
        controller.error(reason)
        void reader.cancel().catch(() => {})
      }
      cut.push(() => breakOff(new TypeError('terminated')))
      signal?.addEventListener('abort', () => breakOff(signal.reason))
    },
    async pull(controller) {
      try {
        const { done, value } = await reader.read()
        if (over) return
        if (!done) return controller.enqueue(value)
        end()
        controller.close()
      } catch (thrown) {
        end()
        if (!signal?.aborted) controller.error(thrown)
      }
    },
    async cancel() {
      end()
      await reader.cancel().catch(() => {})
    },
  })
}

/** Breaks a stream off behind so many bytes, with an error or as if it were its end. */
export function cutAt(stream: ReadableStream<Uint8Array>, at: number): ReadableStream<Uint8Array> {
  let left = at
  return stream.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        if (left > 0) controller.enqueue(chunk.subarray(0, left))
        left -= chunk.length
        if (left <= 0) controller.terminate()
      },
    }),
  )
}

/** The ids of all that a following hands on, as cursors, and what it threw. */
export interface Heard {
  readonly ids: string[]
  readonly lines: string[]
  error?: unknown
  readonly done: Promise<void>
}

export function hear(following: Following): Heard {
  const ids: string[] = []
  const lines: string[] = []
  const heard: { -readonly [K in keyof Heard]: Heard[K] } = { ids, lines, done: Promise.resolve() }
  heard.done = (async () => {
    try {
      for await (const record of following.batches()) {
        if (!(record instanceof Batch)) ids.push(`gap ${record.from}-${record.to}`)
        else {
          for (const { seq } of record.entries) ids.push(formatCursor({ epoch: record.epoch, seq }))
          lines.push(record.lines)
        }
      }
    } catch (thrown) {
      heard.error = thrown
    }
  })()
  return heard
}

/** Lets time and everything else go on until a promise has settled. */
export async function until(time: FakeClock, promise: Promise<unknown>): Promise<void> {
  let settled = false
  void promise.then(
    () => (settled = true),
    () => (settled = true),
  )
  for (let turn = 0; turn < 2_000; turn++) {
    if (settled) return
    await time.advance(20)
    await new Promise<void>((resolve) => void setImmediate(resolve))
  }
  throw new Error('it did not come to an end')
}

/** Lets time and everything else go on for a while. */
export async function meanwhile(time: FakeClock, ms = 200): Promise<void> {
  for (let turn = 0; turn < 10; turn++) {
    await time.advance(ms / 10)
    for (let n = 0; n < 5; n++) await new Promise<void>((resolve) => void setImmediate(resolve))
  }
}
