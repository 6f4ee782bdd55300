/** One connection's bytes become the batches that the log holds. */
import { Batch } from '../core/batch.ts'
import type { Clock } from '../core/clock.ts'
import type { Cursor } from '../core/cursor.ts'
import { parseCursor } from '../core/cursor.ts'
import { isRunletError, RunletError } from '../core/error.ts'
import type { Entry, RunId } from '../core/event.ts'
import { parseLine } from '../core/line.ts'
import type { Gap } from '../core/log.ts'
import type { SseFrame } from '../wire/sse.ts'
import { sse } from '../wire/sse.ts'
import { unreachable } from './http-errors.ts'

/** The longest event of a run begins with its prompt, whose JSON may be several times as long as the request's body. */
const MAX_EVENT_CHARS = 64 << 20

/** What the reading of one response has to know and may do. */
export interface Connection {
  readonly run: RunId
  readonly baseUrl: string
  /** Cuts the connection. */
  readonly stop: AbortController
  readonly silenceMs: number
  readonly clock: Clock
}

/**
 * The records of one response, those of one network read together. Returns at the server's end mark; every other end
 * is a throw of `network`, which another attempt may mend.
 */
export async function* eventRecords(
  response: Response,
  connection: Connection,
): AsyncGenerator<Batch | Gap, void, undefined> {
  for await (const frames of sse(bytesOf(response, connection), { maxChars: MAX_EVENT_CHARS })) {
    const { records, end } = readFrames(frames, connection.run)
    yield* records
    if (end === 'done') return
    if (end) throw closedBy(end)
  }
  throw new RunletError('network', {
    reason: 'stream_eof_before_done',
    message: `${connection.baseUrl} closed the stream before the run had ended`,
  })
}

/** Why the server ends a connection: there is no more, this reader is too slow, or the server goes down. */
type End = 'done' | 'overflow' | 'closing'

function readFrames(frames: readonly SseFrame[], run: RunId): { records: (Batch | Gap)[]; end: End | undefined } {
  const records: (Batch | Gap)[] = []
  let open: { readonly place: Cursor; readonly entries: Entry[] } | undefined
  const close = () => {
    if (open) records.push(Batch.of(run, open.place.epoch, open.entries))
    open = undefined
  }
  for (const { event, id, data } of frames) {
    switch (event) {
      case 'done':
      case 'overflow':
      case 'closing':
        close()
        return { records, end: event }
      case 'gap': {
        close()
        const { from, to, reason } = JSON.parse(data) as Gap
        records.push({ type: 'gap', run, from, to, reason })
        break
      }
      case 'lag':
      case 'snapshot':
        break
      default: {
        const place = parseCursor(id ?? '')
        const entry = parseLine(data)
        const last = open?.entries.at(-1)
        if (open && (open.place.epoch !== place.epoch || last?.seq !== entry.seq - 1)) close()
        open ??= { place, entries: [] }
        open.entries.push(entry)
      }
    }
  }
  close()
  return { records, end: undefined }
}

function closedBy(end: 'overflow' | 'closing'): RunletError {
  return new RunletError('network', {
    reason: end === 'overflow' ? 'reader_too_slow' : 'server_closing',
    message:
      end === 'overflow' ? 'the server closed the stream because it was read too slowly' : 'the server is going down',
  })
}

/** Browsers cannot iterate over a body everywhere; and a connection may die without a word. */
async function* bytesOf(
  { body }: Response,
  { baseUrl, stop, silenceMs, clock }: Connection,
): AsyncGenerator<Uint8Array, void, undefined> {
  if (!body) return
  const reader = body.getReader()
  try {
    for (;;) {
      const cancelTimer = clock.after(silenceMs, () => stop.abort(silent(baseUrl, silenceMs)))
      try {
        const { done, value } = await reader.read()
        if (done) return
        yield value
      } finally {
        cancelTimer()
      }
    }
  } catch (cause) {
    const { reason } = stop.signal as { reason: unknown }
    throw isRunletError(reason) ? reason : unreachable(baseUrl, cause)
  } finally {
    await reader.cancel().catch(() => {})
  }
}

function silent(baseUrl: string, silenceMs: number): RunletError {
  return new RunletError('network', {
    reason: 'stream_silent',
    message: `${baseUrl} said nothing for ${silenceMs / 1000} seconds, not even that it lives`,
  })
}
