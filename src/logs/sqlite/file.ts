/** The database file: its place, its schema, and the two ways to open it. Both threads use this. */
import { accessSync, closeSync, constants, existsSync, fsyncSync, mkdirSync, openSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { isRunletError } from '../../core/error.ts'
import type { Database, Sqlite } from './driver.ts'
import { isBusy, newerStore, notAStore, storeError, unwritable, wouldWrite } from './errors.ts'

export interface FileOptions {
  /** How long to wait for a lock that another process holds. Milliseconds. */
  readonly busyTimeoutMs: number
  /** Largest size that the database may grow to. Bytes. */
  readonly maxFileBytes?: number
}

const FORMAT = 1
/** "RNLT": tells our files from other programs' databases. */
const APPLICATION = 0x524e4c54
const PAGE_BYTES = 4096

/** A batch's key: the run's number above, the seq of its first entry in the low 32 bits. So a run lies in one piece. */
export const LOW = 4_294_967_295

/**
 * One row per batch, clustered by run; its `crc` covers its place as well as its lines. A run's `last` and how it ended
 * are written with its terminal event; until then the last batch tells where the run is, so that an append writes one
 * row and nothing else.
 */
const SCHEMA = `
  CREATE TABLE IF NOT EXISTS runs (
    no INTEGER PRIMARY KEY, run_id TEXT NOT NULL UNIQUE, session_id TEXT NOT NULL, request_id TEXT NOT NULL,
    trace_id TEXT NOT NULL, provider TEXT NOT NULL, model TEXT NOT NULL, durability TEXT NOT NULL,
    title TEXT NOT NULL, created_at INTEGER NOT NULL,
    owner TEXT NOT NULL, epoch INTEGER NOT NULL, epochs TEXT NOT NULL,
    status TEXT NOT NULL, last INTEGER, ended_at INTEGER, finish_reason TEXT, error TEXT, usage TEXT,
    bytes INTEGER, pruned INTEGER NOT NULL DEFAULT 0
  ) STRICT;
  CREATE INDEX IF NOT EXISTS runs_by_time ON runs (created_at);
  CREATE INDEX IF NOT EXISTS runs_by_session ON runs (session_id, created_at);
  CREATE INDEX IF NOT EXISTS runs_by_status ON runs (status, created_at);
  CREATE INDEX IF NOT EXISTS runs_to_prune ON runs (ended_at) WHERE ended_at IS NOT NULL AND pruned = 0;
  CREATE TABLE IF NOT EXISTS requests (no INTEGER PRIMARY KEY, request TEXT NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS batches (
    id INTEGER PRIMARY KEY, epoch INTEGER NOT NULL, last INTEGER NOT NULL, crc INTEGER NOT NULL, lines TEXT NOT NULL
  ) STRICT;
  CREATE TABLE IF NOT EXISTS claims (
    scope TEXT NOT NULL, key TEXT NOT NULL, fingerprint TEXT NOT NULL, no INTEGER NOT NULL,
    expires_at INTEGER NOT NULL, PRIMARY KEY (scope, key)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS claims_by_expiry ON claims (expires_at);
  CREATE TABLE IF NOT EXISTS control (id INTEGER PRIMARY KEY AUTOINCREMENT, no INTEGER NOT NULL, request TEXT NOT NULL) STRICT;
`

/**
 * Opens a store for reading; makes the file if there is none. Throws `unsupported` (`store_newer`), `invalid_request`
 * (`store_not_a_database`) and `forbidden` (`store_unwritable`) without touching the file, and as `storeError`.
 */
export function openStore(sqlite: Sqlite, path: string, { busyTimeoutMs }: FileOptions): Database {
  try {
    makeDirectory(dirname(path))
    accessSync(dirname(path), constants.W_OK)
    if (!existsSync(path)) makeFile(path)
    else if (statSync(path).isFile()) accessSync(path, constants.R_OK | constants.W_OK)
    else throw new Error('not a file')
  } catch (cause) {
    throw unwritable(path, cause)
  }
  try {
    if (statSync(path).size === 0 || !inspect(sqlite, path, busyTimeoutMs)) create(sqlite, path, busyTimeoutMs)
    // Read only, so that closing it moves nothing about in the file, least of all after a write that failed.
    const db = connect(sqlite, path, { readOnly: true, busyTimeoutMs })
    db.exec('PRAGMA cache_size = -8000')
    return db
  } catch (thrown) {
    throw isRunletError(thrown) ? thrown : storeError(path, thrown)
  }
}

/** The one connection that writes. `synchronous` is set for each transaction. */
export function openForWriting(sqlite: Sqlite, path: string, options: FileOptions): Database {
  const db = connect(sqlite, path, options)
  // The writer thread moves the log into the database between two groups; this is for when it misjudged.
  db.exec('PRAGMA wal_autocheckpoint = 16000; PRAGMA journal_size_limit = 67108864; PRAGMA cache_size = -16000')
  if (options.maxFileBytes !== undefined) {
    db.exec(`PRAGMA max_page_count = ${Math.floor(options.maxFileBytes / PAGE_BYTES)}`)
  }
  return db
}

function connect(
  sqlite: Sqlite,
  path: string,
  { readOnly = false, busyTimeoutMs }: FileOptions & { readonly readOnly?: boolean },
): Database {
  const db = new sqlite.DatabaseSync(path, { readOnly })
  db.exec(`PRAGMA busy_timeout = ${busyTimeoutMs}`)
  return db
}

/** With its parents, each of them there after a power cut. Node's own `recursive` loops for ever below `/proc`. */
function makeDirectory(directory: string): void {
  if (existsSync(directory)) return
  makeDirectory(dirname(directory))
  try {
    mkdirSync(directory, { mode: 0o700 })
  } catch (error) {
    if (!existsSync(directory)) throw error
  }
  syncDirectory(dirname(directory))
}

/** SQLite gives its -wal and -shm files the mode of the database. */
function makeFile(path: string): void {
  closeSync(openSync(path, 'a', 0o600))
  syncDirectory(dirname(path))
}

/** A file that was created is there after a power cut only once its directory was synced. */
function syncDirectory(directory: string): void {
  // Windows has no handle for this; its file system journals the names.
  if (process.platform === 'win32') return
  const handle = openSync(directory, 'r')
  try {
    fsyncSync(handle)
  } finally {
    closeSync(handle)
  }
}

/**
 * True if the file is ours, false if it is empty; throws for any other. It looks through SQLite, read only: closing
 * a file handle of our own would drop the locks that SQLite holds on the same file in this process.
 */
function inspect(sqlite: Sqlite, path: string, busyTimeoutMs: number): boolean {
  try {
    return isOurs(path, connect(sqlite, path, { readOnly: true, busyTimeoutMs }))
  } catch (thrown) {
    if (!wouldWrite(thrown)) throw thrown
    // A crash in the middle of a transaction, maybe of the one that made the file. Whoever opens it next undoes that.
    return isOurs(path, connect(sqlite, path, { busyTimeoutMs }))
  }
}

function isOurs(path: string, db: Database): boolean {
  try {
    const version = pragma(db, 'user_version')
    if (pragma(db, 'application_id') !== APPLICATION) {
      const { tables } = db.prepare('SELECT count(*) AS tables FROM sqlite_master').get() as { tables: number }
      if (tables > 0 || version > 0) throw notAStore(path, 'is a database of another program')
      return false
    }
    if (version > FORMAT) throw newerStore(path, version, FORMAT)
    return true
  } finally {
    db.close()
  }
}

/** Two processes may come to a new file at once, so each part does nothing where it was done. */
function create(sqlite: Sqlite, path: string, busyTimeoutMs: number): void {
  const db = connect(sqlite, path, { busyTimeoutMs })
  try {
    db.exec(`PRAGMA page_size = ${PAGE_BYTES}; PRAGMA auto_vacuum = INCREMENTAL; PRAGMA synchronous = FULL`)
    // SQLite does not wait for the lock that changes the mode.
    patiently(busyTimeoutMs, () => db.exec('PRAGMA journal_mode = WAL'))
    db.exec(`
      BEGIN IMMEDIATE; ${SCHEMA}
      PRAGMA application_id = ${APPLICATION}; PRAGMA user_version = ${FORMAT}; COMMIT
    `)
  } finally {
    db.close()
  }
}

function pragma(db: Database, name: string): number {
  return (db.prepare(`PRAGMA ${name}`).get() as Record<string, number>)[name]!
}

/** Does something until no other process is in its way; the thread sleeps meanwhile. */
function patiently(timeoutMs: number, attempt: () => void): void {
  const until = Date.now() + timeoutMs
  for (;;) {
    try {
      return attempt()
    } catch (thrown) {
      if (!isBusy(thrown) || Date.now() >= until) throw thrown
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5)
    }
  }
}
