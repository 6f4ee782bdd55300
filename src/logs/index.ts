import { RunletError } from '../core/error.ts'
import type { Log } from '../core/log.ts'
import { memoryLog } from './memory.ts'
import { sqliteLog } from './sqlite.ts'

/** The stores there are, by the word before the colon of `--store`. Each is handed what stands behind it. */
export const logs = {
  memory: async () => memoryLog(),
  sqlite: (path: string) => sqliteLog(path),
} satisfies Record<string, (place: string) => Promise<Log>>

/**
 * Opens the store that `spec` names: `memory:`, `sqlite:PATH`, or just a path, which is a SQLite file. Throws
 * `invalid_request` with reason `store_unknown`, and what the store throws.
 */
export async function openLog(spec: string): Promise<Log> {
  // One letter is a drive, not a store.
  const named = /^([a-z][a-z0-9+-]+):(.*)$/is.exec(spec)
  if (!named) return logs.sqlite(spec)
  const name = named[1]!.toLowerCase()
  if (isStore(name)) return logs[name](named[2]!)
  throw new RunletError('invalid_request', {
    reason: 'store_unknown',
    message: `"${name}:" is not a store; there are ${Object.keys(logs).join(', ')}, or give the path of a file`,
  })
}

const isStore = (name: string): name is keyof typeof logs => Object.hasOwn(logs, name)
