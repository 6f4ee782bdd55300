import type { Batch } from '../core/batch.ts'
import type { Cursor, Extent } from '../core/cursor.ts'
import { checkCursor, epochAt, START } from '../core/cursor.ts'
import type { RunletError } from '../core/error.ts'
import type { RunId } from '../core/event.ts'
import type { Gap, ReadOptions } from '../core/log.ts'
import type { LiveRun, Waiter } from './live.ts'

/** What a reader pulls from. */
export interface ReadSource {
  /** Once true, all reading ends. */
  readonly closed: boolean
  /** Judges the cursor, and says where the run stands. Throws as `Log.read`. */
  open(run: RunId, after: Cursor): Standing
  /**
   * Some of what is stored behind `after` and not behind `to`, in order: about 64 KiB, at least one record. Missing
   * or damaged entries are gaps. Throws when retention took them.
   */
  step(run: RunId, after: number, to: number): readonly (Batch | Gap)[]
  /** Called before a reader waits: gives what to wait on, brought up to date. */
  settle(live: LiveRun): LiveRun
}

export interface Standing {
  /** Seq of the last entry that readers may have. */
  readonly last: number
  /** Absent if the run has ended. */
  readonly live?: LiveRun
}

/**
 * One reading of one run: a cursor, and nothing else while the reader is slow. Batches come from the run's tail,
 * shared with all its readers; further back they come from the store, one step at a time, each in a turn of the loop
 * of its own so that a long history does not hold everyone else up.
 *
 * Written by hand instead of as a generator: with a thousand readers on a run, what a waiting reader costs per batch
 * is what the run costs.
 */
export class RunReader implements AsyncIterableIterator<Batch | Gap>, Waiter {
  readonly source: ReadSource
  readonly #run: RunId
  readonly #options: ReadOptions
  #state: 'new' | 'open' | 'done' = 'new'
  /** Seq of the last entry handed out. */
  #seq = 0
  /** Where a reading without `follow` ends. */
  #to: number | undefined
  #live: LiveRun | undefined
  /** What was read from the store and not handed out yet, and how far that has come. */
  #step = NOTHING
  #taken = 0
  #stepped = false
  #turn: NodeJS.Immediate | undefined
  /** The call of `next` that waits, and the last of those that were made before it was answered. */
  #waiting: Promise<IteratorResult<Batch | Gap>> | undefined
  #behind: Promise<IteratorResult<Batch | Gap>> | undefined
  #resolve: ((result: IteratorResult<Batch | Gap> | Promise<IteratorResult<Batch | Gap>>) => void) | undefined
  #reject: ((error: unknown) => void) | undefined

  constructor(source: ReadSource, run: RunId, options: ReadOptions) {
    this.source = source
    this.#run = run
    this.#options = options
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  next(): Promise<IteratorResult<Batch | Gap>> {
    const before = this.#behind ?? this.#waiting
    if (!before) return this.#next()
    const again = () => this.#next()
    const turn = before.then(again, again)
    const over = () => {
      if (this.#behind === turn) this.#behind = undefined
    }
    this.#behind = turn
    turn.then(over, over)
    return turn
  }

  return(): Promise<IteratorResult<Batch | Gap>> {
    this.end()
    return Promise.resolve(DONE)
  }

  wake(next?: IteratorYieldResult<Batch>): void {
    if (next?.value.first !== this.#seq + 1) return this.#resume()
    this.#seq = next.value.last
    this.#answer(next)
  }

  end(): void {
    this.#finish()
    this.#answer(DONE)
  }

  fail(error: RunletError): void {
    this.#finish()
    this.#refuse(error)
  }

  #next(): Promise<IteratorResult<Batch | Gap>> {
    try {
      return this.#pull()
    } catch (error) {
      this.#finish()
      return Promise.reject(error)
    }
  }

  #pull(): Promise<IteratorResult<Batch | Gap>> {
    if (this.#state === 'new') this.#open()
    if (this.#state === 'done') return Promise.resolve(DONE)
    if (this.source.closed) return this.return()
    for (;;) {
      if (this.#step !== NOTHING) return this.#give(this.#nextOfStep())
      const live = this.#live
      const to = this.#to ?? live!.last
      if (this.#seq < to) {
        const batch = live?.find(this.#seq + 1)
        if (batch) return this.#give(batch.first === this.#seq + 1 ? batch : batch.after(this.#seq))
        // What is not in the tail is stored; the store may not have all of the tail yet.
        const stored = Math.min(to, live?.stored ?? to)
        if (this.#stepped) return this.#wait(() => (this.#turn = setImmediate(() => this.#readStep(stored))))
        this.#load(stored)
      } else if (this.#to !== undefined || live!.ended) {
        return this.return()
      } else if (live!.error) {
        throw live!.error
      } else {
        const current = this.source.settle(live!)
        this.#live = current
        if (current.last <= this.#seq && !current.ended && !current.error) return this.#wait(() => current.wait(this))
      }
    }
  }

  #open(): void {
    const { after = START, follow = false, signal } = this.#options
    if (signal?.aborted || this.source.closed) return this.#finish()
    const { last, live } = this.source.open(this.#run, after)
    this.#state = 'open'
    this.#seq = after.seq
    this.#live = live
    if (!follow || !live) this.#to = last
    signal?.addEventListener('abort', this.#abort, { once: true })
  }

  readonly #abort = () => this.end()

  #load(to: number): void {
    this.#step = this.source.step(this.#run, this.#seq, to)
    this.#taken = 0
    this.#stepped = true
  }

  /** The last one takes the step with it, so that a reader that rests there holds nothing. */
  #nextOfStep(): Batch | Gap {
    const record = this.#step[this.#taken++]!
    if (this.#taken === this.#step.length) this.#step = NOTHING
    return record
  }

  #readStep(to: number): void {
    this.#turn = undefined
    try {
      if (!this.source.closed) this.#load(to)
    } catch (error) {
      this.#finish()
      return this.#refuse(error)
    }
    this.#resume()
  }

  #give(record: Batch | Gap): Promise<IteratorResult<Batch | Gap>> {
    this.#seq = record.type === 'gap' ? record.to : record.last
    return Promise.resolve({ done: false, value: record })
  }

  #wait(begin: () => void): Promise<IteratorResult<Batch | Gap>> {
    this.#waiting = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    begin()
    return this.#waiting
  }

  /** Answers the waiting call with whatever the next pull gives. */
  #resume(): void {
    const answer = this.#resolve
    this.#forgetCall()
    answer?.(this.#next())
  }

  #answer(result: IteratorResult<Batch | Gap>): void {
    const answer = this.#resolve
    this.#forgetCall()
    answer?.(result)
  }

  #refuse(error: unknown): void {
    const refuse = this.#reject
    this.#forgetCall()
    refuse?.(error)
  }

  #forgetCall(): void {
    this.#waiting = this.#resolve = this.#reject = undefined
  }

  #finish(): void {
    this.#state = 'done'
    this.#options.signal?.removeEventListener('abort', this.#abort)
    if (this.#turn) clearImmediate(this.#turn)
    this.#live?.leave(this)
    this.#step = NOTHING
    this.#live = this.#turn = undefined
  }
}

const NOTHING: readonly (Batch | Gap)[] = []
const DONE: IteratorReturnResult<undefined> = Object.freeze({ done: true, value: undefined })

/** Throws `cursor_expired` if retention took what follows `seq` while somebody was reading. */
export function checkKept(extent: Extent, seq: number): void {
  checkCursor({ epoch: epochAt(extent, seq), seq }, extent)
}
