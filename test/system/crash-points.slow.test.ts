import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createSim, type Sim } from '../../src/sim/sim.ts'
import { CALLS, judge, parseTrace, type Verdict } from '../crash/trace.ts'
import { scratchHome, startDaemon } from './daemon.ts'
import { readRun } from './sse-reader.ts'

const hasStrace = spawnSync('strace', ['-V']).status === 0
const why = hasStrace ? '' : ' (skipped: needs strace, "apt-get install strace")'

const words = Array.from({ length: 200 }, (_, i) => `w${i + 1}`)
let sim: Sim

beforeAll(async () => {
  sim = await createSim({ tokensPerSecond: 500 })
})
afterAll(() => sim.close())

/** Lets a daemon answer under strace, with two clients reading, and judges what it sent them. */
async function verdictOn(durability: 'sync' | 'os'): Promise<Verdict> {
  const home = scratchHome({ OPENAI_API_KEY: 'sk-sim', OPENAI_BASE_URL: `${sim.url}/v1` })
  try {
    const trace = join(home.path, 'trace')
    const wrap = ['strace', '-f', '-y', '-s', '1000000', '-o', trace, '-e', `trace=${CALLS}`]
    const daemon = await startDaemon(home, { wrap })
    const response = await daemon.fetch('/v1/runs', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'openai/echo', prompt: words.join(' '), durability }),
    })
    const { run_id } = await response.json()
    const sights = await Promise.all([readRun(daemon, run_id), readRun(daemon, run_id)])
    expect(sights.map(({ done }) => done)).toEqual([true, true])
    await daemon.stop()
    const store = join(home.path, 'runlet.db')
    return judge(parseTrace(readFileSync(trace, 'latin1')), {
      isStore: (path) => [store, `${store}-wal`].includes(path),
      isClient: ({ target }) => /^(?:socket|TCP):/.test(target),
      // The provider's answer comes in by reads, which are not traced; what stands here went out to a client.
      stored: /"text":" ?(w\d+)\b/g,
      delivered: /"text":" ?(w\d+)\b/g,
      fresh: true,
    })
  } finally {
    home.remove()
  }
}

describe.skipIf(!hasStrace)(`what the daemon sends${why}`, () => {
  test('was written and synced before it left, word for word', async () => {
    const { delivered, early } = await verdictOn('sync')
    expect(delivered.map(({ entry }) => entry)).toEqual(words)
    expect(early).toEqual([])
  })

  test('was not, where the run asked for less; so this check can fail', async () => {
    const { delivered, early } = await verdictOn('os')
    expect(delivered.map(({ entry }) => entry)).toEqual(words)
    expect(early.length).toBeGreaterThan(0)
  })
})
