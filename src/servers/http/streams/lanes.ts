/** Several readers on one connection. */
import type { Lapse } from '../auth/caller.ts'
import { allDone, connectionTold } from './multiplex-format.ts'
import { Reader, type ReaderContext, type Reading } from './reader.ts'
import type { Attended } from './readers.ts'
import type { Sink } from './sink.ts'
import { Uptake } from './uptake.ts'

/** Most that a connection may be told besides its runs, and not take. Bytes. */
const MAX_TOLD_BYTES = 256 * 1024

/** What one connection is to carry. */
export interface LanesOptions {
  /** How many runs will be given, by `add` or `skip`. */
  readonly runs: number
  /** More is told than the runs: the connection outlives them. */
  readonly outlives: boolean
  /** When whoever asked may read no longer. */
  readonly lapse: Lapse | undefined
  /** Called once, when the connection is over. */
  readonly onGone: () => void
}

/**
 * One connection that follows several runs, each with a reader of its own. A reader writes into its lane; a lane hands
 * on one batch after the other, in turn with the others, as the connection has room, and asks its run for no more while
 * one waits. So a run that says much, or nothing, or whose store hangs, holds nobody up, and what waits here is at most
 * a batch a run, which all readers of that run share.
 */
export class Lanes implements Attended {
  readonly #sink: Sink
  readonly #options: LanesOptions
  readonly #context: ReaderContext
  readonly #readers = new Map<Lane, Reader>()
  /** Those with something to hand on, in the order of their turns. */
  readonly #turns: Lane[] = []
  /** What is told besides the runs. */
  readonly #told: Lane
  /** Runs that are not read yet. */
  #expected: number
  /** What is left of a piece that is handed over in parts: nothing may come between. */
  #rest: Uint8Array | undefined
  #waiting = false
  /** `leaving`: what is told at the end is being put together. `ending`: it is on its way. */
  #state: 'open' | 'leaving' | 'ending' | 'gone' = 'open'
  readonly #uptake: Uptake
  #spokeAt: number

  constructor(sink: Sink, options: LanesOptions, context: ReaderContext) {
    this.#sink = sink
    this.#options = options
    this.#context = context
    this.#expected = options.runs
    this.#told = new Lane((lane) => this.#offer(lane))
    this.#spokeAt = context.clock.now()
    this.#uptake = new Uptake(this.#spokeAt)
  }

