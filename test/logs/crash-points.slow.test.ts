import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { readAll, seqs } from '../../src/testing/log-suite-given.ts'
import { seededRandom } from '../../src/testing/random-run.ts'
import type { Survival } from '../crash/power-cut.ts'
import { powerCuts } from '../crash/power-cut.ts'
import type { Call, Rules } from '../crash/trace.ts'
import { CALLS, isSync, judge, parseTrace } from '../crash/trace.ts'
import type { WriterTask } from './processes.ts'
import { testProcesses } from './processes.ts'
import { testStores } from './stores.ts'

const { place, open } = testStores()
const { startWriter } = testProcesses()

const hasStrace = spawnSync('strace', ['-V']).status === 0
const why = hasStrace ? '' : ' (skipped: needs strace, "apt-get install strace")'

/** Runs a writer under strace; what it prints is what its clients get. */
async function traced(
  task: Partial<WriterTask>,
  more: readonly string[] = [],
): Promise<{ calls: Call[]; lines: string[]; path: string }> {
  const { path = place() } = task
  const file = join(dirname(path), 'trace')
  const strace = ['strace', '-f', '-y', '-s', '1000000', '-o', file, '-e', `trace=${CALLS}`, ...more]
  const writer = startWriter({ ...task, path }, strace)
  expect(await writer.ended).toBe(0)
  return { calls: parseTrace(readFileSync(file, 'latin1')), lines: writer.lines, path }
}

function rulesFor(path: string): Rules {
  return {
    isStore: (target) => [path, `${path}-wal`, `${path}-journal`].includes(target),
    isClient: ({ fd }) => fd === 1,
    stored: /"text":"(run-\d+-\d+ \d+)"/g,
    delivered: /^(run-\d+-\d+ \d+)\n/gm,
    fresh: true,
  }
}

/** Three times opened, written to by four runs at once, and closed, which moves everything into the database. */
const work = { runs: 4, entries: 15, openings: 3 }
const ENTRIES = work.runs * work.entries * work.openings

describe.skipIf(!hasStrace)(`crash points${why}`, () => {
  test('no entry is delivered before it is durable', async () => {
    const { calls, path } = await traced(work)
    const verdict = judge(calls, rulesFor(path))
    expect(verdict.delivered.length).toBe(ENTRIES)
    expect(verdict.early).toEqual([])
  })

  test('that check fails for a writer that syncs nothing, that delivers first, and whose folder is not synced', async () => {
    const lazy = await traced({ ...work, durability: 'os' })
    expect(judge(lazy.calls, rulesFor(lazy.path)).early.length).toBeGreaterThan(0)
    const early = await traced({ ...work, early: true })
    expect(judge(early.calls, rulesFor(early.path)).early.length).toBe(ENTRIES)
    const honest = await traced(work)
    const nameless = honest.calls.filter((call) => !isSync(call) || call.target !== dirname(honest.path))
    expect(judge(nameless, rulesFor(honest.path)).early.length).toBe(ENTRIES)
  })

  test('after a power cut at any moment, whatever the disk kept of unsynced writes, nothing delivered is missing', async () => {
    const cuts = await lossesOf(work)
    expect(cuts.losses).toEqual([])
    expect(cuts.points).toBeGreaterThan(300)
  })

  test('that check fails for a writer that syncs nothing', async () => {
    const cuts = await lossesOf({ ...work, durability: 'os', openings: 1 })
    expect(cuts.losses.length).toBeGreaterThan(0)
  })

  const faults: [call: string, error: string, n: number, reason: string][] = [
    ['fsync,fdatasync', 'EIO', 5, 'store_failed'],
    ['fsync,fdatasync', 'EIO', 30, 'store_failed'],
    ['pwrite64', 'EIO', 30, 'store_failed'],
    ['pwrite64', 'EIO', 101, 'store_failed'],
    ['pwrite64', 'ENOSPC', 64, 'disk_full'],
    ['pwrite64', 'ENOSPC', 153, 'disk_full'],
  ]

  for (const [name, error, n, reason] of faults) {
    test(`${error} from ${name} number ${n} stops the store: nothing is acknowledged after it, nothing before it is lost`, async () => {
      const path = place()
      await (await open(path)).close()
      const inject = ['-e', `inject=${name}:error=${error}:when=${n}+`]
      const { calls, lines } = await traced({ path, runs: 2, entries: 200 }, inject)
      const refused = ['run-1-0', 'run-1-1'].map((run) => `${run} failed internal ${reason}`)
      expect(lines.slice(-2).toSorted()).toEqual(refused)
      const acknowledged = lines.slice(0, -2)
      expect(acknowledged.filter((line) => line.includes('failed'))).toEqual([])
      const rules = { ...rulesFor(path), fresh: false }
      expect(judge(calls, rules).early).toEqual([])
      // What the kernel dropped it takes for written: whoever tries again is told that all is well.
      const failure = calls.findIndex((call) => rules.isStore(call.target) && call.result < 0)
      const later = calls.slice(failure + 1).filter(({ target }) => rules.isStore(target))
      expect(later.map((call) => call.name)).toEqual([])

      const log = await open(path)
      for (const run of ['run-1-0', 'run-1-1']) {
        const entries = await log.find(run).then((found) => (found ? readAll(log, run) : []))
        expect(seqs(entries)).toEqual(entries.map((_, i) => i + 1))
        const acks = acknowledged.filter((line) => line.startsWith(run))
        expect(entries.slice(2, 2 + acks.length).map(({ event }) => 'text' in event && event.text)).toEqual(acks)
      }
    })
  }
})

/** What a disk may make of unsynced writes: none of them, all of them, any of them, any sectors at their beginning. */
function survivals(seed: number): Survival[] {
  const random = seededRandom(seed)
  return [
    () => 0,
    (bytes) => bytes,
    (bytes) => (random() < 0.5 ? bytes : 0),
    (bytes) => Math.min(bytes, 512 * Math.floor(random() * (2 + bytes / 512))),
  ]
}

/** Cuts the power at each moment of a writer's life and reads what is left, as a restart would. */
async function lossesOf(task: Partial<WriterTask>): Promise<{ points: number; losses: string[] }> {
  const { calls, path } = await traced(task)
  const rules = rulesFor(path)
  const { delivered } = judge(calls, rules)
  const losses: string[] = []
  let points = 0
  for (const cut of powerCuts(calls, delivered, rules.isStore)) {
    for (const [kind, survival] of survivals(cut.at).entries()) {
      points++
      const stored = await restart(cut.files(survival))
      const lost = cut.delivered.filter((entry) => !stored.has(entry))
      if (lost.length > 0) losses.push(`line ${cut.at}, disk ${kind}: ${lost.join(', ')}`)
    }
  }
  return { points, losses }
}

/** Puts the files into a folder and gives the entries that a log finds in them. */
async function restart(files: Map<string, Buffer>): Promise<Set<string>> {
  const path = place()
  const folder = join(dirname(path), 'cut')
  mkdirSync(folder)
  for (const [name, content] of files) writeFileSync(join(folder, basename(name)), content)
  const log = await open(join(folder, basename(path)))
  const stored = new Set<string>()
  for (const { run_id } of await log.list()) {
    const entries = await readAll(log, run_id)
    expect(seqs(entries)).toEqual(entries.map((_, i) => i + 1))
    for (const { event } of entries) if ('text' in event) stored.add(event.text)
  }
  await log.close()
  rmSync(folder, { recursive: true })
  return stored
}
