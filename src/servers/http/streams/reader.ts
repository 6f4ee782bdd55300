import type { Batch } from '../../../core/batch.ts'
import type { Clock } from '../../../core/clock.ts'
import type { Cursor, Epoch } from '../../../core/cursor.ts'
import { toRunletError } from '../../../core/error.ts'
import type { ControlBody, Encoder } from '../../../core/format.ts'
import type { Gap } from '../../../core/log.ts'
import type { Diagnostic, Run } from '../../../engine/runtime.ts'
import type { Lapse } from '../auth/caller.ts'
import type { StreamLimits } from '../limits.ts'
import type { LagBound } from './overflow.ts'
import type { ReaderCounts } from './readers.ts'
import type { Sink } from './sink.ts'
import { Uptake } from './uptake.ts'

/** What a reader is made from: a run, read from a place on, spelled for one connection. */
export interface Reading {
  readonly run: Run
  readonly encoder: Encoder
  readonly records: AsyncIterator<Batch | Gap>
  /** Where the reading begins. */
  readonly cursor: Cursor
  /** The run's last seq when the reading began; a reader that has reached it is live, and can fall behind. */
  readonly live: number
  /** Ends `records`. */
  readonly stop: AbortController
  /** How far behind it is closed. Absent: it may be as far behind as it likes. */
  readonly lagBound?: LagBound | undefined
  /** Why its caller may not read on, once that is so. Looked at every second. */
  readonly lapse?: Lapse | undefined
  /** Called if the connection ends before the run does, unless it is us who end it. */
  readonly onDisconnect?: (() => void) | undefined
}

type Ending = 'ended' | 'overflowed' | 'lagged' | 'closed' | 'failed'

export interface ReaderContext {
  readonly limits: StreamLimits
  readonly clock: Clock
  readonly counts: ReaderCounts
  readonly onDiagnostic: (diagnostic: Diagnostic) => void
}

/**
 * One connection that follows one run. It holds a cursor, and what its connection has not taken yet; when that is too
 * much it does not pull, falls behind in the log at no cost, and continues from its cursor. While it waits it keeps no
 * batch alive.
 */
export class Reader {
  readonly #reading: Reading
  readonly #sink: Sink
  readonly #context: ReaderContext
  /** Resolves when the connection has taken what it was given. Absent while it has room. */
  #room: Promise<void> | undefined
  /** The last place that was handed over. Two numbers, as it moves with every batch of every reader. */
  #epoch: Epoch
  #seq: number
  #live: number
  #state: 'open' | 'ended' | 'gone' = 'open'
  /** What is left of a record that is handed over in pieces: nothing may come between, not even a sign of life. */
  #rest: Uint8Array | undefined
  readonly #uptake: Uptake
  #beforeEnd: (() => Promise<void>) | undefined
  /** Whether something was said since the last look, and when the last look found that it was. */
  #spoke = true
  #spokeAt: number
  /** What was the run's last seq when somebody last looked, and when that was. Kept while something is held up. */
  #mark: { readonly seq: number; readonly at: number } | undefined

  constructor(reading: Reading, sink: Sink, context: ReaderContext) {
    this.#reading = reading
    this.#sink = sink
    this.#context = context
    this.#epoch = reading.cursor.epoch
    this.#seq = reading.cursor.seq
    this.#live = reading.live
    this.#spokeAt = context.clock.now()
    this.#uptake = new Uptake(this.#spokeAt)
  }

  /** Handed over, or to be handed over next, and not taken yet. */
  get pendingBytes(): number {
    return this.#sink.pending + (this.#rest?.length ?? 0)
  }

  /** Aborts when the reading is over, or its connection. */
  get signal(): AbortSignal {
    return this.#reading.stop.signal
  }

  /** Delivers `opening`, and then the run, until that or the connection ends. */
  follow(opening: Uint8Array): void {
    this.#offer(opening)
    void this.#deliver()
  }

  /** Ends the connection, not the run, and says where to read on. */
  close(reason: string): void {
    this.#leave({ type: 'closing', reason, cursor: this.#cursor() }, 'closed')
  }

  /** What the end mark waits for, once the run has ended and all of it was handed over. It must not reject. */
  beforeEnd(settle: () => Promise<void>): void {
    this.#beforeEnd = settle
  }

