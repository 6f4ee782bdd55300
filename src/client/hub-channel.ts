/** The records of one run between the connection that brings them, which many share, and the one who reads them. */
import type { Batch } from '../core/batch.ts'
import type { Cursor } from '../core/cursor.ts'
import type { RunletError } from '../core/error.ts'
import type { RunId } from '../core/event.ts'
import type { Gap } from '../core/log.ts'
import { placeAfter } from './follow.ts'
import type { ConnectionNews } from './follow-state.ts'
import { Queue } from './queue.ts'

/** What waits to be read at most, roughly, in characters of JSON. More is not kept, but asked for again. */
const MAX_WAITING_CHARS = 1 << 20

/**
 * Takes what comes and holds it until it is read. One who reads too slowly costs no more than 1 Mi characters: then
 * the channel is parked, what comes is left to the server's log, and once all is read it is to be fetched from `cursor`.
 */
export class Channel {
  readonly run: RunId
  readonly news: (news: ConnectionNews) => void
  /** The place behind all that was taken. */
  cursor: Cursor
  /** The server has accepted its cursor, or given it. */
  proven: boolean
  /** Takes nothing until its reader has read what waits. */
  parked = false
  /** Nothing more will be taken. */
  over = false
  readonly #queue = new Queue<Batch | Gap>()

  constructor(run: RunId, after: Cursor, news: (news: ConnectionNews) => void) {
    this.run = run
    this.cursor = after
    this.proven = after.seq === 0
    this.news = news
  }

  /** What lies before the cursor is passed over, since others may have asked for it. `chars`: how much JSON it is. */
  take(record: Batch | Gap, chars: number = 0): void {
    const last = record.type === 'gap' ? record.to : record.last
    if (this.over || this.parked || last <= this.cursor.seq) return
    this.cursor = placeAfter(record, this.cursor)
    this.#queue.push(record, chars)
    this.parked = this.#queue.size > MAX_WAITING_CHARS
  }

  /** The run is over. A parked channel has not seen its end. */
  finish(): void {
    if (!this.parked) this.#end()
  }

  /** Reading throws once all that waits was read. */
  fail(error: RunletError): void {
    this.#end(error)
  }

  /** All that comes, until the end, or until the signal aborts. `onDrained` is called when a parked one can take again. */
  async *read(signal: AbortSignal, onDrained: () => void): AsyncGenerator<Batch | Gap, void, undefined> {
    for await (const records of this.#queue.read(signal)) {
      yield* records
      if (!this.parked) continue
      this.parked = false
      onDrained()
    }
  }

  #end(error?: RunletError): void {
    this.over = true
    this.#queue.end(error)
  }
}
