/** Reads what a Runlet stream says: for programs that consume one with `fetch`. Nothing in here is Node's own. */
import { formatCursor, parseCursor, type Epoch } from '../../../core/cursor.ts'
import { errorCodes, isErrorCode, RunletError, type ErrorCode } from '../../../core/error.ts'
import { isTerminal, type Entry, type RunEvent, type TerminalEvent } from '../../../core/event.ts'
import { isRecord, parseJsonObject, type JsonRecord } from '../../../wire/json.ts'
import { ndjson } from '../../../wire/ndjson.ts'
import { sse } from '../../../wire/sse.ts'

export interface ReadStreamOptions {
  /** The place that the stream was asked to go on from. It knows the epoch, which later lines leave out. */
  readonly after?: string
  /** Longest event, in bytes. Default 64 MiB: a run's first events repeat its prompt. */
  readonly maxBytes?: number
  /**
   * Told of records that are no event of the run: `heartbeat` (NDJSON), `lag`, `snapshot` and such. Without it a
   * `snapshot` is a throw of `unsupported`, since what is read would begin in the middle.
   */
  readonly onControl?: (record: JsonRecord) => void
}

/**
 * The events of a stream, those of one network read as one array, once. Ends after the stream's end mark, and after a
 * 204. Every other end is a throw: what the server refused; `network` with reason `stream_eof_before_done`,
 * `reader_too_slow`, `server_closing` or `connection_lost`, to be read on from `cursor`; `internal` with `events_lost`
 * where the server no longer has some.
 */
export interface EventReader extends AsyncIterable<readonly Entry[]> {
  /** The place behind the last event handed over, for `Last-Event-ID` or `?after=`; undefined before the first. */
  readonly cursor: string | undefined
  /** How the run ended, once that was read. */
  readonly ending: TerminalEvent | undefined
}

/** Where the bytes are: the answer to `fetch`, or the body of one. */
type Bytes = Response | ReadableStream<Uint8Array> | AsyncIterable<Uint8Array>

/** Reads `gai.events.v1` as server-sent events, with ids or without. */
export function readSse(source: Bytes, options: ReadStreamOptions = {}): EventReader {
  return eventReader(source, options, async function* (bytes, maxBytes) {
    for await (const frames of sse(bytes, { maxChars: maxBytes })) {
      yield frames.map(({ id, data }) => ({
        id,
        record: () => parseJsonObject(data, { maxBytes, maxDepth: MAX_DEPTH }),
      }))
    }
  })
}

/** Reads `gai.events.v1` as one JSON object a line. A record without a time has `ts` 0. */
export function readNdjson(source: Bytes, options: ReadStreamOptions = {}): EventReader {
  return eventReader(source, options, async function* (bytes, maxBytes) {
    for await (const records of ndjson(bytes, { maxBytes })) yield records.map((record) => ({ record: () => record }))
  })
}

interface Found {
  readonly id?: string | undefined
  /** Throws on what is none. */
  readonly record: () => JsonRecord
}

type Deframe = (bytes: AsyncIterable<Uint8Array>, maxBytes: number) => AsyncIterable<readonly Found[]>

/** 64 MiB. */
const MAX_BYTES = 64 << 20
/** What a request may nest, and what an event puts around it. */
const MAX_DEPTH = 80

function eventReader(
  source: Bytes,
  { after, maxBytes = MAX_BYTES, onControl }: ReadStreamOptions,
  deframe: Deframe,
): EventReader {
  let cursor = after
  let epoch: Epoch = after === undefined ? 0 : parseCursor(after).epoch
  let ending: TerminalEvent | undefined

  function entryOf(record: JsonRecord, id: string | undefined): Entry {
    const { schema: _, type, ts = 0, seq, epoch: begun, ...body } = record
    if (typeof type !== 'string' || typeof seq !== 'number' || typeof ts !== 'number') throw notEvents()
    const event = { type, ...withoutEnvelope(type, body) } as unknown as RunEvent
    if (id !== undefined) epoch = parseCursor(id).epoch
    else if (typeof begun === 'number') epoch = begun
    cursor = epoch === 0 ? String(seq) : formatCursor({ epoch, seq })
    if (isTerminal(event)) ending = event
    return typeof begun === 'number' ? { seq, ts, epoch: begun, event } : { seq, ts, event }
  }

  /** True at the end mark. */
  function heed(record: JsonRecord): boolean {
    const { type, reason } = record
    if (type === 'done') return true
    if (type === 'overflow' || type === 'closing') throw sentAway(type, reason)
    if (type === 'gap') throw eventsLost(record)
    if (type === 'snapshot' && !onControl) throw snapshotUnread()
    onControl?.(record)
    return false
  }

  async function* read(): AsyncGenerator<readonly Entry[], void, undefined> {
    const bytes = await bytesOf(source)
    if (!bytes) return
    for await (const found of deframe(bytes, maxBytes)) {
      const entries: Entry[] = []
      let over = false
      let fault: unknown
      try {
        for (const one of found) {
          // Control records have no place in the run.
          const record = one.record()
          if ('seq' in record) entries.push(entryOf(record, one.id))
          else if ((over = heed(record))) break
        }
      } catch (thrown) {
        fault = thrown
      }
      if (entries.length > 0) yield entries
      if (fault !== undefined) throw fault
      if (over) return
    }
    throw network('stream_eof_before_done', 'the stream ended before its end mark: it was cut, and the run may go on')
  }

  return {
    get cursor() {
      return cursor
    },
    get ending() {
      return ending
    },
    [Symbol.asyncIterator]: read,
  }
}

