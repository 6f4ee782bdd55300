import type { Allowance, ProviderLimits } from '../../core/provider.ts'
import { numberOf, resetIn, type HeaderOf } from './retry-after.ts'

/** How the headers of a limit are called: OpenAI and its imitators, and Anthropic. */
const spellings = {
  requests: ['x-ratelimit-*-requests', 'anthropic-ratelimit-requests-*', 'x-ratelimit-*', 'ratelimit-*'],
  tokens: ['x-ratelimit-*-tokens', 'anthropic-ratelimit-tokens-*'],
} as const satisfies Record<keyof ProviderLimits, readonly string[]>

/** What an answer tells of the provider's limits; undefined if it tells nothing. */
export function limitsIn(header: HeaderOf, now: number = Date.now()): ProviderLimits | undefined {
  const requests = allowanceIn(header, spellings.requests, now)
  const tokens = allowanceIn(header, spellings.tokens, now)
  return requests || tokens ? { ...(requests ? { requests } : {}), ...(tokens ? { tokens } : {}) } : undefined
}

function allowanceIn(header: HeaderOf, names: readonly string[], now: number): Allowance | undefined {
  for (const name of names) {
    const of = (part: string) => header(name.replace('*', part))
    const remaining = numberOf(of('remaining'))
    const reset = of('reset')
    const resetMs = reset === undefined ? undefined : resetIn(reset, now)
    if (remaining === undefined || resetMs === undefined) continue
    const limit = numberOf(of('limit'))
    return limit !== undefined && limit > remaining && refills(name)
      ? { remaining, resetMs, refillsTo: limit }
      : { remaining, resetMs }
  }
  return undefined
}

/**
 * OpenAI, Groq and Anthropic document a bucket that refills without pause, and tell when it is full; the headers that
 * name no kind (OpenRouter, IETF draft) tell when a window ends.
 */
const refills = (name: string): boolean => name.includes('requests') || name.includes('tokens')
