/**
 * Watches a run over connections that may break: comes back with its last cursor, hands on each event once and in
 * order, and stops only where the run has ended.
 */
import { Batch } from '../core/batch.ts'
import type { Clock } from '../core/clock.ts'
import { sleep, systemClock } from '../core/clock.ts'
import type { Cursor } from '../core/cursor.ts'
import { formatCursor, START } from '../core/cursor.ts'
import type { RunletError } from '../core/error.ts'
import type { TerminalEvent } from '../core/event.ts'
import { isTerminal } from '../core/event.ts'
import type { Gap } from '../core/log.ts'
import { backoffMs } from './backoff.ts'
import type { ConnectionNews, FollowState } from './follow-state.ts'
import { endOf, stateMachine } from './follow-state.ts'
import { networkError, typedError } from './http-errors.ts'

/**
 * Opens one connection that gives what comes after a cursor. It returns when the run is over, and throws when the
 * connection breaks.
 */
export type OpenEvents = (options: {
  readonly after: Cursor
  readonly signal: AbortSignal
  readonly onNews: (news: ConnectionNews) => void
}) => AsyncIterable<Batch | Gap>

/** From where, for how long, and how stubbornly a run is followed. */
export interface FollowOptions {
  /** Default: from the start. */
  readonly after?: Cursor
  /** Ends the reading, without an error, when it aborts. */
  readonly signal?: AbortSignal
  /** Connections that may fail one after the other without a single event between them. Default 10. */
  readonly attempts?: number
  /** Default: the machine's. */
  readonly clock?: Clock
  /** Between 0 and 1; spreads clients that lost one server. Default `Math.random`. */
  readonly random?: () => number
  /** Told of each connection that broke, and how long the next one waits. */
  readonly onRetry?: (retry: { readonly error: RunletError; readonly waitMs: number; readonly cursor: Cursor }) => void
  /** Told of each new state; the first is `connecting`, and is not told. */
  readonly onState?: (state: FollowState) => void
}

/** Why a following came to its end. */
export type FollowEnding =
  /** The run has ended. Its terminal event was handed on too, unless it lies before the cursor that was begun from. */
  | { readonly type: 'ended'; readonly event: TerminalEvent | undefined; readonly cursor: Cursor }
  /** The caller's signal aborted. The run goes on. */
  | { readonly type: 'stopped'; readonly cursor: Cursor }

/**
 * Gives what came after the cursor and then what comes; returns how it ended. Throws at once what another attempt
 * would not change (a key that is refused, a cursor that is not known), and `network` with reason `follow_lost` when
 * `attempts` connections brought nothing; its message names the cursor to go on from.
 */
export async function* follow(
  open: OpenEvents,
  options: FollowOptions = {},
): AsyncGenerator<Batch | Gap, FollowEnding, undefined> {
  const { after = START, signal, attempts = 10, clock = systemClock, random = Math.random, onRetry } = options
  const state = stateMachine(after.seq, options.onState ?? (() => {}))
  let cursor = after
  let failures = 0
  const stopped = () => signal?.aborted ?? false
  try {
    while (!stopped()) {
      const connection = new AbortController()
      const stop = () => connection.abort(signal?.reason)
      signal?.addEventListener('abort', stop, { once: true })
      let error: RunletError
      try {
        for await (const record of open({ after: cursor, signal: connection.signal, onNews: state.news })) {
          const next = unseen(record, cursor)
          if (!next) continue
          failures = 0
          cursor = placeAfter(next, cursor)
          yield next
          const event = next instanceof Batch ? next.entries.at(-1)!.event : undefined
          if (event && isTerminal(event)) {
            state.ended(endOf(event))
            return { type: 'ended', event, cursor }
          }
          state.reached(cursor.seq)
        }
        if (stopped()) break
        state.ended(endOf(undefined))
        return { type: 'ended', event: undefined, cursor }
      } catch (thrown) {
        error = typedError(thrown)
      } finally {
        signal?.removeEventListener('abort', stop)
        connection.abort()
      }
      if (stopped()) break
      if (!error.temporary || ++failures >= attempts) {
        const final = error.temporary ? lost(cursor, error) : error
        state.ended({ type: 'ended', kind: 'error', error: final })
        throw final
      }
      const waitMs = backoffMs(failures, error, random)
      state.connecting(error, waitMs)
      onRetry?.({ error, waitMs, cursor })
      await sleep(clock, waitMs, signal).catch(() => {})
    }
    return { type: 'stopped', cursor }
  } finally {
    // Also where whoever reads has left the loop.
    state.ended({ type: 'ended', kind: 'stopped' })
  }
}

/** The part of a record that lies behind the cursor. Throws if something in between is missing. */
function unseen(record: Batch | Gap, { seq }: Cursor): Batch | Gap | undefined {
  const [first, last] = record instanceof Batch ? [record.first, record.last] : [record.from, record.to]
  if (last <= seq) return undefined
  if (first > seq + 1) {
    throw networkError('events_missing', `events ${seq + 1} to ${first - 1} did not arrive`)
  }
  return first <= seq && record instanceof Batch ? record.after(seq) : record
}

/** The place behind a record that follows on `cursor`. */
export const placeAfter = (record: Batch | Gap, cursor: Cursor): Cursor =>
  record instanceof Batch ? { epoch: record.epoch, seq: record.last } : { epoch: cursor.epoch, seq: record.to }

const lost = (cursor: Cursor, cause: RunletError) =>
  networkError(
    'follow_lost',
    `the server cannot be reached; the run may go on. Read on later after ${formatCursor(cursor)}`,
    cause,
  )
