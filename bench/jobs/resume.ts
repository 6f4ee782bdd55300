/** From a cursor to the bytes for a client: reading a long run from its log, and spelling it as server-sent events. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { START } from '../../src/core/cursor.ts'
import type { RunHeader, Log } from '../../src/core/log.ts'
import { gai } from '../../src/formats/gai.ts'
import { memoryLog } from '../../src/logs/memory.ts'
import { sqliteLog } from '../../src/logs/sqlite.ts'
import { countMarks } from '../mark.ts'
import { expectSame, type Job } from './job.ts'
import { storedRun } from './runs.ts'

const EVENTS = 10_000

/** The bytes that a reader from the start gets. */
async function* framesOf(log: Log, header: RunHeader): AsyncGenerator<Uint8Array, void, undefined> {
  const encoder = gai.open(header, { framing: 'sse' })
  for await (const record of log.read(header.run_id, { after: START })) {
    if (record.type === 'gap') throw new Error('the log has a gap')
    yield encoder.batch(record)
  }
}

async function resume(log: Log, header: RunHeader): Promise<number> {
  let events = 0
  for await (const frames of framesOf(log, header)) events += countMarks(frames as Buffer)
  expectSame('events', events, EVENTS)
  return EVENTS
}

/** The same bytes, which somebody made before, read from a file and copied. */
export const copy: Job = async ({ folder }) => {
  const log = memoryLog()
  const path = join(folder, 'frames')
  const chunks: Uint8Array[] = []
  for await (const frames of framesOf(log, await storedRun(log, EVENTS, 16))) chunks.push(frames)
  writeFileSync(path, Buffer.concat(chunks))
  return () => {
    expectSame('events', countMarks(Buffer.from(readFileSync(path))), EVENTS)
    return EVENTS
  }
}

export const inMemory =
  (perBatch: number): Job =>
  async () => {
    const log = memoryLog()
    const header = await storedRun(log, EVENTS, perBatch)
    return () => resume(log, header)
  }

export const stored =
  (perBatch: number): Job =>
  async ({ folder }) => {
    const log = await sqliteLog(join(folder, 'runs.db'))
    const header = await storedRun(log, EVENTS, perBatch)
    return () => resume(log, header)
  }
