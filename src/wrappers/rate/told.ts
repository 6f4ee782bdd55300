import type { Allowance } from '../../core/provider.ts'

/** What a provider told of one of its limits, and what was asked of it since. */
export interface ToldLimit {
  /** Milliseconds until the provider will take `amount` more, as far as it told; 0 if it told nothing. */
  waitMs(amount: number, now: number): number
  /** `amount` was asked for. Returns the mark to give back with what the answer tells. */
  ask(amount: number): number
  /** An answer told this. `mark` is of the request that it answers: what was asked later, the provider had not seen. */
  tell(allowance: Allowance, mark: number, now: number): void
}

export function toldLimit(): ToldLimit {
  let asked = 0
  let told: { readonly allowance: Allowance; readonly at: number; readonly mark: number } | undefined

  return {
    waitMs(amount, now) {
      if (!told) return 0
      const { remaining, resetMs, refillsTo } = told.allowance
      const elapsed = now - told.at
      if (elapsed >= resetMs) {
        told = undefined
        return 0
      }
      const missing = Math.min(amount, refillsTo ?? amount) - (remaining - (asked - told.mark))
      if (missing <= 0) return 0
      if (refillsTo === undefined) return resetMs - elapsed
      const perMs = (refillsTo - remaining) / resetMs
      return Math.min(Math.max(0, Math.ceil(missing / perMs) - elapsed), resetMs - elapsed)
    },
    ask(amount) {
      asked += amount
      return asked
    },
    tell(allowance, mark, now) {
      // An answer that comes late knows less than one that was asked for after it.
      if (!told || mark >= told.mark) told = { allowance, at: now, mark }
    },
  }
}
