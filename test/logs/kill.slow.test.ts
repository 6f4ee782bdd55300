import { expect, test } from 'vitest'
import type { Log } from '../../src/core/log.ts'
import { failure, readAll, seqs } from '../../src/testing/log-suite-given.ts'
import { seededRandom } from '../../src/testing/random-run.ts'
import { testProcesses } from './processes.ts'
import { testStores } from './stores.ts'

const { place, open } = testStores()
const { startWriter } = testProcesses()

/** How often a writer is killed; `RUNLET_KILLS=1000` for a night. */
const KILLS = Number(process.env['RUNLET_KILLS'] ?? 20)
const RUNS = 8

/** Entries acknowledged to a writer, by run: it prints `RUN NUMBER` after each append. */
function acknowledged(lines: readonly string[]): Map<string, number> {
  const last = new Map<string, number>()
  for (const line of lines) {
    const [run = '', number] = line.split(' ')
    last.set(run, Math.max(last.get(run) ?? 0, Number(number)))
  }
  return last
}

/** What the writer stored of a run: `start`, `step.start`, then its entries, which count from 1. */
async function storedEntries(log: Log, run: string): Promise<number> {
  const entries = await readAll(log, run)
  expect(seqs(entries)).toEqual(entries.map((_, i) => i + 1))
  const texts = entries.slice(2).map(({ event }) => ('text' in event ? event.text : event.type))
  expect(texts).toEqual(texts.map((_, i) => `${run} ${i + 1}`))
  return texts.length
}

for (const durability of ['sync', 'os'] as const) {
  test(`${KILLS} times killed, nothing that was acknowledged is lost, doubled or out of order (${durability})`, async () => {
    const path = place()
    const random = seededRandom(KILLS)
    const runs: string[] = []
    for (let kill = 1; kill <= KILLS; kill++) {
      const name = `kill${kill}`
      const writer = startWriter({ path, name, durability, runs: RUNS })
      await writer.printed(Math.floor(random() * random() * 2000))
      writer.process.kill('SIGKILL')
      expect(await writer.ended).toBe('SIGKILL')

      const log = await open(path)
      const acks = acknowledged(writer.lines)
      // What is stored and was not acknowledged is one append of each run at most.
      for (const [run, last] of acks) expect([last, last + 1]).toContain(await storedEntries(log, run))
      const orphans = (await log.orphans()).map(({ run_id }) => run_id)
      expect([...acks.keys()].filter((run) => !orphans.includes(run))).toEqual([])
      for (const run of orphans) {
        const count = await storedEntries(log, run)
        expect(await log.takeOver(run)).toBe(2)
        await log.append(run, 2, [failure])
        const entries = await readAll(log, run, { follow: true })
        expect(entries.at(-1)).toMatchObject({ seq: count + 3, epoch: 2, event: failure })
        runs.push(run)
      }
      expect(await log.orphans()).toEqual([])
      await log.close()
    }
    const log = await open(path)
    expect((await log.list({ limit: 1000 })).every(({ status }) => status === 'failed')).toBe(true)
    expect(runs.length).toBeGreaterThan(0)
  })
}

test('a writer that prints before it appends is caught: the loop sees what is lost', async () => {
  const path = place()
  let lost = 0
  for (let kill = 1; kill <= 20 && lost === 0; kill++) {
    const writer = startWriter({ path, name: `early${kill}`, runs: RUNS, early: true })
    await writer.printed(20 + kill)
    writer.process.kill('SIGKILL')
    await writer.ended
    const log = await open(path)
    for (const [run, last] of acknowledged(writer.lines)) if ((await storedEntries(log, run)) < last) lost++
    await log.close()
  }
  expect(lost).toBeGreaterThan(0)
})
