/** Text that comes in bursts goes out at an even pace. */
import type { CancelTimer, Clock } from '../core/clock.ts'
import { systemClock } from '../core/clock.ts'
import { safeCut } from './text-cut.ts'

/** When text is handed on. */
export interface SmoothOptions {
  /** So many characters go out together, if they are there. UTF-16 units. Default 10. */
  readonly minChars?: number
  /** Fewer than that wait so long for more. Milliseconds. Default 50. */
  readonly intervalMs?: number
  /** Longest that any character waits, as far as the clock's timers are on time. Milliseconds. Default 100. */
  readonly maxDelayMs?: number
  /** Most that waits. UTF-16 units. Default 1 Mi. `push` says what happens at the limit. */
  readonly maxChars?: number
  /** Default: the machine's. */
  readonly clock?: Clock
  /** Told what a listener threw. The others get the text all the same. Default: nothing is done with it. */
  readonly onError?: (thrown: unknown) => void
}

/**
 * What became of a pushed text. `held`: it goes out at its pace. `flushed`: it was too much to be paced, and all that
 * waited went out at once, in order. `refused`: nobody listens, and as much waits as may: it was not taken, and what waits
 * is as it was.
 */
export type SmoothPush = 'held' | 'flushed' | 'refused'

/** A buffer between what comes as it comes and what is shown evenly. Nothing is lost and nothing is reordered. */
export interface Smooth {
  push(text: string): SmoothPush
  /** Hands on all that waits, at once. Do so at the end, and before something is shown that is no text. */
  flush(): void
  /** Forgets what waits, as after a `step.reset`. */
  clear(): void
  /** Text goes to every listener, until it is called off. While there is none, it waits. */
  subscribe(listener: (text: string) => void): () => void
  /** What waits. UTF-16 units. */
  readonly size: number
  /** Flushes, and ends all subscriptions and timers. What is pushed later is refused. */
  close(): void
}

/**
 * Hands text on in small, frequent pieces. Ten characters go out when they are there, at most every 20 ms (0.4 of
 * `intervalMs`); fewer wait up to 50 ms for more. A burst is spread over what is left of its 100 ms, in pieces that grow
 * with what waits. No piece ends inside a surrogate pair, nor, where the engine can tell (`Intl.Segmenter`), inside what a
 * reader sees as one character, unless it is all there is.
 */
export function smooth(options: SmoothOptions = {}): Smooth {
  const { minChars = 10, intervalMs = 50, maxDelayMs = 100, maxChars = 1 << 20, clock = systemClock, onError } = options
  const quickMs = Math.max(1, Math.min(intervalMs, maxDelayMs) * 0.4)
  const listeners = new Set<(text: string) => void>()
  let waiting = ''
  /** Characters that went out before `waiting`. */
  let gone = 0
  let bursts: Burst[] = []
  let timer: { readonly at: number; readonly cancel: CancelTimer } | undefined
  let closed = false

  /** The next piece: soon if there is enough for one, or something is late; else when it has waited for more. */
  function schedule(): void {
    const [oldest] = bursts
    if (!oldest || listeners.size === 0) return
    const now = clock.now()
    const soonest = now + quickMs
    const wanted = waiting.length < minChars ? Math.max(soonest, oldest.due - maxDelayMs + intervalMs) : soonest
    const at = Math.min(wanted, Math.max(now, oldest.due))
    if (timer && timer.at <= at) return
    stopTimer()
    const cancel = clock.after(at - now, () => {
      timer = undefined
      give(portion())
      schedule()
    })
    timer = { at, cancel }
  }

  /** How much has to go out, so that each burst is out in time if the same is done at each of the next moments. */
  function portion(): number {
    const now = clock.now()
    let least = minChars
    for (const { end, due } of bursts) {
      const moments = Math.max(1, Math.floor((due - now) / quickMs))
      least = Math.max(least, Math.ceil((end - gone) / moments))
    }
    return safeCut(waiting, least)
  }

  function give(count: number): void {
    const piece = waiting.slice(0, count)
    drop(count)
    for (const listener of listeners) {
      try {
        if (piece !== '') listener(piece)
      } catch (thrown) {
        onError?.(thrown)
      }
    }
  }

  function drop(count: number): void {
    waiting = waiting.slice(count)
    gone += count
    bursts = bursts.filter(({ end }) => end > gone)
    if (waiting === '') stopTimer()
  }

  function stopTimer(): void {
    timer?.cancel()
    timer = undefined
  }

  function flush(): void {
    if (listeners.size > 0) give(waiting.length)
  }

  return {
    push(text) {
      const full = waiting.length + text.length > maxChars
      if (closed || (full && listeners.size === 0)) return 'refused'
      waiting += text
      if (full) {
        flush()
        return 'flushed'
      }
      const end = gone + waiting.length
      const due = clock.now() + maxDelayMs
      const last = bursts.at(-1)
      // Bursts that come close together are one, due as the first of them.
      if (last && due - last.due < quickMs / 4) last.end = end
      else if (text !== '') bursts.push({ end, due })
      schedule()
      return 'held'
    },
    flush,
    clear: () => drop(waiting.length),
    subscribe(listener) {
      // A function of its own, since one listener may be given twice.
      const own = (text: string) => listener(text)
      if (!closed) listeners.add(own)
      schedule()
      return () => {
        listeners.delete(own)
        if (listeners.size === 0) stopTimer()
      }
    },
    get size() {
      return waiting.length
    },
    close() {
      flush()
      closed = true
      listeners.clear()
      stopTimer()
    },
  }
}

/** Text that came together, and when the last of it has to be out. */
interface Burst {
  /** Counted over all that was ever pushed: where this one ends. */
  end: number
  readonly due: number
}
