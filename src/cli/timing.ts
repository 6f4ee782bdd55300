import type { Entry } from '../core/event.ts'
import { isTerminal } from '../core/event.ts'

/** How fast an answer came, by the clock of the process that made it. */
export interface Timing {
  /** From the start of the run to the first piece of text or thought. */
  readonly first_token_ms?: number
  /**
   * Output tokens after the first, over the time from the first piece to the last. Absent if that is too short to
   * tell, and if the tokens are only estimated.
   */
  readonly tokens_per_second?: number
}

/** Takes the times of a run from its entries, in order. */
export interface Stopwatch {
  add(entries: readonly Entry[]): void
  readonly timing: Timing
}

/** Shorter than this, the time between two pieces says nothing about speed. */
const LEAST_MS = 50

export function stopwatch(): Stopwatch {
  let started: number | undefined
  let first: number | undefined
  let last = 0
  let tokens: number | undefined
  return {
    add(entries) {
      for (const { ts, event } of entries) {
        started ??= ts
        if (event.type === 'text.delta' || event.type === 'reasoning.delta') {
          first ??= ts
          last = ts
        } else if (isTerminal(event) && event.usage?.accuracy === 'exact') tokens = event.usage.output_tokens
      }
    },
    get timing() {
      if (started === undefined || first === undefined) return {}
      const spokeMs = last - first
      return {
        first_token_ms: first - started,
        ...(tokens && spokeMs >= LEAST_MS
          ? { tokens_per_second: Math.round(((tokens - 1) / spokeMs) * 10_000) / 10 }
          : {}),
      }
    },
  }
}
