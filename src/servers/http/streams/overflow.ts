import { RunletError } from '../../../core/error.ts'
import { readCount, readWord } from '../requests/query.ts'

/** What becomes of a reader that takes less than its run says. */
export type OverflowPolicy =
  /** It falls behind, and is served from the log until it has caught up. */
  | 'catch-up'
  /**
   * It is told `overflow` with reason `lagging` and its cursor, and closed, once it is further behind than either
   * bound. One that begins behind is judged from when it has caught up. Looked at 15 times in `heartbeatMs`.
   */
  | {
      readonly type: 'disconnect'
      /** Events of the run that were not handed to the connection yet. From 1. Default 1,000 if there is no `maxLagMs`. */
      readonly maxLagEvents?: number
      /** Time since the oldest of these could have been handed over. Milliseconds, from 1. Default: not looked at. */
      readonly maxLagMs?: number
    }

/** How far a reader may be behind before it is closed. */
export interface LagBound {
  readonly maxLagEvents: number
  readonly maxLagMs: number
}

const DEFAULT_LAG_EVENTS = 1_000

/** The bound that a policy sets; undefined if it sets none. Throws `invalid_request` with reason `bad_option`. */
export function lagBound(policy: OverflowPolicy | undefined): LagBound | undefined {
  if (policy === undefined || policy === 'catch-up') return undefined
  const { maxLagMs = Infinity, maxLagEvents = maxLagMs === Infinity ? DEFAULT_LAG_EVENTS : Infinity } = policy
  if (policy.type === 'disconnect' && isBound(maxLagEvents) && isBound(maxLagMs)) return { maxLagEvents, maxLagMs }
  throw new RunletError('invalid_request', {
    reason: 'bad_option',
    message: `overflow is ${JSON.stringify(policy)}; it is "catch-up", or of type "disconnect" with bounds from 1 on`,
  })
}

const isBound = (value: number) => value === Infinity || (Number.isSafeInteger(value) && value >= 1)

/** The query parameters that set a policy. */
export const overflowParameters = ['overflow', 'max_lag_events', 'max_lag_ms'] as const

export type OverflowQuery = Partial<Record<(typeof overflowParameters)[number], string>>

/** The policy that a query asks for. Throws `invalid_request` with reason `bad_parameter`. */
export function readOverflow(query: OverflowQuery): OverflowPolicy {
  const type = readWord('overflow', query.overflow, ['catch-up', 'disconnect']) ?? 'catch-up'
  const maxLagEvents = readCount('max_lag_events', query.max_lag_events, 1)
  const maxLagMs = readCount('max_lag_ms', query.max_lag_ms, 1)
  if (type === 'disconnect') {
    return {
      type,
      ...(maxLagEvents === undefined ? {} : { maxLagEvents }),
      ...(maxLagMs === undefined ? {} : { maxLagMs }),
    }
  }
  if (maxLagEvents === undefined && maxLagMs === undefined) return type
  throw new RunletError('invalid_request', {
    reason: 'bad_parameter',
    message: 'max_lag_events and max_lag_ms are bounds of overflow=disconnect, which is not asked for',
  })
}
