/** Writing events down, so that they are there when the append resolves. */
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { Batch } from '../../src/core/batch.ts'
import type { Durability, RunEvent } from '../../src/core/event.ts'
import type { Log } from '../../src/core/log.ts'
import { memoryLog } from '../../src/logs/memory.ts'
import { sqliteLog } from '../../src/logs/sqlite.ts'
import { expectSame, type Job } from './job.ts'
import { newRun } from './runs.ts'

export interface Load {
  readonly producers: number
  readonly perBatch: number
}

const APPENDS = 20

const delta: RunEvent = { type: 'text.delta', step: 1, text: ' token' }

/** Group commit by hand: whoever appends while a write is under way travels in the next one. */
export const file =
  ({ producers, perBatch }: Load, sync: boolean): Job =>
  async ({ folder }) => {
    const handle = await open(join(folder, 'raw.log'), 'a')
    const entries = Array.from({ length: perBatch }, (_, i) => ({ seq: i + 1, ts: Date.now(), event: delta }))
    const lines = Buffer.from(Batch.of('raw', 1, entries).lines)
    let waiting: (() => void)[] = []
    let writing = false

    async function write(): Promise<void> {
      writing = true
      while (waiting.length > 0) {
        const group = waiting
        waiting = []
        await handle.write(group.length === 1 ? lines : Buffer.concat(group.map(() => lines)))
        if (sync) await handle.datasync()
        for (const done of group) done()
      }
      writing = false
    }
    const append = () =>
      new Promise<void>((resolve, reject) => {
        waiting.push(resolve)
        if (!writing) write().catch(reject)
      })

    let size = 0
    return async () => {
      const produce = async () => {
        for (let i = 0; i < APPENDS; i++) await append()
      }
      await Promise.all(Array.from({ length: producers }, produce))
      size += producers * APPENDS * lines.length
      expectSame('the size of the file', (await handle.stat()).size, size)
      return producers * APPENDS * perBatch
    }
  }

export const runlet =
  (load: Load, durability: Durability): Job =>
  async ({ folder }) => {
    if (durability === 'memory') {
      // A log of its own each time: what it keeps must not pile up.
      return async () => appendAll(await begunRuns(memoryLog(), load, durability), load)
    }
    const runs = await begunRuns(await sqliteLog(join(folder, 'runs.db')), load, durability)
    return () => appendAll(runs, load)
  }

interface BegunRun {
  readonly log: Log
  readonly run: string
  last: number
}

function begunRuns(log: Log, { producers }: Load, durability: Durability): Promise<BegunRun[]> {
  const begin = async (): Promise<BegunRun> => {
    const { run, first } = newRun(durability)
    await log.create(first)
    return { log, run, last: 1 + first.events.length }
  }
  return Promise.all(Array.from({ length: producers }, begin))
}

async function appendAll(runs: readonly BegunRun[], { perBatch }: Load): Promise<number> {
  const events = Array.from({ length: perBatch }, () => delta)
  await Promise.all(
    runs.map(async (begun) => {
      for (let i = 0; i < APPENDS; i++) {
        const { seq } = await begun.log.append(begun.run, 1, events)
        begun.last += perBatch
        expectSame('the last seq', seq, begun.last)
      }
    }),
  )
  return runs.length * APPENDS * perBatch
}
