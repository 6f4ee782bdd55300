import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { Log } from '../../src/core/log.ts'
import { memoryLog, sharedMemory } from '../../src/logs/memory.ts'
import { sqliteLog } from '../../src/logs/sqlite.ts'
import type { LogPlace } from '../../src/testing/log-suite.ts'
import { logCases } from '../../src/testing/log-suite.ts'

/** Each makes an empty store and a way to remove it. */
const stores: Record<string, () => { place: LogPlace; remove: () => void }> = {
  memory() {
    const memory = sharedMemory()
    return { place: { open: async (options) => memoryLog({ ...options, memory }) }, remove: () => {} }
  },
  sqlite() {
    const folder = mkdtempSync(join(tmpdir(), 'runlet-log-'))
    const path = join(folder, 'runs.db')
    return {
      place: { open: (options) => sqliteLog(path, options) },
      remove: () => rmSync(folder, { recursive: true }),
    }
  },
}

for (const [name, make] of Object.entries(stores)) {
  describe(`${name} log`, () => {
    for (const { name: promise, run } of logCases) {
      test(promise, async () => {
        const { place, remove } = make()
        const logs: Log[] = []
        try {
          const open: LogPlace['open'] = async (options) => {
            const log = await place.open(options)
            logs.push(log)
            return log
          }
          await expect(run({ open })).resolves.toBeUndefined()
        } finally {
          for (const log of logs) await log.close()
          remove()
        }
      })
    }
  })
}
