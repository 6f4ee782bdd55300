/** What every store refuses in the same words. */
import { quoted } from '../core/quote.ts'
import { RunletError } from '../core/error.ts'
import type { Durability, RunId } from '../core/event.ts'

export function runUnknown(run: RunId): RunletError {
  return new RunletError('not_found', {
    reason: 'run_unknown',
    message: `there is no run ${quoted(run)} in this store`,
  })
}

export function runExists(run: RunId): RunletError {
  return new RunletError('invalid_request', {
    status: 409,
    reason: 'run_exists',
    message: `run "${run}" is in this store already; a run is created once, with an id of its own`,
  })
}

export function runEnded(run: RunId): RunletError {
  return new RunletError('internal', {
    reason: 'run_ended',
    temporary: false,
    message: `run ${run} has its terminal event; nothing may follow it`,
  })
}

export function staleOwner(run: RunId): RunletError {
  return new RunletError('internal', {
    reason: 'stale_owner',
    temporary: false,
    message: `run ${run} belongs to another process, which took it over; what this one still had to say is not stored`,
  })
}

export function emptyAppend(run: RunId): RunletError {
  return new RunletError('internal', {
    reason: 'empty_append',
    temporary: false,
    message: `an append to run ${run} carried no events; append at least one`,
  })
}

export function levelUnavailable(durability: Durability, levels: readonly Durability[]): RunletError {
  return new RunletError('unsupported', {
    reason: 'durability_unavailable',
    message: `this store cannot keep durability "${durability}"; it can keep ${levels.join(', ')}`,
  })
}

export function badLimit(limit: number): RunletError {
  return new RunletError('invalid_request', {
    reason: 'limit_out_of_range',
    message: `${limit} is not a number of runs to list; give 1 to 1000`,
  })
}

export function storeClosed(): RunletError {
  return new RunletError('internal', {
    reason: 'store_closed',
    temporary: false,
    message: 'the store was closed; open it again to write',
  })
}
