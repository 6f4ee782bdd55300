import type { CancelTimer } from '../../core/clock.ts'
import { RunletError } from '../../core/error.ts'
import { Reader, type ReaderContext, type Reading } from './reader.ts'
import type { Sink } from './sink.ts'

/** All readers of a server, and the one timer that looks after them. */
export class Readers {
  readonly #context: ReaderContext
  readonly #readers = new Set<Reader>()
  readonly #tickMs: number
  #cancelTick: CancelTimer | undefined
  #closing = false
  #onEmpty: (() => void) | undefined

  constructor(context: ReaderContext) {
    this.#context = context
    this.#tickMs = Math.max(1, Math.floor(Math.min(context.limits.heartbeatMs, context.limits.stallMs) / 15))
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
  add(reading: Reading, opening: Uint8Array, sink: Sink): void {
    const reader = new Reader(reading, sink, this.#context)
    this.#readers.add(reader)
    sink.onClose(() => {
      reader.disconnect()
      this.#readers.delete(reader)
      if (this.#readers.size === 0) this.#rest()
    })
    this.#schedule()
    reader.follow(opening)
    if (this.#closing) reader.close('shutting_down')
  }

  /** Ends all connections with their cursors; resolves when they have taken what was on its way. */
  close(): Promise<void> {
    this.#closing = true
    return new Promise((resolve) => {
      this.#onEmpty = resolve
      for (const reader of this.#readers) reader.close('shutting_down')
      if (this.#readers.size === 0) resolve()
    })
  }

  #rest(): void {
    this.#cancelTick?.()
    this.#cancelTick = undefined
    this.#onEmpty?.()
  }

  #schedule(): void {
    this.#cancelTick ??= this.#context.clock.after(this.#tickMs, () => {
      this.#cancelTick = undefined
      const now = this.#context.clock.now()
      for (const reader of this.#readers) reader.check(now, this.#tickMs)
      if (this.#readers.size > 0) this.#schedule()
    })
  }
}
