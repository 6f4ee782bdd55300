import type { Batch } from '../../core/batch.ts'
import type { Cursor, Epoch } from '../../core/cursor.ts'
import type { RunletError } from '../../core/error.ts'
import type { Durability, RunEvent, RunId } from '../../core/event.ts'
import { runEnded, runExists, runUnknown, staleOwner } from '../errors.ts'
import type { LiveRun } from '../live.ts'
import { endOf, number } from '../numbering.ts'
import type { Outcome, StoredBatch, Write } from './group.ts'
import type { Pending, WriteQueue } from './queue.ts'

/** How far a run of durability `memory` may be ahead of the file. Characters, over all runs. */
const BEHIND_CHARS = 16_777_216

/** A run that this log appends to. */
export interface OwnedRun {
  readonly no: number
  readonly epoch: Epoch
  /** First seq of the epoch. */
  readonly from: number
  readonly durability: Durability
  readonly live: LiveRun
  /** Seq of the last entry on its way. */
  last: number
  /** True once its terminal event is on its way. */
  ending: boolean
}

export interface AppendOptions {
  readonly queue: WriteQueue
  readonly ts: number
  /** The run is not ours any more: it ended, or somebody took it over. */
  readonly onGone: () => void
}

/** Adds entries to a run; readers get them once they are as durable as the run asks for. */
export async function append(owned: OwnedRun, events: readonly RunEvent[], options: AppendOptions): Promise<Cursor> {
  const { queue, onGone } = options
  const { no, epoch, durability, live } = owned
  if (queue.error) throw queue.error
  if (owned.ending) throw runEnded(live.run)
  const batch = number(live.run, owned, events, options.ts)
  const end = endOf(batch)
  const cursor = { epoch, seq: batch.last }
  const write = { type: 'append' as const, no, batch: storedBatch(batch), ...(end ? { end } : {}) }
  owned.last = batch.last
  owned.ending = end !== undefined

  // The end waits for the file in any case, so that the header in it never lags behind what readers know.
  if (durability === 'memory' && !end && queue.backlog < BEHIND_CHARS) {
    live.publish(batch, { stored: false })
    queue.push(behind(write, batch, live, onGone))
    return cursor
  }

  return new Promise((resolve, reject) => {
    queue.push({
      write,
      sync: durability === 'sync',
      done(outcome) {
        const error = outcome && refusal(live.run, outcome)
        if (error) {
          onGone()
          // Readers go on with what the other owner writes.
          live.stir()
          return reject(error)
        }
        if (end) onGone()
        live.publish(batch, { ended: end !== undefined })
        resolve(cursor)
      },
      fail(error) {
        // Nobody saw it and nothing is stored: the numbers are free again.
        owned.last = batch.first - 1
        owned.ending = false
        reject(error)
      },
    })
  })
}

function behind(write: Write, batch: Batch, live: LiveRun, onGone: () => void): Pending {
  return {
    write,
    sync: false,
    behind: true,
    done(outcome) {
      const error = outcome && refusal(live.run, outcome)
      if (!error) return live.settle(batch.last)
      onGone()
      // Readers have what the new owner does not know of: this line of the run ends here.
      live.fail(error)
    },
    // The queue stops with it, and tells all runs.
    fail() {},
  }
}

export function storedBatch({ epoch, first, last, lines }: Batch): StoredBatch {
  return { epoch, first, last, lines }
}

/** The error that an outcome stands for, if it is one. */
export function refusal(run: RunId, outcome: Outcome): RunletError | undefined {
  if (outcome.type !== 'refused') return undefined
  switch (outcome.why) {
    case 'stale_owner':
      return staleOwner(run)
    case 'run_ended':
      return runEnded(run)
    case 'run_unknown':
      return runUnknown(run)
    case 'run_exists':
      return runExists(run)
  }
}
