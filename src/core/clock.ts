/** Time as the rest of the code sees it, so that tests can turn it by hand (`testing/fake-clock.ts`). */
export interface Clock {
  /** Unix time in milliseconds. */
  now(): number
  /** Calls back once, after at least `ms` milliseconds. Returns the way to call it off. */
  after(ms: number, callback: () => void): CancelTimer
}

/** Calls a timer off. Doing it twice, or after it fired, does nothing. */
export type CancelTimer = () => void

/** The machine's own clock. Its timers keep the process alive. */
export const systemClock: Clock = {
  now: Date.now,
  after(ms, callback) {
    const timer = setTimeout(callback, ms)
    return () => clearTimeout(timer)
  },
}

/** Resolves after `ms` milliseconds; rejects with the signal's reason as soon as it aborts. */
export function sleep(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason)
    const onAbort = () => {
      cancel()
      reject(signal?.reason)
    }
    const cancel = clock.after(ms, () => {
      signal?.removeEventListener('abort', onAbort)
      resolve()
    })
    signal?.addEventListener('abort', onAbort, { once: true })
  })
}