/** The full form repeats on each line what `start` said. */
function withoutEnvelope(type: string, body: JsonRecord): JsonRecord {
  if (type === 'start' || body['run_id'] === undefined) return body
  const { trace_id: _t, request_id: _q, run_id: _r, session_id: _s, ...rest } = body
  if (type !== 'finish') return rest
  const { provider: _p, model: _m, ...finish } = rest
  return finish
}

/** Undefined where there is nothing to read. Throws what the server answered instead of a stream. */
async function bytesOf(source: Bytes): Promise<AsyncIterable<Uint8Array> | undefined> {
  if (!(source instanceof Response)) return chunksOf(source)
  if (source.status === 204) return undefined
  if (!source.ok) throw await refusalOf(source)
  return chunksOf(source.body ?? new Blob([]).stream())
}

/** Browsers cannot iterate over a body everywhere. */
async function* chunksOf(body: Exclude<Bytes, Response>): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    if (Symbol.asyncIterator in body) return yield* body
    const reader = (body as ReadableStream<Uint8Array>).getReader()
    try {
      for (let read = await reader.read(); !read.done; read = await reader.read()) yield read.value
    } finally {
      await reader.cancel()
    }
  } catch (cause) {
    // Whoever gave it up knows why.
    if (cause instanceof Error && cause.name === 'AbortError') throw cause
    throw new RunletError('network', {
      reason: 'connection_lost',
      message: 'the connection broke before the stream had ended; the run may go on',
      cause,
    })
  }
}

async function refusalOf(response: Response): Promise<RunletError> {
  const { status } = response
  const body: unknown = await response.json().catch(() => undefined)
  const problem: JsonRecord = isRecord(body) ? body : {}
  const { code, reason, detail, temporary, retry_after_ms } = problem
  if (!isErrorCode(code) || typeof detail !== 'string') {
    const known = Object.entries(errorCodes).find(([, meaning]) => meaning.status === status)
    const meant = (known?.[0] ?? (status >= 500 ? 'network' : 'invalid_request')) as ErrorCode
    return new RunletError(meant, {
      status,
      reason: 'not_runlet',
      message: `the server answered with status ${status}`,
    })
  }
  return new RunletError(code, {
    status,
    message: detail,
    ...(typeof reason === 'string' ? { reason } : {}),
    ...(typeof temporary === 'boolean' ? { temporary } : {}),
    ...(typeof retry_after_ms === 'number' ? { retryAfterMs: retry_after_ms } : {}),
  })
}

function sentAway(type: 'overflow' | 'closing', reason: unknown): RunletError {
  const why = typeof reason === 'string' ? ` (${reason.slice(0, 40)})` : ''
  return type === 'overflow'
    ? network('reader_too_slow', `the server closed the stream, because it was read too slowly${why}`)
    : network('server_closing', `the server ended this connection, not the run${why}`)
}

const network = (reason: string, what: string) =>
  new RunletError('network', { reason, message: `${what}. Read on from the reader's cursor` })

function eventsLost({ from, to }: JsonRecord): RunletError {
  return new RunletError('internal', {
    reason: 'events_lost',
    temporary: false,
    message: `the server no longer has events ${Number(from)} to ${Number(to)} of this run`,
  })
}

function snapshotUnread(): RunletError {
  return new RunletError('unsupported', {
    reason: 'snapshot_unread',
    message: 'the stream begins with a snapshot; give onControl to take it, or ask for the events from the start',
  })
}

function notEvents(): RunletError {
  return new RunletError('network', {
    reason: 'not_events',
    temporary: false,
    message: 'the stream is none of gai.events.v1; other formats have clients of their own',
  })
}
