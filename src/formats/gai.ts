/**
 * `gai.events.v1` itself: what the log stores, framed. Lines are cut and spliced as text, never parsed, and the bytes
 * of a batch are made once for all readers of the same form.
 */
import type { Batch } from '../core/batch.ts'
import { formatCursor } from '../core/cursor.ts'
import { RunletError } from '../core/error.ts'
import type { ControlRecord, Encoder, Format, Framing } from '../core/format.ts'
import { SCHEMA } from '../core/line.ts'
import type { RunHeader } from '../core/log.ts'

/**
 * The compact form is the stored line. The full form repeats on each line what `start` said; its key order is
 * `schema, type, ts, seq, epoch?, trace_id, request_id, run_id, session_id, step?, call_id?, provider?, model?`, then
 * the body. SSE ids are cursors (`epoch-seq`); control records have none, except a snapshot, which is a place to
 * come back to.
 */
export const gai: Format = {
  name: 'gai',
  framings: ['sse', 'ndjson'],
  open: (run, { framing, compact = framing === 'sse' }) => new GaiEncoder(run, framing, compact),
}

/** A class, since the closures of a thousand idle readers add up. */
class GaiEncoder implements Encoder {
  readonly #spelling: Spelling
  readonly #envelope: Envelope | undefined
  readonly #key: string

  constructor(run: RunHeader, framing: Framing, compact: boolean) {
    this.#spelling = spellings[framing]
    this.#envelope = compact ? undefined : envelopeOf(run)
    this.#key = keys[framing][compact ? 'compact' : 'full']
  }

  get contentType(): string {
    return this.#spelling.contentType
  }

  start(): Uint8Array {
    return this.#spelling.start
  }

  batch(batch: Batch): Uint8Array {
    return batch.encoded(this.#key, this.#encode)
  }

  control(record: ControlRecord): Uint8Array {
    return Buffer.from(this.#spelling.control(record))
  }

  end(): Uint8Array {
    return this.#spelling.end
  }

  readonly #encode = (batch: Batch) => Buffer.from(this.#spelling.batch(batch, this.#envelope))
}

/** Under which a batch keeps its encodings. */
const keys = {
  sse: { compact: 'gai.sse.compact', full: 'gai.sse.full' },
  ndjson: { compact: 'gai.ndjson.compact', full: 'gai.ndjson.full' },
} as const satisfies Record<Framing, object>

interface Spelling {
  readonly contentType: string
  readonly start: Uint8Array
  readonly end: Uint8Array
  batch(batch: Batch, envelope: Envelope | undefined): string
  control(record: ControlRecord): string
}

const done = JSON.stringify({ type: 'done', finished: true })

const spellings = {
  sse: {
    contentType: 'text/event-stream; charset=utf-8',
    // How long an `EventSource` waits before it comes back: short, for its cursor makes that cheap.
    start: Buffer.from('retry: 2000\n\n'),
    batch: sseFrames,
    control: sseControl,
    end: Buffer.from(`event: done\ndata: ${done}\n\n`),
  },
  ndjson: {
    contentType: 'application/x-ndjson; charset=utf-8',
    start: Buffer.alloc(0),
    batch: ndjsonLines,
    control: (record) => `${controlLine(record)}\n`,
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

function ndjsonLines(batch: Batch, envelope: Envelope | undefined): string {
  if (!envelope) return unbroken(batch.lines)
  let out = ''
  eachLine(batch, (line, type, seq) => {
    out += fullLine(line, type, seq, envelope)
  })
  return out
}

function sseFrames(batch: Batch, envelope: Envelope | undefined): string {
  const { epoch } = batch
  let out = ''
  eachLine(batch, (line, type, seq) => {
    out += `id: ${epoch}-${seq}\nevent: ${type}\ndata: ${envelope ? fullLine(line, type, seq, envelope) : line}\n`
  })
  return out
}

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

function sseControl(record: ControlRecord): string {
  if (record.type === 'heartbeat') return ': keep-alive\n\n'
  const id = record.type === 'snapshot' ? `id: ${formatCursor(record.cursor)}\n` : ''
  return `${id}event: ${record.type}\ndata: ${controlLine(record)}\n\n`
}

function controlLine(record: ControlRecord): string {
  const { type, ts, ...rest } = record
  const cursor = 'cursor' in rest ? { cursor: formatCursor(rest.cursor) } : {}
  return unbroken(JSON.stringify({ type, ts, ...rest, ...cursor }))
}

/**
 * The same JSON without the three characters that no standard here takes for a line end, but many a reader does
 * (Python's `splitlines`, and the clients built on it). JSON has them only inside strings, where they may be escaped.
 */
function unbroken(json: string): string {
  // Three searches for one character are memchr; a character class would look at each character.
  if (!json.includes('\u2028') && !json.includes('\u2029') && !json.includes('\u0085')) return json
  return json.replace(/[\u0085\u2028\u2029]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

function badLine({ run, first, last }: Batch): RunletError {
  return new RunletError('internal', {
    reason: 'bad_line',
    message: `entries ${first} to ${last} of run ${run} are not stored as lines of ${SCHEMA}; the store is damaged or newer than this program`,
  })
}
