/** The programs under examples/, each as it would be copied: started, streamed through, cut, left, crowded. */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Entry } from '../src/core/event.ts'
import { emptyView, fold, outputText } from '../src/core/fold.ts'
import { checkOrder } from '../src/core/order.ts'
import { readNdjson, readSse } from '../src/http.ts'

const repo = fileURLToPath(new URL('..', import.meta.url))
const programs = {
  Hono: 'examples/hono.mjs',
  Express: 'examples/express.mjs',
  Fastify: 'examples/fastify.mjs',
  'node:http': 'examples/node-http.mjs',
  Next: 'test/examples/next-server.mjs',
} as const
const framings = [
  ['text/event-stream', readSse],
  ['application/x-ndjson', readNdjson],
] as const

interface Running {
  readonly url: string
  readonly child: ChildProcess
}

async function start(program: string, env: Record<string, string> = {}): Promise<Running> {
  const child = spawn(process.execPath, [program], {
    cwd: repo,
    env: { ...process.env, PORT: '0', PACE: '100000', ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  for await (const line of createInterface(child.stdout)) {
    const url = /^listening on (http:\S+)$/.exec(line)?.[1]
    if (url !== undefined) return { url: `${url}/chat`, child }
  }
  throw new Error(`${program} ended without listening`)
}

async function stop({ child }: Running): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  child.kill('SIGTERM')
  await ended
}

const ask = (url: string, body: object, headers: Record<string, string> = {}, signal?: AbortSignal) =>
  fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
    ...(signal ? { signal } : {}),
  })

async function entriesOf(reader: AsyncIterable<readonly Entry[]>): Promise<Entry[]> {
  const entries: Entry[] = []
  for await (const some of reader) entries.push(...some)
  return entries
}
const answerOf = (entries: readonly Entry[]) => outputText(fold(emptyView, entries))

test('no program is left out', () => {
  const shown = readdirSync(`${repo}examples`).filter((name) => name.endsWith('.mjs'))
  const started = new Set(Object.values(programs).map((path) => path.replace('examples/', '')))
  expect(shown.filter((name) => !started.has(name))).toEqual([])
})

for (const [name, program] of Object.entries(programs)) {
  describe(name, () => {
    let running: Running
    beforeAll(async () => {
      running = await start(program, { CANCEL_ON_DISCONNECT: '1' })
    })
    afterAll(() => stop(running))

    for (const [accept, read] of framings) {
      test(`${accept}: cut anywhere, a stream goes on where it was, and equals the uncut one`, async () => {
        const { url } = running
        const response = await ask(url, { prompt: 'Go on.', model: 'lorem-300' }, { accept })
        const run = response.headers.get('x-run-id')!
        const whole = await entriesOf(read(response))
        checkOrder(whole, { ended: true })
        expect(answerOf(whole).split(' ').length).toBeGreaterThan(250)
        for (let cut = 0; cut < 10; cut++) {
          const gone = new AbortController()
          const entries: Entry[] = []
          const head = read(await fetch(`${url}?run=${run}`, { headers: { accept }, signal: gone.signal }))
          for await (const some of head) {
            // Cut within what came: what lies behind the place is forgotten, as by a page that is reloaded.
            const kept = some.slice(0, 1 + cut * 30 - entries.length)
            entries.push(...kept)
            if (kept.length < some.length) break
          }
          gone.abort()
          const { seq } = entries.at(-1)!
          const tail = await fetch(`${url}?run=${run}`, { headers: { accept, 'last-event-id': `1-${seq}` } })
          entries.push(...(await entriesOf(read(tail, { after: `1-${seq}` }))))
          expect(entries).toEqual(whole)
        }
      })
    }

    test('one that goes is noticed: the run that only it wanted ends', async () => {
      const { url } = running
      const gone = new AbortController()
      const response = await ask(url, { prompt: 'Wait.', model: 'slow' }, {}, gone.signal)
      const run = response.headers.get('x-run-id')!
      const follower = entriesOf(readSse(await fetch(`${url}?run=${run}`)))
      gone.abort()
      expect((await follower).at(-1)!.event).toMatchObject({ type: 'finish', finish_reason: 'cancelled' })
    })

    test('64 clients at once get whole streams', async () => {
      const answers = await Promise.all(
        Array.from({ length: 64 }, async (_, i) => {
          const response = await ask(running.url, { prompt: `I am number ${i} of all these.`, model: 'echo' })
          const entries = await entriesOf(readSse(response))
          checkOrder(entries, { ended: true })
          return answerOf(entries)
        }),
      )
      expect(answers).toEqual(Array.from({ length: 64 }, (_, i) => `I am number ${i} of all these.`))
    })

    test('what cannot be asked is refused, and says why', async () => {
      const refused = await ask(running.url, { prompt: 5 })
      expect([refused.status, await refused.json()]).toMatchObject([400, { reason: 'body_invalid' }])
      const foreign = await ask(running.url, { prompt: 'Hi' }, { origin: 'https://evil.example' })
      expect([foreign.status, await foreign.json()]).toMatchObject([403, { reason: 'origin_refused' }])
    })

    test('a run is ended by DELETE', async () => {
      const response = await ask(running.url, { prompt: 'Wait.', model: 'slow' })
      const url = `${running.url}?run=${response.headers.get('x-run-id')}`
      const cancelled = await fetch(url, { method: 'DELETE' })
      expect(await cancelled.json()).toMatchObject({ status: 'cancelled' })
      expect((await entriesOf(readSse(response))).at(-1)!.event).toMatchObject({ finish_reason: 'cancelled' })
    })
  })
}

test('as the programs come, a run goes on when its client is gone, and the pages are served', async () => {
  const running = await start(programs['node:http'])
  try {
    const gone = new AbortController()
    const response = await ask(running.url, { prompt: 'Hi', model: 'lorem-500' }, {}, gone.signal)
    gone.abort()
    const tail = await fetch(`${running.url}?run=${response.headers.get('x-run-id')}`)
    expect((await entriesOf(readSse(tail))).at(-1)!.event).toMatchObject({ type: 'finish', finish_reason: 'stop' })
    for (const page of ['/', '/fetch.html', '/eventsource.html']) {
      const { status, headers } = await fetch(new URL(page, running.url))
      expect([page, status, headers.get('content-type')]).toEqual([page, 200, 'text/html; charset=utf-8'])
    }
    await stop(running)
    expect(running.child.exitCode).toBe(0)
  } finally {
    await stop(running)
  }
})
