/** How late events come, told by two clocks that nobody has compared. */
export interface DelayMeter {
  /** Of the event that was measured last, in milliseconds. Undefined before the first. */
  readonly last: number | undefined
  /** `ts` is the server's time of an event, `now` ours when it came. Both in Unix milliseconds. */
  measure(ts: number, now: number): number
}

/**
 * The difference between our time and the event's is the delay and the difference of the clocks. The smallest one seen
 * belongs to the quickest event, so what exceeds it is how much later another one came. Clocks drift, a server may be
 * succeeded by one with another clock, and then a smaller difference takes over by itself.
 */
export function delayMeter(): DelayMeter {
  let least = Infinity
  let last: number | undefined
  return {
    get last() {
      return last
    },
    measure(ts, now) {
      least = Math.min(least, now - ts)
      return (last = now - ts - least)
    },
  }
}
