/** A response header by its lower-case name; undefined if it is not there. */
export type HeaderOf = (name: string) => string | undefined

const UNIT_MS: Readonly<Record<string, number>> = { h: 3_600_000, m: 60_000, s: 1000, ms: 1 }

/**
 * How long a server asks us to wait, in milliseconds; undefined if it does not say. In this order: `retry-after-ms`
 * (OpenAI, Azure); `retry-after` as seconds or as an HTTP date; the reset times of rate limits that are used up, or the
 * shortest if none is said to be, as `6m0s` (OpenAI, Groq), seconds, a Unix time in seconds or milliseconds
 * (OpenRouter), or RFC 3339 (Anthropic).
 */
export function retryAfterMs(header: HeaderOf, now: number = Date.now()): number | undefined {
  const ms = numberOf(header('retry-after-ms'))
  if (ms !== undefined) return Math.ceil(ms)

  const after = header('retry-after')
  if (after !== undefined) {
    const waitMs = momentMs(after, now)
    if (waitMs !== undefined) return waitMs
  }

  const open: number[] = []
  const usedUp: number[] = []
  for (const [reset, remaining] of resets) {
    const value = header(reset)
    const waitMs = value === undefined ? undefined : resetIn(value, now)
    if (waitMs === undefined) continue
    const list = numberOf(header(remaining)) === 0 ? usedUp : open
    list.push(waitMs)
  }
  if (usedUp.length > 0) return Math.max(...usedUp)
  return open.length > 0 ? Math.min(...open) : undefined
}

/** Milliseconds until the moment that a reset header means, in any of the spellings above; undefined if it is none. */
export const resetIn = (text: string, now: number): number | undefined => durationMs(text) ?? momentMs(text, now)

/** Where a limit's reset stands, and where what is left of it. */
const resets: readonly (readonly [reset: string, remaining: string])[] = [
  ['x-ratelimit-reset-requests', 'x-ratelimit-remaining-requests'],
  ['x-ratelimit-reset-tokens', 'x-ratelimit-remaining-tokens'],
  ['x-ratelimit-reset', 'x-ratelimit-remaining'],
  ['ratelimit-reset', 'ratelimit-remaining'],
  ['anthropic-ratelimit-requests-reset', 'anthropic-ratelimit-requests-remaining'],
  ['anthropic-ratelimit-tokens-reset', 'anthropic-ratelimit-tokens-remaining'],
]

/** A plain decimal number; undefined for anything else. */
export function numberOf(text: string | undefined): number | undefined {
  const trimmed = text?.trim() ?? ''
  return /^\d+(\.\d+)?$/.test(trimmed) ? Number(trimmed) : undefined
}

/** Go's way to write a duration: `1h2m3.5s`, `20ms`. */
function durationMs(text: string): number | undefined {
  const trimmed = text.trim()
  if (!/^(\d+(\.\d+)?(ms|h|m|s))+$/.test(trimmed)) return undefined
  let total = 0
  for (const [, amount, unit] of trimmed.matchAll(/([\d.]+)(ms|h|m|s)/g)) total += Number(amount) * UNIT_MS[unit!]!
  return Math.ceil(total)
}

/** Seconds from now, a Unix time, or a date. A moment that is over is no wait at all. */
function momentMs(text: string, now: number): number | undefined {
  const number = numberOf(text)
  if (number !== undefined) {
    // A year of seconds is the longest wait that is no Unix time; Unix milliseconds passed 1e12 in 2001.
    if (number < 31_536_000) return Math.ceil(number * 1000)
    return Math.max(0, Math.ceil((number >= 1e12 ? number : number * 1000) - now))
  }
  const date = Date.parse(text)
  return Number.isNaN(date) || !/[a-z]/i.test(text) ? undefined : Math.max(0, date - now)
}
