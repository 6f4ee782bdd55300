/** How long to wait before the next try. */
import type { RunletError } from '../core/error.ts'

const FIRST_WAIT_MS = 250
const LONGEST_WAIT_MS = 10_000

/**
 * Milliseconds to wait after so many failures in a row, at least 1. The first try goes at once, for servers close
 * connections that were fine; then 250 ms, doubled up to 10 s, or what the server asked for, each shortened by up to
 * half at random, so that clients that lost one server do not come back together.
 */
export function backoffMs(failures: number, error: RunletError, random: () => number): number {
  if (failures === 1) return 0
  const ms = Math.max(FIRST_WAIT_MS * 2 ** (failures - 2), error.retryAfterMs ?? 0)
  return Math.min(LONGEST_WAIT_MS, ms) * (0.5 + random() / 2)
}
