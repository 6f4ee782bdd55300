import { RunletError } from './error.ts'

/** Counts the owners of a run: 1 for the first, one more for each take-over or loss of stored data. */
export type Epoch = number

/**
 * A place in one run's log: everything up to and including `seq` has been seen. On the wire `epoch-seq`, for
 * example `1-42`. `seq` 0 is the place before the first entry.
 */
export interface Cursor {
  readonly epoch: Epoch
  readonly seq: number
}

/** The epoch of a cursor that was given as a bare seq. Accepted for runs that have had one owner. */
export const ANY_EPOCH: Epoch = 0

/** The place before the first entry of any run. */
export const START: Cursor = { epoch: ANY_EPOCH, seq: 0 }

/** The cursor as it stands on the wire, `epoch-seq`. Not for a cursor without an epoch, which is a bare seq. */
export function formatCursor(cursor: Cursor): string {
  return `${cursor.epoch}-${cursor.seq}`
}

/** Reads `epoch-seq` or a bare seq. Throws `invalid_request` with reason `cursor_malformed`. */
export function parseCursor(text: string): Cursor {
  const match = /^(?:([1-9][0-9]{0,8})-)?(0|[1-9][0-9]{0,14})$/.exec(text)
  if (!match) {
    throw new RunletError('invalid_request', {
      reason: 'cursor_malformed',
      message: `"${text.slice(0, 40)}" is not a cursor; give the id of the last event you saw, for example 1-42, or nothing to read from the start`,
    })
  }
  return { epoch: match[1] === undefined ? ANY_EPOCH : Number(match[1]), seq: Number(match[2]) }
}

/** What a log holds of one run: enough to judge a cursor. */
export interface Extent {
  /** First seq of each epoch, in order; the first is 1. */
  readonly epochs: readonly { readonly epoch: Epoch; readonly from: number }[]
  /** Seq of the last entry. */
  readonly last: number
  /** Seq of the first entry that is still stored. Default 1; larger once retention removed the head. */
  readonly oldest?: number
}

/** The epoch that wrote entry `seq` (the first epoch for 0). */
export function epochAt(extent: Extent, seq: number): Epoch {
  return (extent.epochs.findLast(({ from }) => from <= seq) ?? extent.epochs[0])?.epoch ?? 1
}

/**
 * Throws unless reading can continue exactly after `cursor`: never a clamp, never a dump from the start.
 * `invalid_request` 409 with reason `cursor_future` or `cursor_foreign`, 400 with `cursor_epoch_required`;
 * `not_found` 410 with `cursor_expired`.
 */
export function checkCursor(cursor: Cursor, extent: Extent): void {
  const current = extent.epochs.at(-1)?.epoch ?? 1
  if (cursor.seq > extent.last || cursor.epoch > current) {
    throw refusal(cursor, 409, 'cursor_future', `is ahead of this run, which is at ${current}-${extent.last}`)
  }
  if (cursor.epoch === ANY_EPOCH) {
    if (extent.epochs.length > 1 && cursor.seq > 0) {
      throw refusal(cursor, 400, 'cursor_epoch_required', 'needs its epoch, because this run changed its owner')
    }
  } else if (cursor.epoch !== epochAt(extent, cursor.seq)) {
    throw refusal(cursor, 409, 'cursor_foreign', 'names a place that this run never had, or that its store lost')
  }
  if (extent.oldest !== undefined && cursor.seq + 1 < extent.oldest) {
    const rest =
      extent.oldest > extent.last
        ? 'Only the summary of the run remains'
        : `Read after ${formatCursor({ epoch: epochAt(extent, extent.oldest - 1), seq: extent.oldest - 1 })} for what remains`
    throw new RunletError('not_found', {
      status: 410,
      reason: 'cursor_expired',
      message: `events up to ${extent.oldest - 1} are no longer stored, so reading cannot begin after ${shown(cursor)}. ${rest}`,
    })
  }
}

function refusal(cursor: Cursor, status: number, reason: string, what: string): RunletError {
  return new RunletError('invalid_request', {
    status,
    reason,
    message: `cursor ${shown(cursor)} ${what}. Leave the cursor out to read from the start`,
  })
}

/** A cursor as its reader gave it. */
function shown(cursor: Cursor): string {
  return cursor.epoch === ANY_EPOCH ? String(cursor.seq) : formatCursor(cursor)
}