  get pendingBytes(): number {
    let bytes = this.#sink.pending + (this.#rest?.length ?? 0)
    for (const lane of this.#turns) bytes += lane.pending
    return bytes
  }

  /** Follows one run more. */
  add(reading: Reading, opening: Uint8Array): void {
    this.#expected--
    if (this.#state !== 'open') return reading.stop.abort()
    const lane = new Lane((one) => this.#offer(one))
    // A lane takes whole batches; it is the connection that takes them in parts.
    const limits = { ...this.#context.limits, maxPendingBytes: Infinity }
    const reader = new Reader(reading, lane, { ...this.#context, limits })
    this.#readers.set(lane, reader)
    this.#context.counts.opened++
    lane.onClose(() => {
      reader.disconnect()
      this.#readers.delete(lane)
      this.#finish()
    })
    reader.follow(opening)
  }

  /** One run is not followed after all; `bytes` say why. */
  skip(bytes: Uint8Array): void {
    this.#expected--
    this.tell(bytes)
    this.#finish()
  }

  /** Says something between two batches. */
  tell(bytes: Uint8Array): void {
    if (this.#state !== 'open') return
    this.#told.write(bytes)
    if (this.#told.pending > MAX_TOLD_BYTES) this.#overflow()
  }

  /** Ends the connection, each run with its cursor. */
  close(reason: string): void {
    if (this.#state !== 'open') return
    this.#state = 'leaving'
    for (const reader of this.#readers.values()) reader.close(reason)
    this.#leave('closing', reason)
  }

  /** Cuts the connection; what it has not taken is lost to it. */
  cut(): void {
    this.#sink.destroy('shutting_down')
  }

  /** The connection is gone. */
  disconnect(): void {
    this.#state = 'gone'
    this.#options.onGone()
    this.#rest = undefined
    this.#turns.length = 0
    for (const lane of this.#readers.keys()) lane.close()
    this.#told.close()
  }

  /** As `Reader.check`, for the connection as a whole. */
  check(now: number, tickMs: number): void {
    const { limits } = this.#context
    const lapsed = this.#options.lapse?.(now)
    if (lapsed !== undefined) this.close(lapsed)
    if (this.#uptake.stalledMs(this.#sink, now) >= limits.stallMs) return this.#overflow()
    const silent = now - this.#spokeAt > limits.heartbeatMs - 2 * tickMs
    if (silent && this.#sink.pending === 0 && this.#state === 'open') this.tell(connectionTold(now, 'heartbeat'))
  }

  /** A lane has something to hand on. */
  #offer(lane: Lane): void {
    if (this.#state === 'gone') return
    this.#turns.push(lane)
    if (!this.#waiting && !this.#rest) this.#handOn()
  }

  #handOn(): void {
    while (this.#turns.length > 0 && !this.#rest && !this.#sink.full) {
      const lane = this.#turns.shift()!
      const bytes = lane.shift()
      if (lane.pending > 0) this.#turns.push(lane)
      this.#write(bytes)
      // Only now: the reader that waits for it may write at once.
      lane.settle()
    }
    if (this.#sink.full || this.#rest) void this.#waitForRoom()
  }

  /** Never rejects. */
  async #waitForRoom(): Promise<void> {
    if (this.#waiting) return
    this.#waiting = true
    while (this.#state !== 'gone' && (this.#rest || this.#sink.full)) {
      await this.#sink.drained()
      const rest = this.#rest
      this.#rest = undefined
      if (rest) this.#write(rest)
    }
    this.#waiting = false
    if (this.#state !== 'gone') this.#handOn()
    this.#finish()
  }

  #write(bytes: Uint8Array): void {
    const { maxPendingBytes } = this.#context.limits
    const part = bytes.length > maxPendingBytes ? bytes.subarray(0, maxPendingBytes) : bytes
    if (part !== bytes) this.#rest = bytes.subarray(maxPendingBytes)
    if (part.length === 0 || this.#state === 'gone') return
    this.#sink.write(part)
    this.#uptake.give(part.length)
    this.#spokeAt = this.#context.clock.now()
  }

  /** Ends the connection once there is nothing to wait for. */
  #finish(): void {
    if (this.#state === 'gone' || this.#state === 'leaving' || this.#readers.size > 0) return
    if (this.#state === 'open') {
      if (this.#options.outlives || this.#expected > 0) return
      this.#state = 'ending'
      this.#told.write(allDone())
    }
    if (this.#turns.length === 0 && !this.#rest) this.#sink.end()
  }

  #overflow(): void {
    // It was told before, and did not even take that.
    if (this.#state !== 'open') return this.#sink.destroy('slow_consumer')
    const { limits, clock, onDiagnostic } = this.#context
    const runs = this.#readers.size === 1 ? '1 run' : `${this.#readers.size} runs`
    const message = `a connection with ${runs} took nothing for ${limits.stallMs / 1000} s and is closed`
    onDiagnostic({ level: 'warning', code: 'slow_consumer', message })
    for (const reader of this.#readers.values()) reader.drop('overflowed')
    // Behind half a record nothing can be said, and a clean end would be a lie; a cut is not.
    if (this.#rest) return this.#sink.destroy('slow_consumer')
    this.#state = 'leaving'
    this.#uptake.forgive(clock.now())
    this.#turns.length = 0
    for (const lane of this.#readers.keys()) lane.close()
    this.#leave('overflow', 'slow_consumer')
  }

  #leave(type: 'closing' | 'overflow', reason: string): void {
    this.#told.write(connectionTold(this.#context.clock.now(), type, reason))
    this.#state = 'ending'
    this.#finish()
  }
}

/** Where the reader of one run writes to. It is full as long as something waits for its turn. */
class Lane implements Sink {
  readonly #offer: (lane: Lane) => void
  #waiting: Uint8Array[] = []
  #wake: (() => void) | undefined
  #onClose: (() => void) | undefined
  #ended = false
  #closed = false

  /** `offer` is called when a lane that was empty has something. */
  constructor(offer: (lane: Lane) => void) {
    this.#offer = offer
  }

  get pending(): number {
    return this.#waiting.reduce((bytes, one) => bytes + one.length, 0)
  }

  get full(): boolean {
    return this.#waiting.length > 0
  }

  write(bytes: Uint8Array): void {
    if (this.#closed || bytes.length === 0) return
    this.#waiting.push(bytes)
    if (this.#waiting.length === 1) this.#offer(this)
  }

  /** The next piece. */
  shift(): Uint8Array {
    return this.#waiting.shift()!
  }

  /** What was shifted is on its way. */
  settle(): void {
    if (this.#waiting.length > 0) return
    this.#wake?.()
    this.#wake = undefined
    if (this.#ended) this.close()
  }

  drained(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#closed || this.#waiting.length === 0) resolve()
      else this.#wake = resolve
    })
  }

  end(): void {
    this.#ended = true
    if (this.#waiting.length === 0) this.close()
  }

  destroy(): void {
    this.close()
  }

  /** Nothing of it will be handed on any more. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#waiting = []
    this.#wake?.()
    this.#onClose?.()
  }

  onClose(callback: () => void): void {
    this.#onClose = callback
  }
}
