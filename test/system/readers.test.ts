import { spawn } from 'node:child_process'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createSim, type Sim } from '../../src/sim/sim.ts'
import { program, runlet, scratchHome, startDaemon, type Daemon, type Home } from './daemon.ts'
import { readRun, textSeen } from './sse-reader.ts'

let sim: Sim
let home: Home
let daemon: Daemon

beforeAll(async () => {
  sim = await createSim({ tokensPerSecond: 200 })
  home = scratchHome({ OPENAI_API_KEY: 'sk-sim', OPENAI_BASE_URL: `${sim.url}/v1` })
  daemon = await startDaemon(home)
})
afterAll(async () => {
  await daemon.stop()
  await sim.close()
  home.remove()
})

/** Starts `runlet …` and hands out its output as it grows. */
function open(args: readonly string[]) {
  const child = spawn(process.execPath, [program, ...args], { env: home.env, cwd: home.path })
  child.stdin.end()
  let stdout = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  return {
    child,
    get stdout() {
      return stdout
    },
    ended: new Promise<number | null>((resolve) => child.once('close', resolve)),
  }
}

/** The run that is going on, as soon as there is one. */
async function liveRun(): Promise<string> {
  for (;;) {
    const { runs } = await (await daemon.fetch('/v1/runs?status=running')).json()
    if (runs.length > 0) return runs[0].run_id
  }
}

describe('one run, many readers', () => {
  test('ask, two follows and an SSE client that resumes in the middle see the same text', async () => {
    const ask = open(['ask', '--model', 'openai/lorem-150', 'go on'])
    const run = await liveRun()
    const follows = [open(['follow', run]), open(['follow', run])]
    const half = await readRun(daemon, run, { limit: 60 })
    const whole = await readRun(daemon, run, { sight: half })
    expect(whole.done).toBe(true)
    const text = textSeen(whole)
    expect(text.length).toBeGreaterThan(300)
    expect(await ask.ended).toBe(0)
    for (const follow of follows) expect(await follow.ended).toBe(0)
    expect(ask.stdout.trimEnd()).toBe(text.trimEnd())
    expect(follows.map(({ stdout }) => stdout.trimEnd())).toEqual([text.trimEnd(), text.trimEnd()])
  })

  test('a cancel from another process ends the run for all, and closes the connection to the provider', async () => {
    const ask = open(['ask', '--model', 'openai/lorem-5000', 'go on'])
    const run = await liveRun()
    const follow = open(['follow', run])
    await readRun(daemon, run, { limit: 20 })
    const cancel = await runlet(home, ['cancel', run])
    expect(cancel.status).toBe(0)
    expect(await ask.ended).toBe(130)
    expect(await follow.ended).toBe(130)
    expect(follow.stdout.trimEnd()).toBe(ask.stdout.trimEnd())
    expect(sim.requests.at(-1)).toMatchObject({ closedByClient: true, ending: 'client_closed' })
    const header = await (await daemon.fetch(`/v1/runs/${run}`)).json()
    expect(header).toMatchObject({ status: 'cancelled', finish_reason: 'cancelled' })
    expect(header.output_text.trimEnd()).toBe(ask.stdout.trimEnd())
  })
})
