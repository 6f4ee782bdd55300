import type { Log } from '../../src/core/log.ts'

const KEEP_MS = 1_000

/** A log that forgets ended runs soon: a flood makes in seconds what a retention policy has days for. */
export function forgetful(log: Log): Log {
  setInterval(() => {
    // Once the log is closed, there is nothing to forget.
    log.prune({ maxAgeMs: KEEP_MS }).catch(() => {})
  }, KEEP_MS).unref()
  return log
}
