import type { CancelTimer, Clock } from '../core/clock.ts'

/** Wakes many callers with few timers: all that are due in the same millisecond share one. */
export interface Ticker {
  now(): number
  /** Calls back once, at Unix time `time` (milliseconds, rounded up) or later. It cannot be called off. */
  at(time: number, callback: () => void): void
  /** Calls off everything. */
  close(): void
}

export function ticker(clock: Clock): Ticker {
  const slots = new Map<number, { readonly callbacks: (() => void)[]; readonly cancel: CancelTimer }>()
  return {
    now: () => clock.now(),
    at(time, callback) {
      const slot = Math.ceil(time)
      const open = slots.get(slot)
      if (open) {
        open.callbacks.push(callback)
        return
      }
      const callbacks = [callback]
      const cancel = clock.after(Math.max(0, slot - clock.now()), () => {
        slots.delete(slot)
        for (const call of callbacks) call()
      })
      slots.set(slot, { callbacks, cancel })
    },
    close() {
      for (const { cancel } of slots.values()) cancel()
      slots.clear()
    },
  }
}
