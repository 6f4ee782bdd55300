import type { Sink } from './sink.ts'

/** Watches whether the other side of a connection takes what it is given. A class, as there is one for each reader. */
export class Uptake {
  /** Bytes handed over. */
  #given = 0
  /** Bytes that had been taken when last looked at, and since when no more were. */
  #taken = 0
  #since: number

  constructor(now: number) {
    this.#since = now
  }

  give(bytes: number): void {
    this.#given += bytes
  }

  /** How long nothing has been taken of what is pending. Milliseconds; 0 where nothing is, or some was. */
  stalledMs({ pending }: Sink, now: number): number {
    const taken = this.#given - pending
    if (pending !== 0 && taken === this.#taken) return now - this.#since
    this.#taken = taken
    this.#since = now
    return 0
  }

  /** Begins to count anew: for its last words it has as long again. */
  forgive(now: number): void {
    this.#since = now
  }
}
