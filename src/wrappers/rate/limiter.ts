import type { Clock } from '../../core/clock.ts'
import { RunletError } from '../../core/error.ts'
import type { ProviderLimits } from '../../core/provider.ts'
import { fairQueue } from './fair-queue.ts'
import { toldLimit } from './told.ts'
import { rateWindow, type Use } from './window.ts'

export interface LimiterOptions {
  readonly requestsPerMinute: number | undefined
  readonly tokensPerMinute: number | undefined
  readonly maxWaitMs: number
  readonly maxQueued: number
  readonly clock: Clock
}

/** Lets requests through as the limits allow, one session after the other. */
export interface Limiter {
  /** Its pass at once, if nobody waits and the limits allow it. Throws as `wait` does. */
  enter(wish: Wish): Pass | undefined
  /** Its pass when its turn comes. Rejects with `rate_limited`, or with the signal's reason as soon as it aborts. */
  wait(wish: Wish, signal: AbortSignal): Promise<Pass>
  /** Nobody is let through until then: the provider asked for it. */
  pause(ms: number): void
}

export interface Wish {
  /** The API that is to be asked, for errors. */
  readonly provider: string
  /** Who asks; sessions take turns. */
  readonly session: string
  /** What is expected to be used. */
  readonly tokens: number
}

/** The right to ask once, which is used up already. */
export interface Pass {
  /** What the provider told with its answer. */
  told(limits: ProviderLimits): void
  /** How many tokens it came to. */
  used(tokens: number): void
  /** Nothing was asked with it. */
  giveBack(): void
}

interface Waiting {
  readonly wish: Wish
  readonly grant: (pass: Pass) => void
}

export function limiter({ clock, maxWaitMs, maxQueued, ...limits }: LimiterOptions): Limiter {
  const requests = limits.requestsPerMinute === undefined ? undefined : rateWindow(limits.requestsPerMinute)
  const tokens = limits.tokensPerMinute === undefined ? undefined : rateWindow(limits.tokensPerMinute)
  const told = { requests: toldLimit(), tokens: toldLimit() }
  const queue = fairQueue<Waiting>()
  let pausedUntil = 0
  let cancelTimer: (() => void) | undefined

  function waitMs(wish: Wish): number {
    const now = clock.now()
    return Math.max(
      pausedUntil - now,
      requests?.waitMs(1, now) ?? 0,
      tokens?.waitMs(wish.tokens, now) ?? 0,
      told.requests.waitMs(1, now),
      told.tokens.waitMs(wish.tokens, now),
    )
  }

  function pass(wish: Wish): Pass {
    const counted = requests?.use(1, clock.now())
    const reserved = tokens?.use(wish.tokens, clock.now())
    const marks = { requests: told.requests.ask(1), tokens: told.tokens.ask(wish.tokens) }
    return {
      told(allowances) {
        for (const kind of ['requests', 'tokens'] as const) {
          const allowance = allowances[kind]
          if (allowance) told[kind].tell(allowance, marks[kind], clock.now())
        }
        pump()
      },
      used(amount) {
        if (reserved) correct(reserved, amount - wish.tokens)
        pump()
      },
      giveBack() {
        if (counted) counted.amount--
        if (reserved) reserved.amount -= wish.tokens
        pump()
      },
    }
  }

  /** What was not used is given back to its time; what was used besides, is used by now. */
  function correct(reserved: Use, difference: number): void {
    if (difference <= 0) reserved.amount += difference
    else tokens?.use(difference, clock.now())
  }

  function refused(wish: Wish, reason: string, why: string): RunletError {
    return new RunletError('rate_limited', {
      reason,
      message: `the rate limit set here for this provider is reached, and ${why}; come back later, or raise rate_limit`,
      retryAfterMs: Math.max(SHORTEST_HINT_MS, Math.ceil(waitMs(wish))),
      provider: wish.provider,
    })
  }

  /** Lets through whoever may go, and comes back when the next one may. */
  function pump(): void {
    cancelTimer?.()
    cancelTimer = undefined
    for (let head = queue.peek(); head; head = queue.peek()) {
      const ms = waitMs(head.wish)
      if (ms > 0) {
        cancelTimer = clock.after(Math.min(ms, LONGEST_TIMER_MS), pump)
        return
      }
      queue.next()
      head.grant(pass(head.wish))
    }
  }

  return {
    enter(wish) {
      if (queue.length === 0 && waitMs(wish) <= 0) return pass(wish)
      if (queue.length >= maxQueued) throw refused(wish, 'queue_full', 'too many requests wait already')
      const seconds = Math.ceil(waitMs(wish) / 1000)
      if (waitMs(wish) > maxWaitMs) throw refused(wish, 'queue_timeout', `the wait would be ${seconds} s`)
      return undefined
    },
    wait(wish, signal) {
      return new Promise((resolve, reject) => {
        if (signal.aborted) return reject(signal.reason)
        let waits = true
        const waiting: Waiting = {
          wish,
          grant(granted) {
            settle()
            resolve(granted)
          },
        }
        const leave = (reason: unknown) => {
          queue.remove(wish.session, waiting)
          settle()
          reject(reason)
          pump()
        }
        const onAbort = () => leave(signal.reason)
        const cancelDeadline = clock.after(maxWaitMs, () => {
          // Its turn may have come in the same moment.
          pump()
          if (waits) leave(refused(wish, 'queue_timeout', `its turn did not come within ${maxWaitMs / 1000} s`))
        })
        const settle = () => {
          waits = false
          cancelDeadline()
          signal.removeEventListener('abort', onAbort)
        }
        signal.addEventListener('abort', onAbort, { once: true })
        queue.add(wish.session, waiting)
        pump()
      })
    },
    pause(ms) {
      pausedUntil = Math.max(pausedUntil, clock.now() + ms)
      pump()
    },
  }
}

/** A provider may ask for a wait that no timer can be set to. */
const LONGEST_TIMER_MS = 60_000

/** Others wait as well: to come back within a second is to wait again. */
const SHORTEST_HINT_MS = 1000
