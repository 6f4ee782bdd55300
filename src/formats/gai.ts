/**
 * `gai.events.v1` itself: what the log stores, framed. Lines are cut and spliced as text, never parsed, and the bytes
 * of a batch are made once for all readers of the same form.
 */
import type { Batch } from '../core/batch.ts'
import { formatCursor } from '../core/cursor.ts'
import { RunletError } from '../core/error.ts'
import type { ControlRecord, Encoder, Format, FormatOptions, Framing } from '../core/format.ts'
import { SCHEMA } from '../core/line.ts'
import type { RunHeader } from '../core/log.ts'
import { unbroken } from './shared/unbroken.ts'

/**
 * The compact form is the stored line. The full form repeats on each line what `start` said; its key order is
 * `schema, type, ts, seq, epoch?, trace_id, request_id, run_id, session_id, step?, call_id?, provider?, model?`, then
 * the body. SSE ids are cursors (`epoch-seq`); control records have none, except a snapshot, which is a place to
 * come back to.
 */
export const gai: Format = {
  name: 'gai',
  framings: ['sse', 'ndjson'],
  open: (run, options) => new GaiEncoder(run, options),
}

/** A class, since the closures of a thousand idle readers add up. */
class GaiEncoder implements Encoder {
  readonly #spelling: Spelling
  readonly #form: Form
  readonly #retryMs: number | undefined
  /** Under which a batch keeps its encoding. */
  readonly #key: string

  constructor(run: RunHeader, options: FormatOptions) {
    const { framing, compact = framing === 'sse', ids = true, timestamps = true, retryMs } = options
    this.#spelling = spellings[framing]
    this.#form = { envelope: compact ? undefined : envelopeOf(run), ids, timestamps }
    this.#retryMs = retryMs
    this.#key = keys[framing][compact ? 'compact' : 'full']
    if (!ids) this.#key += '.no-ids'
    if (!timestamps) this.#key += '.no-timestamps'
  }

  get contentType(): string {
    return this.#spelling.contentType
  }

  start(): Uint8Array {
    return this.#spelling.start(this.#retryMs)
  }

