import { systemClock, type Clock } from '../core/clock.ts'
import { isRateLimited, isRunletError } from '../core/error.ts'
import { estimateTokens } from '../core/message.ts'
import { checkOptions } from '../core/options.ts'
import type { CallOptions, ModelRequest, ProviderEvent } from '../core/provider.ts'
import { meter, toolTokens } from './meter.ts'
import { limiter, type Limiter, type Pass, type Wish } from './rate/limiter.ts'
import { withStream, type Wrapper } from './wrapper.ts'

export interface RateLimitOptions {
  /** Requests in any minute. Default: as many as the provider itself says. */
  readonly requestsPerMinute?: number
  /** Tokens in any minute, of questions and answers. Default: as many as the provider itself says. */
  readonly tokensPerMinute?: number
  /** How long a request may wait for its turn; then it fails. Milliseconds. Default 30,000. */
  readonly maxWaitMs?: number
  /** How many requests may wait; one more fails at once. Default 1,000. */
  readonly maxQueued?: number
  /** Default: the machine's own. */
  readonly clock?: Clock
}

const known = { requestsPerMinute: true, tokensPerMinute: true, maxWaitMs: true, maxQueued: true, clock: true } as const

/** A wait that is longer is told. Milliseconds. */
const MOMENT_MS = 250

/**
 * Lets requests through no faster than the limits, and than the provider's own where it tells them (`x-ratelimit-*`
 * headers through `CallOptions.onLimits`, the wait that a `rate_limited` error asks for). Those that cannot go at once
 * wait in a queue in which sessions take turns; a wait of more than a moment is told as a `queued` status event.
 *
 * Throws `rate_limited`, with the wait that would help, and reason `queue_full` or `queue_timeout`. All providers that
 * the same wrapper is put around share its limits. Tokens are reserved as estimated, with all of `max_tokens` where the
 * request has it, and corrected when the answer tells its usage.
 */
export function rateLimited(options: RateLimitOptions = {}): Wrapper {
  checkOptions('rateLimited', options, known)
  const { clock = systemClock } = options
  const { requestsPerMinute, tokensPerMinute, maxWaitMs = 30_000, maxQueued = 1000 } = options
  const limits = limiter({ requestsPerMinute, tokensPerMinute, maxWaitMs, maxQueued, clock })
  return (provider) =>
    withStream(provider, async function* (request, call) {
      call.signal.throwIfAborted()
      const wish = { provider: provider.api, session: call.caller?.sessionId ?? '', tokens: reservation(request) }
      const pass = limits.enter(wish) ?? (yield* queued(limits, wish, { call, clock }))
      const metered = meter(request)
      try {
        const onLimits: CallOptions['onLimits'] = (told) => {
          pass.told(told)
          call.onLimits?.(told)
        }
        for await (const events of provider.stream(request, { ...call, onLimits })) {
          for (const event of events) metered.add(event)
          yield events
        }
      } catch (error) {
        if (isRunletError(error) && isRateLimited(error) && error.retryAfterMs !== undefined) {
          limits.pause(error.retryAfterMs)
        }
        throw error
      } finally {
        pass.used(metered.usage().total_tokens)
      }
    })
}

/** What the providers count, too: the question and the most that the answer may be. */
function reservation({ messages, tools, options }: ModelRequest): number {
  return estimateTokens(messages) + toolTokens(tools) + (options.max_tokens ?? 0)
}

interface QueueOptions {
  readonly call: CallOptions
  readonly clock: Clock
}

/** Waits for its turn, and tells of it when that takes more than a moment. */
async function* queued(
  limits: Limiter,
  wish: Wish,
  { call, clock }: QueueOptions,
): AsyncGenerator<readonly ProviderEvent[], Pass, undefined> {
  const leave = new AbortController()
  let turn: Pass | undefined
  let taken = false
  const coming = limits.wait(wish, AbortSignal.any([call.signal, leave.signal])).then((pass) => (turn = pass))
  // A consumer that stops while it is told of the wait is not here to hear how it ended.
  coming.catch(() => {})
  try {
    await sooner(coming, clock)
    if (!turn) {
      yield [{ type: 'status', code: 'queued', message: 'waiting for its turn under the rate limit of this provider' }]
    }
    await coming
    taken = true
    return turn!
  } finally {
    leave.abort()
    if (!taken) turn?.giveBack()
  }
}

/** Settles with `promise`, or after a moment. */
function sooner(promise: Promise<unknown>, clock: Clock): Promise<void> {
  return new Promise((resolve, reject) => {
    const cancel = clock.after(MOMENT_MS, resolve)
    promise.then(() => resolve(), reject).finally(cancel)
  })
}
