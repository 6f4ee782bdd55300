import type { Clock } from '../core/clock.ts'

/** Time that stands still until a test turns it. */
export interface FakeClock extends Clock {
  /**
   * Moves time on and calls back what falls due, in order, letting promises settle before, between and after. Never
   * waits on the real clock.
   */
  advance(ms: number): Promise<void>
  /** Timers that have neither fired nor been called off. */
  readonly pending: number
}

/** `start` is Unix time in milliseconds; the default is 2024-01-15T10:30:00Z, the time of the published examples. */
export function fakeClock(start = 1_705_314_600_000): FakeClock {
  let now = start
  let order = 0
  const timers = new Map<number, { at: number; callback: () => void }>()

  return {
    now: () => now,
    after(ms, callback) {
      const id = order++
      timers.set(id, { at: now + Math.max(0, ms), callback })
      return () => void timers.delete(id)
    },
    async advance(ms) {
      const until = now + ms
      await settled()
      for (;;) {
        const due = [...timers].filter(([, timer]) => timer.at <= until)
        const next = due.toSorted(([a, x], [b, y]) => x.at - y.at || a - b)[0]
        if (!next) break
        timers.delete(next[0])
        now = Math.max(now, next[1].at)
        next[1].callback()
        await settled()
      }
      now = until
      await settled()
    },
    get pending() {
      return timers.size
    },
  }
}

/** Lets everything that is ready to run do so: several turns of the loop, since promises may hop through I/O callbacks. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise<void>((resolve) => void setImmediate(resolve))
}
