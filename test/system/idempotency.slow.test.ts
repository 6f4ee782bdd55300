import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Agent, request } from 'undici'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createSim, type Sim } from '../../src/sim/sim.ts'
import { type Daemon, type Home, scratchHome, startDaemon } from './daemon.ts'

let sim: Sim
let home: Home
let agent: Agent

beforeEach(async () => {
  sim = await createSim({ tokensPerSecond: 200 })
  home = scratchHome({ OPENAI_API_KEY: 'sk-sim', OPENAI_BASE_URL: `${sim.url}/v1` })
  agent = new Agent()
})
afterEach(async () => {
  await agent.destroy()
  await sim.close()
  home.remove()
})

interface Answer {
  readonly status: number
  readonly run: string
  readonly replayed: string | undefined
  readonly text: string
}

const body = { model: 'openai/lorem-200', prompt: 'go on' }

async function start(daemon: Daemon, { key = 'k', asked = body } = {}): Promise<Answer> {
  const response = await request(`${daemon.url}/v1/runs`, {
    method: 'POST',
    dispatcher: agent,
    headers: {
      authorization: `Bearer ${daemon.token}`,
      'content-type': 'application/json',
      accept: 'text/event-stream',
      'idempotency-key': key,
    },
    body: JSON.stringify(asked),
  })
  const header = (name: string) => response.headers[name] as string | undefined
  const [run, replayed] = [header('x-run-id') ?? '', header('idempotency-replayed')]
  let text = ''
  try {
    for await (const bytes of response.body.setEncoding('utf8')) text += String(bytes)
  } catch {
    // The daemon was killed: what came until then is what counts.
  }
  return { status: response.statusCode, run, replayed, text }
}

const crowd = (daemon: Daemon, count: number) => Promise.all(Array.from({ length: count }, () => start(daemon)))
const calls = () => sim.requests.filter(({ method }) => method === 'POST').length

test('a thousand identical starts at once make one model call and equal streams; so do a thousand after a kill', async () => {
  let daemon = await startDaemon(home)
  const before = await crowd(daemon, 1_000)
  const [{ run, text }] = before as [Answer]
  expect(text.endsWith('event: done\ndata: {"type":"done","finished":true}\n\n')).toBe(true)
  expect(new Set(before.map((one) => `${one.status} ${one.run}`))).toEqual(new Set([`200 ${run}`]))
  expect(new Set(before.map((one) => one.text))).toEqual(new Set([text]))
  expect(before.filter(({ replayed }) => replayed === undefined)).toHaveLength(1)
  expect(calls()).toBe(1)

  await daemon.kill()
  daemon = await startDaemon(home)
  const after = await crowd(daemon, 1_000)
  expect(new Set(after.map((one) => `${one.status} ${one.run} ${one.replayed}`))).toEqual(new Set([`200 ${run} true`]))
  expect(new Set(after.map((one) => one.text))).toEqual(new Set([text]))
  expect(calls()).toBe(1)
  expect(await start(daemon, { asked: { ...body, prompt: 'stop' } })).toMatchObject({
    status: 422,
    replayed: undefined,
  })
  expect(calls()).toBe(1)
  expect(await daemon.stop()).toBe(0)
})

test('a run that was killed is not made again behind the caller’s back: its key finds how it ended', async () => {
  let daemon = await startDaemon(home)
  const cut = start(daemon, { asked: { ...body, model: 'openai/lorem-2000' } })
  while (calls() === 0 || sim.requests.at(-1)!.bytesSent < 1_000)
    await new Promise((resolve) => setTimeout(resolve, 20))
  await daemon.kill()
  const seen = await cut
  daemon = await startDaemon(home)
  const again = await start(daemon, { asked: { ...body, model: 'openai/lorem-2000' } })
  expect([again.run, again.replayed]).toEqual([seen.run, 'true'])
  expect(again.text).toContain('"reason":"owner_lost"')
  expect([seen.text.length > 500, again.text.startsWith(seen.text)]).toEqual([true, true])
  expect(calls()).toBe(1)
  expect(await daemon.stop()).toBe(0)
})

test('a key holds as long as runlet.toml says, also over a restart', async () => {
  writeFileSync(join(home.path, 'runlet.toml'), '[limits]\nidempotency_ms = 3600000\n')
  let daemon = await startDaemon(home)
  const first = await start(daemon)
  await daemon.kill()
  // A key carries its own end, so a shorter time is for those that come from here on.
  writeFileSync(join(home.path, 'runlet.toml'), '[limits]\nidempotency_ms = 1\n')
  daemon = await startDaemon(home)
  expect([(await start(daemon)).run, (await start(daemon)).replayed]).toEqual([first.run, 'true'])
  const brief = [await start(daemon, { key: 'brief' }), await start(daemon, { key: 'brief' })]
  expect(new Set(brief.map(({ run }) => run)).size).toBe(2)
  expect(await daemon.stop()).toBe(0)
})
