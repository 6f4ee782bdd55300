import { Batch } from '../core/batch.ts'
import type { RunletError } from '../core/error.ts'
import type { RunId } from '../core/event.ts'

/** Someone who waits for what comes next in a run. Each call ends the waiting. */
export interface Waiter {
  /** There is more; where it is one batch, here it is. All waiters of a run get the same object. */
  wake(next?: IteratorYieldResult<Batch>): void
  /** No more will come. */
  end(): void
  fail(error: RunletError): void
}

/** So many batches are kept whatever their size: readers that are serving the last one do not fall behind for that. */
const LATEST_BATCHES = 4

/**
 * So many are kept as they are, with what was made of them; older ones are condensed. Readers that wait are handed the
 * batch itself, and a thousand runs at the pace of a model are mostly tails.
 */
const WHOLE_BATCHES = 4

/** A log that keeps everything joins condensed batches, up to so many of so many characters: most runs come a token at a time. */
const JOINED_BATCHES = 64
const JOINED_CHARS = 16 << 10

/**
 * The growing end of one run: its latest batches, and those who wait for more. It hands out what it has and forgets
 * the oldest beyond `maxChars` of lines; a reader that needs those goes to the store. Waiting costs a set entry, being
 * behind costs nothing.
 */
export class LiveRun {
  readonly run: RunId
  /** Seq of the last entry that readers may have. */
  last: number
  /** Seq of the last entry that the store has, too. What lies behind it is not forgotten here. */
  stored: number
  /** True once nothing will follow `last`. */
  ended = false
  /** Why nothing will follow, if not because the run ended. */
  error: RunletError | undefined
  readonly #maxChars: number
  #chars = 0
  #tail: (Batch | undefined)[] = []
  /** Index of the oldest batch in `#tail` that is still kept. */
  #oldest = 0
  /** Index of the oldest batch that is not joined with others. */
  #loose = 0
  #looseChars = 0
  readonly #waiting = new Set<Waiter>()

  constructor(run: RunId, last: number, maxChars: number) {
    this.run = run
    this.last = last
    this.stored = last
    this.#maxChars = maxChars
  }

  /** How many wait. */
  get waiting(): number {
    return this.#waiting.size
  }

  /** The batches that are kept, oldest first. */
  get batches(): readonly Batch[] {
    return this.#tail.slice(this.#oldest) as Batch[]
  }

  /** Makes a batch, which follows `last`, visible to all readers, and wakes those who wait. */
  publish(batch: Batch, { stored = true, ended = false } = {}): void {
    this.#tail.push(batch)
    this.#condense()
    // Making the lines costs time and space, which a log that keeps everything can leave to those who read them.
    if (this.#maxChars !== Infinity) this.#chars += batch.lines.length
    this.last = batch.last
    if (stored) this.stored = batch.last
    this.ended = ended
    this.#forget()
    const next: IteratorYieldResult<Batch> = { done: false, value: batch }
    this.#release((waiter) => waiter.wake(next))
  }

  /** The store has more than is kept here: readers go there for it. */
  advance(last: number): void {
    if (last <= this.last) return
    this.clear()
    this.last = last
    this.stored = last
    this.stir()
  }

  /** Has those who wait look again where this run stands. */
  stir(): void {
    this.#release((waiter) => waiter.wake())
  }

  /** Says that the store has what was published up to `seq`. */
  settle(seq: number): void {
    this.stored = seq
    this.#forget()
  }

  /** The batch that holds entry `seq`, if it is still kept. */
  find(seq: number): Batch | undefined {
    const tail = this.#tail
    let low = this.#oldest
    let high = tail.length - 1
    if (low > high || seq < tail[low]!.first || seq > tail[high]!.last) return undefined
    while (low < high) {
      const middle = (low + high + 1) >>> 1
      if (tail[middle]!.first <= seq) low = middle
      else high = middle - 1
    }
    return tail[low]
  }

  wait(waiter: Waiter): void {
    this.#waiting.add(waiter)
  }

  leave(waiter: Waiter): void {
    this.#waiting.delete(waiter)
  }

  end(): void {
    this.ended = true
    this.#release((waiter) => waiter.end())
  }

  /** Nothing more will come, for this reason; readers are told once they have read what there is. */
  fail(error: RunletError): void {
    this.error = error
    this.#release((waiter) => waiter.fail(error))
  }

  /** Ends the waiting of some, and leaves the run as it is. */
  dismiss(which: (waiter: Waiter) => boolean): void {
    for (const waiter of this.#waiting) {
      if (!which(waiter)) continue
      this.#waiting.delete(waiter)
      waiter.end()
    }
  }

  /** Forgets all batches. */
  clear(): void {
    this.#tail = []
    this.#oldest = 0
    this.#loose = 0
    this.#looseChars = 0
    this.#chars = 0
  }

  /** A waiter may come back to wait while it is told. */
  #release(tell: (waiter: Waiter) => void): void {
    if (this.#waiting.size === 0) return
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const waiter of waiting) tell(waiter)
  }

  /** What is not the latest is kept in less space. */
  #condense(): void {
    const tail = this.#tail
    const next = tail.length - WHOLE_BATCHES - 1
    const batch = tail[next]
    if (!batch) return
    batch.condense()
    if (this.#maxChars !== Infinity) return
    this.#looseChars += batch.lines.length
    const from = this.#loose
    // What is joined has one epoch, and is no larger than what a store would give at once.
    const whole = this.#looseChars > JOINED_CHARS || next + 1 - from >= JOINED_BATCHES
    if (!whole && batch.epoch === tail[from]!.epoch) return
    if (next - from > 1) tail.splice(from, next - from, Batch.joined(tail.slice(from, next) as Batch[]))
    this.#loose = next === from ? from + 1 : tail.indexOf(batch, from)
    this.#looseChars = next === from ? 0 : batch.lines.length
  }

  #forget(): void {
    const tail = this.#tail
    while (
      this.#chars > this.#maxChars &&
      tail.length - this.#oldest > LATEST_BATCHES &&
      tail[this.#oldest]!.last <= this.stored
    ) {
      this.#chars -= tail[this.#oldest]!.lines.length
      tail[this.#oldest++] = undefined
    }
    // Moving the rest down costs as much as it frees, so only now and then.
    if (this.#oldest > 16 && this.#oldest * 2 > tail.length) {
      this.#tail = tail.slice(this.#oldest)
      this.#oldest = 0
    }
  }
}
