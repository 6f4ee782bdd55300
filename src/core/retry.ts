import type { RunletError } from './error.ts'

/** Longest wait that a provider may ask for; beyond it a call fails at once and tells the caller to come back. */
const LONGEST_WAIT_MS = 60_000
const FIRST_WAIT_MS = 250
const LONGEST_BACKOFF_MS = 8_000

/**
 * How long to wait before attempt `attempt + 1`, or undefined if there shall be none. What the provider asked for
 * goes before our own exponential backoff, which is spread by a quarter so that many runs do not return at once.
 */
export function retryDelayMs(
  error: RunletError,
  options: { readonly attempt: number; readonly attempts: number; readonly random?: () => number },
): number | undefined {
  const { attempt, attempts, random = Math.random } = options
  if (!error.temporary || attempt >= attempts) return undefined
  if (error.retryAfterMs !== undefined) return error.retryAfterMs <= LONGEST_WAIT_MS ? error.retryAfterMs : undefined
  const backoff = Math.min(FIRST_WAIT_MS * 2 ** (attempt - 1), LONGEST_BACKOFF_MS)
  return Math.round(backoff * (0.75 + random() / 2))
}
