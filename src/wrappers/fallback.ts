import { systemClock, type Clock } from '../core/clock.ts'
import { RunletError, isRateLimited, isTransient, toRunletError } from '../core/error.ts'
import { checkOptions } from '../core/options.ts'
import { isContent, type CallOptions, type ModelRequest, type Provider, type ProviderEvent } from '../core/provider.ts'
import { attempt, type AttemptState } from './attempt.ts'

/** One of those that may answer. */
export interface Candidate {
  /** What it is called in warnings, and what `start` names before the model's own name, for example `openai`. */
  readonly name: string
  readonly provider: Provider
  /** The provider's own id of the model. */
  readonly model: string
}

export interface FallbackOptions {
  /** Whether another may answer after this error. Default: it is temporary, or the account's quota is used up. */
  readonly when?: (error: RunletError) => boolean
  /** How long a candidate that has another behind it may say nothing. Milliseconds. Default: no limit. */
  readonly firstContentMs?: number
  /** Default: the machine's own. */
  readonly clock?: Clock
}

/**
 * A provider that asks the first candidate and, when that fails before its first content, the next. Each change is told
 * as a `provider_fallback` warning with the error's code; the last error is thrown as it is. After content nobody else
 * is asked: two halves of two answers are no answer.
 *
 * It can do what all candidates can. Its models are the candidates, as `NAME/MODEL`; a request that names one of them
 * begins with it and goes on with the others in their order, any other begins with the first. `start` names who answered.
 */
export function fallback(candidates: readonly Candidate[], options: FallbackOptions = {}): Provider {
  checkOptions('fallback', options, { when: true, firstContentMs: true, clock: true })
  const [first] = candidates
  if (!first) throw noCandidates()
  const { when = (error) => isTransient(error) || isRateLimited(error), firstContentMs, clock = systemClock } = options

  async function* stream(
    request: ModelRequest,
    call: CallOptions,
  ): AsyncGenerator<readonly ProviderEvent[], void, undefined> {
    const named = candidates.find((candidate) => idOf(candidate) === request.model)
    const order = named ? [named, ...candidates.filter((candidate) => candidate !== named)] : candidates
    for (const [i, candidate] of order.entries()) {
      const next = order[i + 1]
      const state: AttemptState = { committed: false }
      const asked = { ...request, model: candidate.model }
      const answers =
        next && firstContentMs !== undefined
          ? impatient(candidate, asked, { call, firstContentMs, clock })
          : candidate.provider.stream(asked, call)
      try {
        return yield* attempt(naming(candidate, answers), state)
      } catch (thrown) {
        call.signal.throwIfAborted()
        const error = toRunletError(thrown)
        if (state.committed || !next || !when(error)) throw error
        const message = `${idOf(candidate)} failed with ${error.code} (${error.reason}); asking ${idOf(next)}`
        yield [{ type: 'warning', code: 'provider_fallback', message, cause: error.code }]
      }
    }
  }

  return {
    api: 'fallback',
    capabilities: first.provider.capabilities.filter((one) =>
      candidates.every(({ provider }) => provider.capabilities.includes(one)),
    ),
    stream,
    models: async () => candidates.map((candidate) => ({ id: idOf(candidate) })),
  }
}

const idOf = ({ name, model }: Candidate) => `${name}/${model}`

/** The same events, with the candidate's name before the model that `start` reports. */
async function* naming(
  { name }: Candidate,
  stream: AsyncIterable<readonly ProviderEvent[]>,
): AsyncGenerator<readonly ProviderEvent[], void, undefined> {
  let started = false
  for await (const events of stream) {
    if (started) yield events
    else {
      started = events.some(({ type }) => type === 'start')
      yield events.map((event) => (event.type === 'start' ? { ...event, model: `${name}/${event.model}` } : event))
    }
  }
}

interface Patience {
  readonly call: CallOptions
  readonly firstContentMs: number
  readonly clock: Clock
}

/** The candidate's answer; `timeout` with `first_content_timeout` where its first content does not come in time. */
async function* impatient(
  candidate: Candidate,
  request: ModelRequest,
  { call, firstContentMs, clock }: Patience,
): AsyncGenerator<readonly ProviderEvent[], void, undefined> {
  const late = new AbortController()
  const cancelTimer = clock.after(firstContentMs, () => {
    late.abort(
      new RunletError('timeout', {
        reason: 'first_content_timeout',
        message: `${idOf(candidate)} said nothing for ${firstContentMs / 1000} s after the request`,
        provider: candidate.provider.api,
      }),
    )
  })
  let waiting = true
  try {
    const signal = AbortSignal.any([call.signal, late.signal])
    for await (const events of candidate.provider.stream(request, { ...call, signal })) {
      if (waiting && events.some((event) => isContent(event) || event.type === 'done')) {
        waiting = false
        cancelTimer()
      }
      yield events
    }
  } finally {
    cancelTimer()
  }
}

const noCandidates = () =>
  new RunletError('invalid_request', {
    reason: 'no_candidates',
    message: 'a fallback needs at least one candidate to ask',
  })
