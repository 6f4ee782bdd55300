/** The frames of a stream, of one run or of several, become records. PROTOCOL.md, sections 4 and 5. */
import { Batch } from '../core/batch.ts'
import type { Epoch } from '../core/cursor.ts'
import { parseCursor } from '../core/cursor.ts'
import type { RunletError } from '../core/error.ts'
import type { Entry, EventType, RunId } from '../core/event.ts'
import { parseLine } from '../core/line.ts'
import type { Gap, RunHeader } from '../core/log.ts'
import type { SseFrame } from '../wire/sse.ts'
import { errorOf, networkError, type WireError } from './http-errors.ts'

/** The name of the frame that says that there is no more. */
export const DONE = 'done'

/** Names of the frames that are no entry. A stream of several runs calls all of them `control`. */
const controlNames: readonly string[] = ['control', DONE, 'gap', 'lag', 'snapshot', 'overflow', 'closing']

/** Every event there is; the compiler says if one is missing. (A page need not load the table of their order for that.) */
const eventNames = {
  start: 1,
  'turn.start': 1,
  'turn.end': 1,
  'step.start': 1,
  'step.end': 1,
  'step.reset': 1,
  'text.delta': 1,
  'reasoning.delta': 1,
  'tool.call.delta': 1,
  'tool.call': 1,
  'tool.progress': 1,
  'tool.result': 1,
  citations: 1,
  safety: 1,
  'audio.delta': 1,
  'provider.fields': 1,
  status: 1,
  warning: 1,
  finish: 1,
  error: 1,
} as const satisfies Record<EventType, 1>

/** Names of all frames, for those who hear only what they listen to. */
export const frameNames: readonly string[] = [...Object.keys(eventNames), ...controlNames]

/** What a stream brings. */
export type StreamRecord =
  /** `chars`: of JSON, for those who keep it. */
  | { readonly type: 'batch'; readonly run: RunId; readonly batch: Batch; readonly chars: number }
  | Gap
  /** The reading of a run begins. `head`: seq of its last event at that moment. */
  | { readonly type: 'opened'; readonly run: RunId; readonly head: number }
  /** The reader is behind, and is served from the store as far as `head`. */
  | { readonly type: 'lag'; readonly run: RunId; readonly head: number }
  /** The run has ended, and all of it was sent. */
  | { readonly type: 'done'; readonly run: RunId }
  /** This run cannot be read, or not from this cursor. The others can. */
  | { readonly type: 'refused'; readonly run: RunId; readonly error: RunletError }
  /** The server ends the reading of this run, not the run. */
  | { readonly type: 'closing'; readonly run: RunId; readonly error: RunletError }
  /** Whoever holds the connection has lost it, and makes it anew after `waitMs`. The server itself never says so. */
  | { readonly type: 'lost'; readonly run: RunId; readonly error: RunletError; readonly waitMs: number }
  /** A run began or ended at this server. */
  | { readonly type: 'run'; readonly run: RunHeader }
  | { readonly type: 'heartbeat' }

/**
 * The records of each read. Returns at the end mark of the whole stream; every other end is a throw of `network`, which
 * another attempt may mend. `run` is what is spoken of where the records do not say.
 */
export async function* streamRecords(
  stream: AsyncIterable<readonly SseFrame[]>,
  baseUrl: string,
  run?: RunId,
): AsyncGenerator<readonly StreamRecord[], void, undefined> {
  for await (const frames of stream) {
    const { records, end } = readFrames(frames, run)
    if (records.length > 0) yield records
    if (end === DONE) return
    if (end) throw closedBy(end)
  }
  throw networkError('stream_eof_before_done', `${baseUrl} closed the stream before the run had ended`)
}

interface ReadFrames {
  readonly records: StreamRecord[]
  /** The whole stream ends: there is no more, this reader is too slow, or the server goes down. */
  readonly end?: typeof DONE | 'overflow' | 'closing'
}

function readFrames(frames: readonly SseFrame[], only: RunId | undefined): ReadFrames {
  const records: StreamRecord[] = []
  let open: { readonly run: RunId; readonly epoch: Epoch; readonly entries: Entry[]; chars: number } | undefined
  const close = () => {
    if (open) {
      const { run, epoch, entries, chars } = open
      records.push({ type: 'batch', run, batch: Batch.of(run, epoch, entries), chars })
    }
    open = undefined
  }
  for (const { event = '', id, data } of frames) {
    if (controlNames.includes(event)) {
      close()
      const control = (data === '' ? { type: event } : JSON.parse(data)) as WireControl
      const { type, run_id = only } = control
      if (!control.run_id && (type === DONE || type === 'overflow' || type === 'closing')) return { records, end: type }
      const record = readControl(control, run_id ?? '')
      if (record) records.push(record)
    } else if (id !== undefined) {
      // Without one it is something that this client does not know, and no entry.
      const at = id.lastIndexOf('@')
      const run = at < 0 ? (only ?? '') : id.slice(0, at)
      const { epoch } = parseCursor(id.slice(at + 1))
      const entry = parseLine(data)
      const last = open?.entries.at(-1)
      if (open && (open.run !== run || open.epoch !== epoch || last?.seq !== entry.seq - 1)) close()
      open ??= { run, epoch, entries: [], chars: 0 }
      open.entries.push(entry)
      open.chars += data.length
    }
  }
  close()
  return { records }
}

/** A control record as it stands on the wire. There may be others, which are passed over. */
type WireControl = { readonly run_id?: RunId } & (
  | { readonly type: 'opened'; readonly cursor: string }
  | { readonly type: 'lag'; readonly cursor: string; readonly events: number }
  | { readonly type: 'gap'; readonly from: number; readonly to: number; readonly reason: Gap['reason'] }
  | { readonly type: 'refused'; readonly error: WireError }
  | { readonly type: 'run'; readonly run: WireHeader }
  | { readonly type: typeof DONE | 'closing' | 'overflow' | 'heartbeat' | 'snapshot' }
)

function readControl(control: WireControl, run: RunId): StreamRecord | undefined {
  const { type } = control
  switch (type) {
    case 'opened':
      return { type, run, head: parseCursor(control.cursor).seq }
    case 'lag':
      return { type, run, head: parseCursor(control.cursor).seq + control.events }
    case 'gap':
      return { type, run, from: control.from, to: control.to, reason: control.reason }
    case 'refused':
      return { type, run, error: errorOf(control.error) }
    case 'closing':
    case 'overflow':
      return { type: 'closing', run, error: closedBy(type) }
    case 'run':
      return { type, run: headerOf(control.run) }
    case DONE:
      return { type, run }
    case 'heartbeat':
      return { type }
    default:
      return undefined
  }
}

/** The error for a stream that was closed before the run was over. */
export function closedBy(end: 'overflow' | 'closing'): RunletError {
  const tooSlow = end === 'overflow'
  return networkError(
    tooSlow ? 'reader_too_slow' : 'server_closing',
    tooSlow ? 'this was read too slowly' : 'the server is going down',
  )
}

/** A run as it stands on the wire. */
export type WireHeader = Omit<RunHeader, 'cursor'> & { readonly cursor: string }

/** The header of a run that the server told of. */
export function headerOf(wire: WireHeader & { output_text?: string; message?: object }): RunHeader {
  const { output_text: _text, message: _message, cursor, ...header } = wire
  return { ...header, cursor: parseCursor(cursor) }
}
