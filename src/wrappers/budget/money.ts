import type { Usage } from '../../core/event.ts'

/** What a model costs, per million tokens, in whatever currency the limits are in. */
export interface Price {
  readonly input: number
  readonly output: number
  /** Of input that the provider had cached. Default: as any input. */
  readonly cachedInput?: number
}

/** By the provider's own id of the model; `*` stands for all others. */
export type Prices = Readonly<Record<string, Price>>

/** Tokens, and what they cost. */
export interface Spent {
  readonly tokens: number
  readonly cost: number
}

/** The price of a model; undefined if none is known. */
export function priceOf(model: string, prices: Prices): Price | undefined {
  if (Object.hasOwn(prices, model)) return prices[model]
  return Object.hasOwn(prices, '*') ? prices['*'] : undefined
}

/** What a usage comes to; without a price it costs nothing. */
export function spentFor(usage: Usage, price: Price | undefined): Spent {
  const { input_tokens, output_tokens, total_tokens, cached_tokens = 0 } = usage
  if (!price) return { tokens: total_tokens, cost: 0 }
  const { input, output, cachedInput = input } = price
  const cached = Math.min(cached_tokens, input_tokens)
  return {
    tokens: total_tokens,
    cost: ((input_tokens - cached) * input + cached * cachedInput + output_tokens * output) / 1_000_000,
  }
}
