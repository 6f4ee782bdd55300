import { afterAll, beforeAll, expect, test } from 'vitest'
import { createSim, type Sim } from '../../src/sim/sim.ts'
import { type Home, scratchHome, startDaemon, type Daemon } from './daemon.ts'
import { readRun, seqOf, type Sight } from './sse-reader.ts'

/** `RUNLET_KILLS=200 npx vitest run test/system/kill` for the long form. */
const kills = Number(process.env['RUNLET_KILLS'] ?? 12)

let sim: Sim
let home: Home

beforeAll(async () => {
  sim = await createSim({ tokensPerSecond: 400 })
  home = scratchHome({ OPENAI_API_KEY: 'sk-sim', OPENAI_BASE_URL: `${sim.url}/v1` })
})
afterAll(async () => {
  await sim.close()
  home.remove()
})

test(`a daemon killed ${kills} times in mid-run loses no event that a client saw, and every run has one ending`, async () => {
  const sights = new Map<string, Sight>()
  let daemon = await startDaemon(home)
  for (let cycle = 0; cycle < kills; cycle++) {
    const runs = await Promise.all(Array.from({ length: 3 }, () => start(daemon)))
    const reading = runs.map((run) => {
      const sight: Sight = { seen: [], done: false }
      sights.set(run, sight)
      return readRun(daemon, run, { sight })
    })
    // At a random moment: mostly within the answers, now and then before the first token or after the end.
    await new Promise((resolve) => void setTimeout(resolve, Math.random() * 700))
    await daemon.kill()
    await Promise.all(reading)
    daemon = await startDaemon(home)
  }

  let together = 0
  for (const [run, before] of sights) {
    const whole = await readRun(daemon, run)
    expect(whole.seen.slice(0, before.seen.length), `what was seen of ${run} is what is stored`).toEqual(before.seen)
    expect(whole.seen.map(seqOf), `run ${run} has no hole`).toEqual(whole.seen.map((_, i) => i + 1))
    const endings = whole.seen.filter(({ data }) => /^\{"type":"(finish|error)"/.test(data))
    expect(endings, `run ${run} has one ending`).toEqual([whole.seen.at(-1)])
    expect(whole.done).toBe(true)
    const resumed = await readRun(daemon, run, { sight: { seen: [...before.seen], done: false } })
    expect(resumed.seen, `run ${run} can be resumed where the client was`).toEqual(whole.seen)
    together += before.seen.length
  }
  expect(sights.size).toBe(kills * 3)
  expect(together, 'clients saw something before the kills').toBeGreaterThan(kills * 10)
  expect(await daemon.stop()).toBe(0)
})

async function start(daemon: Daemon): Promise<string> {
  const response = await daemon.fetch('/v1/runs', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'openai/lorem-200', prompt: 'go on' }),
  })
  expect(response.status).toBe(202)
  return (await response.json()).run_id
}
