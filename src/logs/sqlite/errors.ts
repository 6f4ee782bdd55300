import { basename } from 'node:path'
import { RunletError } from '../../core/error.ts'

/** SQLite's primary result codes that mean something of their own here: https://sqlite.org/rescode.html */
const BUSY = 5
const READ_ONLY = 8
const CORRUPT = 11
const FULL = 13
const CANNOT_OPEN = 14
const NOT_A_DATABASE = 26

/** The primary result code of what SQLite threw; undefined for anything else. */
function resultCode(thrown: unknown): number | undefined {
  if (!(thrown instanceof Error) || !('errcode' in thrown)) return undefined
  return typeof thrown.errcode === 'number' ? thrown.errcode & 0xff : undefined
}

/** True if another connection holds the lock that was needed. */
export const isBusy = (thrown: unknown) => resultCode(thrown) === BUSY

/** True if something would have to be written, if only to undo what a crash left half done. */
export const wouldWrite = (thrown: unknown) => resultCode(thrown) === READ_ONLY

/** True if there is no file to open, or none that may be. */
export const cannotOpen = (thrown: unknown) => resultCode(thrown) === CANNOT_OPEN

/**
 * The typed error for what SQLite threw while it read `path`. As with `storeError`, its message reaches clients of a
 * server and so says the name of the file only; where that is stands in the cause, for the log.
 */
export function readError(path: string, thrown: unknown): RunletError {
  const code = resultCode(thrown)
  if (code === BUSY || code === CORRUPT || code === NOT_A_DATABASE) return storeError(path, thrown)
  return new RunletError('internal', {
    reason: 'store_unreadable',
    temporary: false,
    message: `reading ${basename(path)} failed. Check the disk`,
    cause: at(path, thrown),
  })
}

/** The typed error for what SQLite threw while it opened or wrote `path`. */
export function storeError(path: string, thrown: unknown): RunletError {
  const name = basename(path)
  const cause = at(path, thrown)
  switch (resultCode(thrown)) {
    case BUSY:
      return new RunletError('internal', {
        reason: 'store_locked',
        message: `another program keeps ${name} locked; close what has it open for writing (a database browser, a backup), then try again`,
        cause,
      })
    case FULL:
      return new RunletError('internal', {
        reason: 'disk_full',
        status: 507,
        temporary: false,
        message: `there is no room left for ${name}: nothing more is stored, what is stored can still be read. Free some space ("runlet prune" forgets old runs), then start again`,
        cause,
      })
    case CORRUPT:
      return new RunletError('internal', {
        reason: 'store_corrupt',
        temporary: false,
        message: `${name} is damaged. Move it away together with its -wal file and start with a new one; "sqlite3 FILE .recover" may save what it held`,
        cause,
      })
    case NOT_A_DATABASE:
      // Found when it is opened, by whoever named it.
      return notAStore(path, 'is not a database', cause)
    case CANNOT_OPEN:
      return unwritable(path, cause)
    default:
      return new RunletError('internal', {
        reason: 'store_failed',
        temporary: false,
        message: `writing ${name} failed: nothing more is stored, because what the disk holds is not certain any more. Check the disk, then start again`,
        cause,
      })
  }
}

/** What was thrown, with the place that it is about. */
export function at(path: string, thrown: unknown): Error {
  return new Error(`${path}: ${thrown instanceof Error ? thrown.message : String(thrown)}`, { cause: thrown })
}

export function notAStore(path: string, what: string, cause?: unknown): RunletError {
  return new RunletError('invalid_request', {
    reason: 'store_not_a_database',
    message: `${path} ${what}, so runs cannot be kept in it; it was left as it is. Name another file`,
    cause,
  })
}

export function newerStore(path: string, version: number, known: number): RunletError {
  return new RunletError('unsupported', {
    reason: 'store_newer',
    message: `${path} was written by a later Runlet (format ${version}; this one knows ${known}) and was left as it is. Update Runlet, or name another file`,
  })
}

/** `path` as whoever reads the message may know it. */
export function unwritable(path: string, cause: unknown): RunletError {
  return new RunletError('forbidden', {
    reason: 'store_unwritable',
    message: `${path} cannot be opened for writing. Check that its folder exists and belongs to you, or name another file`,
    cause,
  })
}