  /** Says something to this reader alone, between two records of the run, once its connection has room for it. */
  async tell(body: ControlBody): Promise<void> {
    while (this.#held) await this.#waitForRoom()
    if (this.#state === 'open') this.#write(this.#control(body))
  }

  /** Cuts the connection; what it has not taken is lost to it. */
  cut(): void {
    this.#sink.destroy('shutting_down')
  }

  /** The connection is gone. */
  disconnect(): void {
    const { stop, onDisconnect } = this.#reading
    if (this.#state === 'open') {
      onDisconnect?.()
      this.#context.counts.disconnected++
    }
    this.#state = 'gone'
    this.#rest = undefined
    stop.abort()
  }

  /** Ends without a word: what is to be said stands on the connection that this reader shares with others. */
  drop(ending: Ending): void {
    if (this.#state !== 'open') return
    const { stop, onDisconnect } = this.#reading
    onDisconnect?.()
    this.#state = 'ended'
    this.#rest = undefined
    this.#context.counts[ending]++
    stop.abort()
  }

  /** Called every `tickMs`: gives a sign of life where there was silence, and an end where nothing is taken. */
  check(now: number, tickMs: number): void {
    const { limits } = this.#context
    const lapsed = this.#reading.lapse?.(now)
    if (lapsed !== undefined) this.close(lapsed)
    if (this.#uptake.stalledMs(this.#sink, now) >= limits.stallMs) return this.#overflow(now)
    if (this.#reading.lagBound) this.#lookBehind(now)
    if (this.#spoke) {
      this.#spoke = false
      this.#spokeAt = now
    }
    // The next look may come a tick later, and what was said may have been said a tick before it was noticed.
    const silent = now - this.#spokeAt > limits.heartbeatMs - 2 * tickMs
    if (silent && this.#sink.pending === 0 && !this.#rest && this.#state === 'open') {
      this.#write(this.#control({ type: 'heartbeat' }))
    }
  }

  /** Never rejects. */
  async #deliver(): Promise<void> {
    const { records, run } = this.#reading
    try {
      do {
        // Hardly ever so; an `await` without need would cost each reader of each batch a turn.
        if (this.#rest || this.#sink.full) await this.#waitForRoom()
        // What `next` gives must not rest in a variable here: the frame of a waiting function keeps it alive.
      } while (this.#state === 'open' && this.#hand(await records.next()))
      if (this.#state === 'open') await this.#finish()
    } catch (thrown) {
      this.#report('error', 'reader_failed', `reading run ${run.id} failed`, thrown)
      this.#leave({ type: 'closing', reason: toRunletError(thrown).reason, cursor: this.#cursor() }, 'failed')
    } finally {
      // Left in the middle, a log that reads ahead would not notice `stop` before it is asked again.
      await records.return?.().catch(() => {})
    }
  }

  /** False if there was nothing more to hand over. */
  #hand({ done, value: record }: IteratorResult<Batch | Gap>): boolean {
    if (done === true || this.#state !== 'open') return false
    if (record.type === 'gap') {
      this.#offer(this.#control({ type: 'gap', from: record.from, to: record.to, reason: record.reason }))
      this.#seq = record.to
    } else {
      this.#offer(this.#reading.encoder.batch(record))
      this.#epoch = record.epoch
      this.#seq = record.last
    }
    return true
  }

  #offer(bytes: Uint8Array): void {
    const { maxPendingBytes } = this.#context.limits
    if (bytes.length <= maxPendingBytes) return this.#write(bytes)
    this.#write(bytes.subarray(0, maxPendingBytes))
    this.#rest = bytes.subarray(maxPendingBytes)
  }

  /** Has more than its connection takes at the moment. */
  get #held(): boolean {
    return this.#state === 'open' && (this.#rest !== undefined || this.#sink.full)
  }

  /** One wait for all who need room: a sink can be asked by one at a time. */
  #waitForRoom(): Promise<void> {
    return (this.#room ??= this.#catchUp().finally(() => (this.#room = undefined)))
  }

  /** Waits until the connection has taken what it was given, piece after piece. */
  async #catchUp(): Promise<void> {
    while (this.#held) {
      await this.#sink.drained()
      const rest = this.#rest
      this.#rest = undefined
      if (rest) this.#offer(rest)
    }
    if (this.#state !== 'open') return
    if (this.#reading.lagBound) await this.#judgeLag(this.#reading.lagBound)
    if (this.#state === 'open' && this.#seq >= this.#live) await this.#tellLag()
  }

  /** Judges a reader that waits for room. One that has taken all is not held up, however much may come this moment. */
  #lookBehind(now: number): void {
    const { lagBound, run } = this.#reading
    if (this.pendingBytes === 0) this.#mark = undefined
    else if (lagBound && this.#state === 'open') {
      this.#judgeLag(lagBound, now).catch((thrown: unknown) => {
        this.#report('warning', 'lag_unknown', `how far a reader of run ${run.id} is behind could not be read`, thrown)
      })
    }
  }

  /** Closes a reader that was live and is further behind than its bound. */
  async #judgeLag({ maxLagEvents, maxLagMs }: LagBound, now: number = this.#context.clock.now()): Promise<void> {
    const { run, live } = this.#reading
    if (this.#seq < live) return
    const { cursor } = await run.header()
    if (this.#state !== 'open') return
    if (!this.#mark || this.#seq >= this.#mark.seq) this.#mark = { seq: cursor.seq, at: now }
    const events = cursor.seq - this.#seq
    const late = events > 0 && now - this.#mark.at > maxLagMs
    if (events <= maxLagEvents && !late) return
    this.#report('warning', 'reader_lagging', `a reader of run ${run.id} is ${events} events behind and is closed`)
    this.#leave({ type: 'overflow', reason: 'lagging', cursor: this.#cursor() }, 'lagged')
  }

  /** Once for each time that a reader was live, and was then held up for so long that it has to catch up. */
  async #tellLag(): Promise<void> {
    const { run } = this.#reading
    const { cursor } = await run.header()
    const events = cursor.seq - this.#seq
    if (events <= this.#context.limits.lagEvents || this.#state !== 'open') return
    this.#live = cursor.seq
    this.#write(this.#control({ type: 'lag', events, cursor: this.#cursor() }))
    this.#context.counts.lags++
    this.#report('info', 'reader_lag', `a reader of run ${run.id} is ${events} events behind`)
  }

  /** The log has no more: because the run ended, or because the log did. */
  async #finish(): Promise<void> {
    const { status, cursor } = await this.#reading.run.header()
    if (this.#state !== 'open') return
    if (status === 'running' || cursor.seq !== this.#seq) return this.close('log_closed')
    await this.#beforeEnd?.()
    // Meanwhile the connection may have ended.
    if (!this.#isOpen()) return
    this.#write(this.#reading.encoder.end())
    this.#end('ended')
  }

  #overflow(now: number): void {
    // It was told before, and did not even take that.
    if (this.#state !== 'open') return this.#sink.destroy('slow_consumer')
    const { run, onDisconnect } = this.#reading
    const seconds = this.#context.limits.stallMs / 1000
    this.#report('warning', 'slow_consumer', `a reader of run ${run.id} took nothing for ${seconds} s and is closed`)
    onDisconnect?.()
    // To take what it was given, and the reason, it has as long again.
    this.#uptake.forgive(now)
    this.#leave({ type: 'overflow', reason: 'slow_consumer', cursor: this.#cursor() }, 'overflowed')
  }

  #leave(body: ControlBody, ending: Ending): void {
    if (this.#state !== 'open') return
    if (!this.#rest) {
      this.#write(this.#control(body))
      return this.#end(ending)
    }
    // Behind half a record nothing can be said, and a clean end would be a lie; a cut is not.
    this.#state = 'ended'
    this.#context.counts[ending]++
    this.#sink.destroy('reason' in body ? body.reason : ending)
  }

  #end(ending: Ending): void {
    this.#state = 'ended'
    this.#context.counts[ending]++
    this.#reading.stop.abort()
    this.#sink.end()
  }

  #write(bytes: Uint8Array): void {
    if (bytes.length === 0) return
    this.#sink.write(bytes)
    this.#uptake.give(bytes.length)
    this.#spoke = true
  }

  #isOpen(): boolean {
    return this.#state === 'open'
  }

  #cursor(): Cursor {
    return { epoch: this.#epoch, seq: this.#seq }
  }

  #control(body: ControlBody): Uint8Array {
    return this.#reading.encoder.control({ ...body, ts: this.#context.clock.now() })
  }

  #report(level: Diagnostic['level'], code: string, message: string, cause?: unknown): void {
    const { id } = this.#reading.run
    this.#context.onDiagnostic({ level, code, message, run_id: id, ...(cause === undefined ? {} : { cause }) })
  }
}
