/** How the runs of one connection are told apart. PROTOCOL.md, "Several runs at once". */
import type { Batch } from '../../../core/batch.ts'
import { formatCursor } from '../../../core/cursor.ts'
import { errorBody, type RunletError } from '../../../core/error.ts'
import type { ControlRecord, Encoder, Format } from '../../../core/format.ts'
import type { RunHeader } from '../../../core/log.ts'
import { unbroken } from '../../../formats/shared/unbroken.ts'
import { runJson } from '../runs/runs.ts'

/** The type of every multiplexed answer. */
export const CONTENT_TYPE = 'text/event-stream; charset=utf-8'

/**
 * `gai.events.v1` in its compact form. An entry stands in a frame without a name, so that an `EventSource` hears types
 * that it was not told of; its id names the run and the place in it. Everything else is called `control`.
 */
export function multiplexFormat(now: () => number): Format {
  return {
    name: 'gai-multiplex',
    framings: ['sse'],
    open: (run) => new MultiplexEncoder(run, now),
  }
}

class MultiplexEncoder implements Encoder {
  readonly contentType = CONTENT_TYPE
  readonly #run: RunHeader
  readonly #now: () => number

  constructor(run: RunHeader, now: () => number) {
    this.#run = run
    this.#now = now
  }

  start(): Uint8Array {
    const { run_id, cursor } = this.#run
    return control({ type: 'opened', ts: this.#now(), run_id, cursor: formatCursor(cursor) })
  }

  batch(batch: Batch): Uint8Array {
    return batch.encoded('gai.multiplex', frames)
  }

  control({ type, ts, ...rest }: ControlRecord): Uint8Array {
    const cursor = 'cursor' in rest ? { cursor: formatCursor(rest.cursor) } : {}
    return control({ type, ts, run_id: this.#run.run_id, ...rest, ...cursor })
  }

  end(): Uint8Array {
    return runDone(this.#run.run_id)
  }
}

/** The reading of one run is complete. */
export const runDone = (run_id: string): Uint8Array => control({ type: 'done', run_id, finished: true })

/** Nothing more will come on this connection. */
export const allDone = (): Uint8Array => control({ type: 'done', finished: true })

/** One run cannot be read, or not from where it was asked for. */
export const runRefused = (ts: number, run_id: string, error: RunletError): Uint8Array =>
  control({ type: 'refused', ts, run_id, error: { ...errorBody(error), status: error.status } })

/** A run has begun or ended. */
export const runTold = (ts: number, header: RunHeader): Uint8Array => control({ type: 'run', ts, run: runJson(header) })

/** What concerns the whole connection. */
export const connectionTold = (ts: number, type: 'heartbeat' | 'overflow' | 'closing', reason?: string): Uint8Array =>
  control({ type, ts, ...(reason === undefined ? {} : { reason }) })

const control = (record: object): Uint8Array =>
  Buffer.from(`event: control\ndata: ${unbroken(JSON.stringify(record))}\n\n`)

function frames(batch: Batch): Uint8Array {
  const { run, epoch } = batch
  const lines = unbroken(batch.lines)
  let out = ''
  let seq = batch.first
  for (let from = 0; from < lines.length; seq++) {
    const to = lines.indexOf('\n', from) + 1
    out += `id: ${run}@${epoch}-${seq}\ndata: ${lines.slice(from, to)}\n`
    from = to
  }
  return Buffer.from(out)
}