  batch(batch: Batch): Uint8Array {
    return batch.encoded(this.#key, this.#encode)
  }

  control(record: ControlRecord): Uint8Array {
    return Buffer.from(this.#spelling.control(record, this.#form))
  }

  end(): Uint8Array {
    return this.#spelling.end
  }

  readonly #encode = (batch: Batch) => Buffer.from(this.#spelling.batch(batch, this.#form))
}

const keys = {
  sse: { compact: 'gai.sse.compact', full: 'gai.sse.full' },
  ndjson: { compact: 'gai.ndjson.compact', full: 'gai.ndjson.full' },
} as const satisfies Record<Framing, object>

/** What a reader chose. */
interface Form {
  readonly envelope: Envelope | undefined
  readonly ids: boolean
  readonly timestamps: boolean
}

interface Spelling {
  readonly contentType: string
  readonly end: Uint8Array
  start(retryMs: number | undefined): Uint8Array
  batch(batch: Batch, form: Form): string
  control(record: ControlRecord, form: Form): string
}

const done = JSON.stringify({ type: 'done', finished: true })
/** How long an `EventSource` waits before it comes back: short, for its cursor makes that cheap. */
const ownRetry: Uint8Array = Buffer.from('retry: 2000\n\n')
const nothing: Uint8Array = Buffer.alloc(0)

const spellings = {
  sse: {
    contentType: 'text/event-stream; charset=utf-8',
    start: (retryMs) => (retryMs === undefined ? ownRetry : Buffer.from(`retry: ${retryMs}\n\n`)),
    batch: sseFrames,
    control: sseControl,
    end: Buffer.from(`event: done\ndata: ${done}\n\n`),
  },
  ndjson: {
    contentType: 'application/x-ndjson; charset=utf-8',
    start: () => nothing,
    batch: ndjsonLines,
    control: (record, form) => `${controlLine(record, form)}\n`,
    end: Buffer.from(`${done}\n`),
  },
} as const satisfies Record<Framing, Spelling>

/** What the full form adds to all lines but `start`, which has it already. */
interface Envelope {
  /** `,"trace_id":…` to `session_id`. */
  readonly ids: string
  /** `,"provider":…,"model":…`, which only `start` and `finish` carry. */
  readonly model: string
}

function envelopeOf({ trace_id, request_id, run_id, session_id, provider, model }: RunHeader): Envelope {
  return { ids: members({ trace_id, request_id, run_id, session_id }), model: members({ provider, model }) }
}

const members = (object: object) => `,${JSON.stringify(object).slice(1, -1)}`

function ndjsonLines(batch: Batch, form: Form): string {
  if (!form.envelope && form.timestamps) return unbroken(batch.lines)
  let out = ''
  eachLine(batch, (line, type, seq) => {
    out += formed(line, type, seq, form)
  })
  return out
}

function sseFrames(batch: Batch, form: Form): string {
  const { epoch } = batch
  const { ids } = form
  let out = ''
  eachLine(batch, (line, type, seq) => {
    const id = ids ? `id: ${epoch}-${seq}\n` : ''
    out += `${id}event: ${type}\ndata: ${formed(line, type, seq, form)}\n`
  })
  return out
}

function formed(line: string, type: string, seq: number, { envelope, timestamps }: Form): string {
  const full = envelope ? fullLine(line, type, seq, envelope) : line
  return timestamps ? full : full.replace(TIME, '')
}

/** The first of its name in a line: what stands before it are names that hold no quote. */
const TIME = /,"ts":\d+/

/** Calls back with each line and its line feed. Throws `internal` with reason `bad_line` on what no log can hold. */
function eachLine(batch: Batch, callback: (line: string, type: string, seq: number) => void): void {
  const lines = unbroken(batch.lines)
  let seq = batch.first
  let type = ''
  let head = '\n'
  for (let from = 0; from < lines.length; seq++) {
    // Deltas come in long rows, so the head is mostly the one before.
    if (!lines.startsWith(head, from)) {
      const begin = from + (lines.startsWith(START, from) ? START.length : '{'.length)
      const end = lines.indexOf('",', begin)
      type = lines.slice(begin + TYPE.length, end)
      // It becomes an SSE field: nothing but a name may get there, whatever the store gave.
      if (!lines.startsWith(TYPE, begin) || !/^[a-z.]+$/.test(type)) throw badLine(batch)
      head = lines.slice(from, end + 1)
    }
    const to = lines.indexOf('\n', from) + 1
    if (to === 0) throw badLine(batch)
    callback(lines.slice(from, to), type, seq)
    from = to
  }
  if (seq !== batch.last + 1) throw badLine(batch)
}

const START = `{"schema":"${SCHEMA}",`
const TYPE = '"type":"'

function fullLine(line: string, type: string, seq: number, { ids, model }: Envelope): string {
  if (type === 'start') return line
  const place = `,"seq":${seq}`
  let cut = line.indexOf(place) + place.length
  if (line.startsWith(',"epoch":', cut)) cut = line.indexOf(',', cut + 1)
  return `${START}${line.slice(1, cut)}${ids}${type === 'finish' ? model : ''}${line.slice(cut)}`
}

function sseControl(record: ControlRecord, form: Form): string {
  if (record.type === 'heartbeat') return ': keep-alive\n\n'
  const id = record.type === 'snapshot' && form.ids ? `id: ${formatCursor(record.cursor)}\n` : ''
  return `${id}event: ${record.type}\ndata: ${controlLine(record, form)}\n\n`
}

function controlLine(record: ControlRecord, { timestamps }: Form): string {
  const { type, ts, ...rest } = record
  const cursor = 'cursor' in rest ? { cursor: formatCursor(rest.cursor) } : {}
  return unbroken(JSON.stringify({ type, ...(timestamps ? { ts } : {}), ...rest, ...cursor }))
}

function badLine({ run, first, last }: Batch): RunletError {
  return new RunletError('internal', {
    reason: 'bad_line',
    message: `entries ${first} to ${last} of run ${run} are not stored as lines of ${SCHEMA}; the store is damaged or newer than this program`,
  })
}
