import { RunletError } from '../../core/error.ts'

/**
 * What is used of `node:sqlite`; `@photostructure/sqlite` has the same API. Early versions know neither a `timeout` nor
 * parameters that are numbered.
 */
export interface Sqlite {
  readonly DatabaseSync: new (path: string, options?: { readonly readOnly?: boolean }) => Database
}

export interface Database {
  readonly isTransaction?: boolean
  exec(sql: string): void
  prepare(sql: string): Statement
  close(): void
}

export type Value = string | number | null

export interface Statement {
  run(...values: Value[]): { readonly changes: number | bigint; readonly lastInsertRowid: number | bigint }
  get(...values: Value[]): unknown
  all(...values: Value[]): unknown[]
  iterate(...values: Value[]): IterableIterator<unknown>
  /** Not in every Node that has `node:sqlite`. */
  setReturnArrays?(enabled: boolean): void
}

/**
 * Node's own SQLite, or the package that brings the same API to a Node without one. Throws `unsupported` with reason
 * `sqlite_missing`.
 */
export async function loadSqlite(): Promise<Sqlite> {
  const own = builtIn()
  if (own) return own
  try {
    return await import('@photostructure/sqlite')
  } catch (cause) {
    throw new RunletError('unsupported', {
      reason: 'sqlite_missing',
      message:
        'this Node has no SQLite. Take Node 22.13 or later, or run "npm install @photostructure/sqlite"; ' +
        'without either, runs can be kept in memory only (--store memory:)',
      cause,
    })
  }
}

function builtIn(): Sqlite | undefined {
  // Node 22 and 24 warn on stderr, once per thread, that the module is experimental. Its users cannot act on that.
  // oxlint-disable-next-line typescript/unbound-method -- it is put back as it was
  const { emitWarning } = process
  process.emitWarning = () => {}
  try {
    return process.getBuiltinModule('node:sqlite') as Sqlite | undefined
  } finally {
    process.emitWarning = emitWarning
  }
}
