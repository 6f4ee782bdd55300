/** How much was used in the last minute, of something of which at most `limit` may be used in any minute. */
export interface RateWindow {
  /** Milliseconds until `amount` more may be used; 0 if it may be at once. More than the whole limit waits for all of it. */
  waitMs(amount: number, now: number): number
  /** Counts `amount` as used. What is given back later is taken off this use. */
  use(amount: number, now: number): Use
}

/** One use; its amount may be corrected as long as it counts. */
export interface Use {
  /** Unix time in milliseconds from which it no longer counts. */
  readonly until: number
  amount: number
}

const MINUTE_MS = 60_000
/** Uses of so many milliseconds are counted as one, as of the last of them: a minute is 600 numbers, however busy. */
const SLICE_MS = 100

/** A sliding window: whatever the minute begins with, no more than `limit` lies in it. */
export function rateWindow(limit: number): RateWindow {
  const uses: Use[] = []

  function forget(now: number): void {
    while (uses.length > 0 && uses[0]!.until <= now) uses.shift()
  }

  return {
    waitMs(amount, now) {
      forget(now)
      let over = uses.reduce((sum, use) => sum + use.amount, 0) + Math.min(amount, limit) - limit
      if (over <= 0) return 0
      for (const use of uses) {
        over -= use.amount
        if (over <= 0) return use.until - now
      }
      return MINUTE_MS
    },
    use(amount, now) {
      forget(now)
      const until = (Math.floor(now / SLICE_MS) + 1) * SLICE_MS + MINUTE_MS
      const last = uses.at(-1)
      if (last?.until === until) {
        last.amount += amount
        return last
      }
      const use = { until, amount }
      uses.push(use)
      return use
    },
  }
}
