import { randomUUID } from 'node:crypto'
import { closeSync, existsSync, mkdirSync, openSync, readdirSync, rmSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'
import type { Database, Sqlite } from './sqlite/driver.ts'
import { at, cannotOpen, isBusy, unwritable } from './sqlite/errors.ts'

/** A file younger than this may be about to be locked. */
const SETTLED_MS = 60_000

/**
 * Who is alive: each log that owns runs keeps a file of its own locked while it lives, and the kernel lets go of the
 * lock when its process dies, however it dies. So no process is taken for another that got its number, and it holds
 * between containers that share the folder, where process numbers mean nothing. The locks are SQLite's, which the
 * store depends on anyway.
 */
export class OwnerLock {
  /** The process's number is there for people who look into the folder. */
  readonly id = `${process.pid}-${randomUUID()}`
  readonly #sqlite: Sqlite
  readonly #folder: string
  #lock: Database | undefined

  constructor(sqlite: Sqlite, storePath: string) {
    this.#sqlite = sqlite
    this.#folder = `${storePath}-owners`
  }

  /** Shows that this log is alive. To be called before it owns anything. Throws `forbidden` (`store_unwritable`). */
  hold(): void {
    try {
      this.#lock ??= this.#acquire()
    } catch (cause) {
      throw unwritable(basename(this.#folder), at(this.#folder, cause))
    }
  }

  /** True if the log of that id is alive, in whatever process. */
  held(id: string): boolean {
    if (id === this.id) return this.#lock !== undefined
    const file = this.#file(id)
    if (!existsSync(file)) return false
    let db: Database | undefined
    try {
      db = new this.#sqlite.DatabaseSync(file, { readOnly: true })
      db.exec('BEGIN; SELECT 1 FROM sqlite_master')
      return false
    } catch (thrown) {
      if (isBusy(thrown)) return true
      // It went away in between.
      if (cannotOpen(thrown)) return false
      throw thrown
    } finally {
      db?.close()
    }
  }

  release(): void {
    if (!this.#lock) return
    // First the name, then the lock: nobody finds a file that is neither held nor old.
    rmSync(this.#file(this.id), { force: true })
    this.#lock.close()
    this.#lock = undefined
  }

  #acquire(): Database {
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 })
    this.#sweep()
    const file = this.#file(this.id)
    closeSync(openSync(file, 'wx', 0o600))
    const lock = new this.#sqlite.DatabaseSync(file)
    lock.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE')
    return lock
  }

  /** Removes the files of the dead. */
  #sweep(): void {
    for (const id of readdirSync(this.#folder)) {
      const born = statSync(this.#file(id), { throwIfNoEntry: false })?.mtimeMs ?? Infinity
      if (Date.now() - born > SETTLED_MS && !this.held(id)) rmSync(this.#file(id), { force: true })
    }
  }

  #file(id: string): string {
    return join(this.#folder, id)
  }
}
