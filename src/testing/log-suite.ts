/**
 * The contract of `core/log.ts` in cases. Every store passes all of them:
 *
 * ```ts
 * for (const { name, run } of logCases) test(name, () => run({ open: (options) => myLog({ ...place, ...options }) }))
 * ```
 */
import type { Clock } from '../core/clock.ts'
import type { Log } from '../core/log.ts'
import { creating } from './log-suite-creating.ts'
import { following } from './log-suite-following.ts'
import { keeping } from './log-suite-keeping.ts'
import { owning } from './log-suite-owning.ts'
import { reading } from './log-suite-reading.ts'

/** The store that a case is run over: empty at its start, and the case's own. */
export interface LogPlace {
  /**
   * Opens a log on the store. A case that opens several means several processes; one that closes a log means the end of
   * its process. The caller closes those that are left open.
   */
  readonly open: (options?: { readonly clock?: Clock }) => Promise<Log>
}

/** One case for any test runner. */
export interface LogCase {
  /** A sentence about what a log does. */
  readonly name: string
  /** Throws an `AssertionError` if the log does not. */
  readonly run: (place: LogPlace) => Promise<void>
}

/** All that a store owes. */
export const logCases: readonly LogCase[] = [...creating, ...reading, ...following, ...owning, ...keeping]
