import type { CancelTimer } from '../../../core/clock.ts'
import { RunletError } from '../../../core/error.ts'
import { Reader, type ReaderContext, type Reading } from './reader.ts'
import type { Sink } from './sink.ts'

/** What became of the readers of a server. Only ever counted up. */
export interface ReaderCounts {
  opened: number
  /** Have read their run to its end. */
  ended: number
  /** Went before that. */
  disconnected: number
  /** Were closed for taking nothing. */
  overflowed: number
  /** Were closed for being further behind than they wanted to be. */
  lagged: number
  /** Were sent away with their cursor: the server stops, or what they had shown holds no longer. */
  closed: number
  /** Could not be given what they asked for: a store that fails, an error of ours. */
  failed: number
  /** Times that a reader had to catch up; the same reader may do so often. */
  lags: number
}

/** What holds a connection, and is looked after: a reader, or several on one connection. */
export interface Attended {
  readonly pendingBytes: number
  close(reason: string): void
  cut(): void
  disconnect(): void
  check(now: number, tickMs: number): void
}

/** All readers of a server, and the one timer that looks after them. */
export class Readers {
  readonly counts: ReaderCounts = {
    opened: 0,
    ended: 0,
    disconnected: 0,
    overflowed: 0,
    lagged: 0,
    closed: 0,
    failed: 0,
    lags: 0,
  }
  readonly #context: ReaderContext
  readonly #readers = new Set<Attended>()
  readonly #tickMs: number
  #cancelTick: CancelTimer | undefined
  #closing = false
  readonly #onEmpty = new Set<() => void>()

  constructor(context: Omit<ReaderContext, 'counts'>) {
    this.#context = { ...context, counts: this.counts }
    const { heartbeatMs, stallMs } = context.limits
    // At least once a second: whoever may read no longer is not to read on for long.
    this.#tickMs = Math.max(1, Math.min(1_000, Math.floor(Math.min(heartbeatMs, stallMs) / 15)))
  }

  /** Connections that are open, or have not taken their last bytes yet. */
  get size(): number {
    return this.#readers.size
  }

  /** Bytes that were handed to connections and not taken yet. */
  get pendingBytes(): number {
    let bytes = 0
    for (const reader of this.#readers) bytes += reader.pendingBytes
    return bytes
  }

  /** Connections that end at present are ended by us. */
  get closing(): boolean {
    return this.#closing
  }

  /** Throws while the server closes, so that no stream begins that would end at once. */
  checkOpen(): void {
    if (!this.#closing) return
    throw new RunletError('provider_unavailable', {
      reason: 'shutting_down',
      message: 'this server is shutting down; come back with your cursor',
      retryAfterMs: 1_000,
    })
  }

  /** Delivers `opening`, and then a reading, to a connection, until either ends. */
  add(reading: Reading, opening: Uint8Array, sink: Sink): Reader {
    const reader = this.attend(sink, (context) => new Reader(reading, sink, context))
    this.counts.opened++
    reader.follow(opening)
    if (this.#closing) reader.close('shutting_down')
    return reader
  }

  /** Looks after what `make` makes, until its connection is over. */
  attend<T extends Attended>(sink: Sink, make: (context: ReaderContext) => T): T {
    const attended = make(this.#context)
    this.#readers.add(attended)
    sink.onClose(() => {
      attended.disconnect()
      this.#readers.delete(attended)
      if (this.#readers.size === 0) this.#rest()
    })
    this.#schedule()
    return attended
  }

  /** Ends all connections with their cursors; resolves when they have taken what was on its way. */
  close(): Promise<void> {
    this.#closing = true
    for (const reader of this.#readers) reader.close('shutting_down')
    return this.#empty()
  }

  /** Cuts the connections that are left. */
  cut(): void {
    for (const reader of this.#readers) reader.cut()
  }

  /** Resolves when nobody reads any more, or after `waitMs`. */
  async gone(waitMs: number): Promise<void> {
    if (waitMs === 0 || this.#readers.size === 0) return
    await new Promise<void>((resolve) => {
      const cancelTimer = this.#context.clock.after(waitMs, resolve)
      void this.#empty().then(() => {
        cancelTimer()
        resolve()
      })
    })
  }

  #empty(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#readers.size === 0) resolve()
      else this.#onEmpty.add(resolve)
    })
  }

  #rest(): void {
    this.#cancelTick?.()
    this.#cancelTick = undefined
    for (const resolve of this.#onEmpty) resolve()
    this.#onEmpty.clear()
  }

  /** Looks after each of them at once, and not only at the next tick. */
  look(): void {
    const now = this.#context.clock.now()
    for (const reader of this.#readers) reader.check(now, this.#tickMs)
  }

  #schedule(): void {
    this.#cancelTick ??= this.#context.clock.after(this.#tickMs, () => {
      this.#cancelTick = undefined
      this.look()
      if (this.#readers.size > 0) this.#schedule()
    })
  }
}
