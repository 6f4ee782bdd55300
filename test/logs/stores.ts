/** Stores of a test's own, and ways to fill them. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach } from 'vitest'
import type { Log } from '../../src/core/log.ts'
import type { SqliteLogOptions } from '../../src/logs/sqlite.ts'
import { sqliteLog } from '../../src/logs/sqlite.ts'

export interface TestStores {
  /** A path in an empty folder of this test's own. */
  readonly place: () => string
  /** Opens a log that is closed behind the test. */
  readonly open: (path: string, options?: SqliteLogOptions) => Promise<Log>
}

/** To be called once in a test file. */
export function testStores(): TestStores {
  const folders: string[] = []
  const logs: Log[] = []
  afterEach(async () => {
    for (const log of logs.splice(0)) await log.close()
    for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
  })
  return {
    place() {
      const folder = mkdtempSync(join(tmpdir(), 'runlet-log-'))
      folders.push(folder)
      return join(folder, 'runs.db')
    },
    async open(path, options) {
      const log = await sqliteLog(path, options)
      logs.push(log)
      return log
    },
  }
}
