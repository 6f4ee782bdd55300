import { sleep, systemClock, type Clock } from '../core/clock.ts'
import { toRunletError } from '../core/error.ts'
import { checkOptions } from '../core/options.ts'
import { retryDelayMs } from '../core/retry.ts'
import { attempt, type AttemptState } from './attempt.ts'
import { withStream, type Wrapper } from './wrapper.ts'

export interface RetryOptions {
  /** Attempts at one answer, the first included. Default 3. */
  readonly attempts?: number
  /** Default: the machine's own. */
  readonly clock?: Clock
  /** Spreads the waits: 0 up to, not including, 1. Default `Math.random`. */
  readonly random?: () => number
}

/**
 * Asks again after a temporary error, as long as no content was handed on. It waits as long as the provider asked for,
 * else 250 ms, doubled each time, spread by a quarter; where the provider asks for more than a minute it does not wait
 * at all. Each wait is told as a `provider_retry` warning.
 *
 * For providers that are used without a runtime, which does the same by itself (`limits.attempts`).
 */
export function retrying(options: RetryOptions = {}): Wrapper {
  checkOptions('retrying', options, { attempts: true, clock: true, random: true })
  const { attempts = 3, clock = systemClock, random } = options
  return (provider) =>
    withStream(provider, async function* (request, call) {
      for (let n = 1; ; n++) {
        const state: AttemptState = { committed: false }
        try {
          return yield* attempt(provider.stream(request, call), state)
        } catch (thrown) {
          call.signal.throwIfAborted()
          const error = toRunletError(thrown)
          const delayMs = state.committed
            ? undefined
            : retryDelayMs(error, { attempt: n, attempts, ...(random ? { random } : {}) })
          if (delayMs === undefined) throw error
          const message = `${error.provider ?? provider.api}: attempt ${n + 1} of ${attempts} in ${delayMs / 1000} s, after ${error.code} (${error.reason})`
          yield [{ type: 'warning', code: 'provider_retry', message, cause: error.code }]
          await sleep(clock, delayMs, call.signal)
        }
      }
    })
}
