/** A run that is being followed, as a page holds it. */
import type { Batch } from '../core/batch.ts'
import { systemClock } from '../core/clock.ts'
import type { Cursor } from '../core/cursor.ts'
import { START } from '../core/cursor.ts'
import type { RunId } from '../core/event.ts'
import { emptyView, fold, type RunView } from '../core/fold.ts'
import type { Gap } from '../core/log.ts'
import { delayMeter } from './delay.ts'
import type { FollowOptions, OpenEvents } from './follow.ts'
import { follow, placeAfter } from './follow.ts'
import type { FollowState } from './follow-state.ts'
import { checkedRun, misused } from './http-errors.ts'

/**
 * A run that is being followed. Nothing is asked for before somebody reads it, and no more than is read: one who stops
 * reading falls behind in the server's log, and memory here stays as it is. It is read once, in one of two ways:
 *
 * ```ts
 * for await (const view of client.follow(run)) show(outputText(view))
 * ```
 *
 * gives what the events add up to; `batches()` gives the events themselves. Leaving the loop ends the connection, not
 * the run. What throws is what another connection would not change: a token that is refused, a cursor of another run.
 */
export interface Following extends AsyncIterable<RunView> {
  readonly run: RunId
  /** How it stands. The same object until it changes. */
  readonly state: FollowState
  /** The place behind everything that was handed on. */
  readonly cursor: Cursor
  /** Entries that the server could not give, in order. A view is without what stood there. */
  readonly gaps: readonly Gap[]
  /**
   * How much later than the quickest event the last one came, in milliseconds: from being stored at the server to being
   * handed on here. The two clocks may differ by any amount; the smallest difference between them that was seen so far
   * is taken for that amount. So the shortest delay counts as none, and what is told is what comes on top of it. Undefined
   * until an event came `live`; what is read from the store later is as old as it is, and not late.
   */
  readonly delayMs: number | undefined
  /** Calls back when `state` or `gaps` have changed, until called off. It fits React's `useSyncExternalStore` as it is. */
  readonly subscribe: (listener: () => void) => () => void
  /** The events, together as they came, and gaps where they stood. */
  batches(): AsyncIterable<Batch | Gap>
  /** Ends the reading, as the signal of the options does. The run goes on. */
  stop(): void
}

/** A following over whatever connections `open` makes. Throws `invalid_request` with reason `bad_run_id`. */
export function following(run: RunId, open: OpenEvents, options: FollowOptions = {}): Following {
  checkedRun(run)
  const { after = START, clock = systemClock, signal, onState } = options
  const listeners = new Set<() => void>()
  const stop = new AbortController()
  const delay = delayMeter()
  let state: FollowState = { type: 'connecting' }
  let cursor = after
  let gaps: readonly Gap[] = []
  let begun = false
  const tell = () => {
    for (const listener of listeners) listener()
  }
  const become = (next: FollowState) => {
    state = next
    tell()
    onState?.(next)
  }
  const onAbort = () => stop.abort()

  async function* batches(): AsyncGenerator<Batch | Gap, void, undefined> {
    if (begun) throw readTwice(run)
    begun = true
    if (signal?.aborted) onAbort()
    signal?.addEventListener('abort', onAbort)
    try {
      for await (const record of follow(open, { ...options, signal: stop.signal, onState: become })) {
        cursor = placeAfter(record, cursor)
        if (record.type === 'gap') {
          gaps = [...gaps, record]
          tell()
        } else if (state.type === 'live') delay.measure(record.entries.at(-1)!.ts, clock.now())
        yield record
      }
    } finally {
      signal?.removeEventListener('abort', onAbort)
    }
  }

  return {
    run,
    get state() {
      return state
    },
    get cursor() {
      return cursor
    },
    get gaps() {
      return gaps
    },
    get delayMs() {
      return delay.last
    },
    subscribe(listener) {
      // A function of its own, since one listener may be given twice.
      const own = () => listener()
      listeners.add(own)
      return () => void listeners.delete(own)
    },
    stop() {
      onAbort()
      if (!begun) become({ type: 'ended', kind: 'stopped' })
    },
    batches,
    async *[Symbol.asyncIterator]() {
      let view = emptyView
      for await (const record of batches()) {
        if (record.type !== 'gap') yield (view = fold(view, record.entries))
      }
    },
  }
}

const readTwice = (run: RunId) => misused('read_twice', `run ${run} is read already; follow it again`)
