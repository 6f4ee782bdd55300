import type { Epoch } from './cursor.ts'
import type { Entry, RunId } from './event.ts'
import { lineOf, parseLine } from './line.ts'

/**
 * Entries of one run that were appended together: the unit in which everything moves. Immutable; what is derived
 * from it (its lines, its entries, a format's encoding) is made on first use and shared by every reader. Who keeps
 * batches for long can `condense` them: then only the lines are held, and the rest is made again for who asks.
 */
export class Batch {
  readonly type = 'batch'
  readonly run: RunId
  readonly epoch: Epoch
  /** Seq of the first entry. */
  readonly first: number
  /** Seq of the last entry. */
  readonly last: number
  #entries: readonly Entry[] | undefined
  #lines: string | undefined
  #encodings: Map<string, Uint8Array> | undefined
  /** Of a condensed batch: its encodings, as long as there is room. */
  #loose: WeakRef<Map<string, Uint8Array>> | undefined
  #condensed = false

  private constructor(place: BatchPlace, entries: readonly Entry[] | undefined, lines: string | undefined) {
    this.run = place.run
    this.epoch = place.epoch
    this.first = place.first
    this.last = place.last
    this.#entries = entries
    this.#lines = lines
  }

  /** A batch that was just made. `entries` are contiguous, at least one. */
  static of(run: RunId, epoch: Epoch, entries: readonly Entry[]): Batch {
    const first = entries[0]!.seq
    return new Batch({ run, epoch, first, last: first + entries.length - 1 }, entries, undefined)
  }

  /** A batch read back from a store, as the lines that `lines` gave. */
  static stored(place: BatchPlace, lines: string): Batch {
    return new Batch(place, undefined, lines)
  }

  /** Neighbours of one epoch, as one condensed batch. At least one, in order, without a hole. */
  static joined(batches: readonly Batch[]): Batch {
    const { run, epoch, first } = batches[0]!
    let lines = ''
    for (const batch of batches) lines += batch.lines
    // Searching makes one string of the chain of pieces, which can then be let go.
    lines.indexOf('\n')
    const joined = new Batch({ run, epoch, first, last: batches.at(-1)!.last }, undefined, lines)
    joined.#condensed = true
    return joined
  }

  get entries(): readonly Entry[] {
    if (this.#entries) return this.#entries
    const entries = this.#lines!.split('\n').slice(0, -1).map(parseLine)
    if (!this.#condensed) this.#entries = entries
    return entries
  }

  /** The entries as stored: one line each, each ended by LF. */
  get lines(): string {
    if (this.#lines === undefined) {
      let lines = ''
      for (const entry of this.#entries!) lines += `${lineOf(entry)}\n`
      this.#lines = lines
    }
    return this.#lines
  }

  /** The bytes that `encode` makes of this batch, made once per `key` for all readers. */
  encoded(key: string, encode: (batch: Batch) => Uint8Array): Uint8Array {
    let encodings = this.#encodings ?? this.#loose?.deref()
    const known = encodings?.get(key)
    if (known) return known
    const bytes = encode(this)
    if (!encodings) {
      encodings = new Map()
      if (this.#condensed) this.#loose = new WeakRef(encodings)
      else this.#encodings = encodings
    }
    encodings.set(key, bytes)
    return bytes
  }

  /** Lets go of all that can be made again from the lines. */
  condense(): void {
    if (this.#condensed) return
    this.#lines = this.lines
    this.#condensed = true
    this.#entries = undefined
    this.#encodings = undefined
  }

  /** The part after `seq`, which lies inside this batch: what a reader gets whose cursor is not at a border. */
  after(seq: number): Batch {
    const { run, epoch } = this
    return Batch.of(run, epoch, this.entries.slice(seq - this.first + 1))
  }
}

/** Where a batch stands: its run, who wrote it, and the seq of its first and last entry. */
export interface BatchPlace {
  readonly run: RunId
  readonly epoch: Epoch
  readonly first: number
  readonly last: number
}
