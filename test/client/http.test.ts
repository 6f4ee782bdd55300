import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createClient } from '../../src/client/client.ts'
import { follow } from '../../src/client/follow.ts'
import type { HttpClient } from '../../src/client/http.ts'
import { httpClient } from '../../src/client/http.ts'
import { Batch } from '../../src/core/batch.ts'
import type { Gap } from '../../src/core/log.ts'
import type { ProviderEvent } from '../../src/core/provider.ts'
import type { Runtime } from '../../src/engine/runtime.ts'
import { createRuntime } from '../../src/engine/runtime.ts'
import { memoryLog } from '../../src/logs/memory.ts'
import { createHttpServer } from '../../src/servers/http/server.ts'
import { createToken } from '../../src/servers/http/auth/token.ts'
import { fakeClock } from '../../src/testing/fake-clock.ts'
import { scriptedProvider } from '../../src/testing/scripted-provider.ts'

const baseUrl = 'http://127.0.0.1:7411'
const token = createToken()
const text = ['Grüße, ', '世界 ', '👩‍🚀\u2028', 'and\r\ndata: x\n\n']

const script: ProviderEvent[][] = [
  [{ type: 'start', model: 'm' }],
  ...text.map((piece): ProviderEvent[] => [{ type: 'text', text: piece }]),
  [{ type: 'done', reason: 'stop' }],
]

let runtime: Runtime
let send: typeof fetch
let client: HttpClient

beforeEach(() => {
  runtime = createRuntime({ providers: { test: scriptedProvider([script]) }, log: memoryLog() })
  const server = createHttpServer({ runtime, token })
  send = async (input, init) => server.fetch(new Request(input, init))
  client = httpClient({ baseUrl, token, fetch: send })
})
afterEach(() => runtime.close())

const ask = () => client.start({ model: 'test/m', prompt: 'hello' })

/** The lines of everything that was handed on. */
async function linesOf(records: AsyncIterable<Batch | Gap>): Promise<string> {
  let lines = ''
  for await (const record of records) lines += record instanceof Batch ? record.lines : JSON.stringify(record)
  return lines
}

async function logged(run: string): Promise<string> {
  return linesOf((await runtime.find(run)).read())
}

test('a run that is started and followed gives the lines of the log', async () => {
  const { run_id, session_id, status } = await ask()
  expect(status).toBe('running')
  const lines = await linesOf(client.events(run_id))
  expect(lines).toBe(await logged(run_id))
  const header = await client.find(run_id)
  expect(header).toEqual(await (await runtime.find(run_id)).header())
  expect(header).toMatchObject({ session_id, status: 'completed' })
  expect(await client.list({ session_id, limit: 5 })).toEqual([header])
  expect(await client.cancel(run_id, { reason: 'late' })).toEqual(header)
  await client.health()
})

/** A server whose first stream breaks off behind so many bytes. */
function cutting(at: number): typeof fetch {
  let cut = false
  return async (input, init) => {
    const response = await send(input, init)
    if (cut || !response.body) return response
    cut = true
    let left = at
    const body = response.body.pipeThrough(
      new TransformStream<Uint8Array, Uint8Array>({
        transform(chunk, controller) {
          controller.enqueue(chunk.subarray(0, left))
          left -= chunk.length
          if (left <= 0) controller.terminate()
        },
      }),
    )
    return new Response(body, response)
  }
}

test('cut after every byte of the stream, a follower gets each event once', async () => {
  const { run_id } = await ask()
  const whole = await logged(run_id)
  const bytes = (await (await send(`${baseUrl}/v1/runs/${run_id}/events`, authorised())).arrayBuffer()).byteLength
  expect(bytes).toBeGreaterThan(1000)
  for (let at = 1; at < bytes; at++) {
    const reader = httpClient({ baseUrl, token, fetch: cutting(at) })
    expect(await linesOf(follow((connection) => reader.events(run_id, connection)))).toBe(whole)
  }
})

test('a reader that took every cut for the end would be noticed', async () => {
  const { run_id } = await ask()
  const whole = await logged(run_id)
  const reader = httpClient({ baseUrl, token, fetch: cutting(800) })
  await expect(linesOf(reader.events(run_id))).rejects.toMatchObject({
    code: 'network',
    reason: 'stream_eof_before_done',
  })
  expect(await linesOf(reader.events(run_id, { after: { epoch: 1, seq: 2 } }))).not.toBe(whole)
})

test('from every cursor the rest comes', async () => {
  const { run_id } = await ask()
  const lines = (await logged(run_id)).split(/(?<=\n)/)
  for (let seq = 0; seq <= lines.length; seq++) {
    const rest = await linesOf(client.events(run_id, { after: { epoch: 1, seq } }))
    expect(rest).toBe(lines.slice(seq).join(''))
  }
})

const refusals: [name: string, call: () => Promise<unknown>, expected: object][] = [
  ['an unknown run', () => client.find('nope'), { code: 'not_found', reason: 'run_unknown', status: 404 }],
  [
    'an unknown model',
    () => client.start({ model: 'x/y', prompt: 'p' }),
    { code: 'not_found', reason: 'model_unknown' },
  ],
  [
    'an empty prompt',
    () => client.start({ model: 'test/m', prompt: ' ' }),
    { code: 'invalid_request', reason: 'empty_prompt' },
  ],
  [
    'a wrong token',
    () => httpClient({ baseUrl, token: 'x', fetch: send }).list(),
    { code: 'unauthorized', reason: 'token_wrong' },
  ],
  ['no token', () => httpClient({ baseUrl, fetch: send }).list(), { code: 'unauthorized', reason: 'token_missing' }],
]
for (const [name, call, expected] of refusals) {
  test(`what the server refuses comes as its error: ${name}`, async () => {
    await expect(call()).rejects.toMatchObject(expected)
  })
}

const strangers: [name: string, answer: () => Response, expected: object][] = [
  [
    'a page',
    () => new Response('<h1>nginx</h1>', { status: 502 }),
    { code: 'network', reason: 'not_runlet', temporary: true },
  ],
  ['another API', () => Response.json({ error: 'x' }, { status: 404 }), { code: 'not_found', reason: 'not_runlet' }],
  ['no JSON under 200', () => new Response('hello'), { code: 'network', reason: 'server_unreachable' }],
]
for (const [name, answer, expected] of strangers) {
  test(`something else that answers is not taken for Runlet: ${name}`, async () => {
    const stranger = httpClient({ baseUrl, token, fetch: async () => answer() })
    await expect(stranger.find('x')).rejects.toMatchObject(expected)
  })
}

test('a server that cannot be reached is a network error with the fix', async () => {
  const failing = httpClient({ baseUrl, fetch: () => Promise.reject(new TypeError('fetch failed')) })
  await expect(failing.list()).rejects.toMatchObject({
    code: 'network',
    message: `the Runlet server at ${baseUrl} cannot be reached; check that it runs ("runlet serve" starts one)`,
  })
})

test('a stream that says nothing, not even that it lives, counts as broken; a comment is a sign of life', async () => {
  const clock = fakeClock()
  let stream: ReadableStreamDefaultController<Uint8Array> | undefined
  const body = new ReadableStream<Uint8Array>({ start: (controller) => void (stream = controller) })
  const reader = httpClient({
    baseUrl,
    clock,
    silenceMs: 1000,
    fetch: async (_input, init) => {
      init?.signal?.addEventListener('abort', () => stream?.error(init.signal?.reason))
      return new Response(body)
    },
  })
  let error: unknown
  const reading = linesOf(reader.events('run')).catch((thrown: unknown) => (error = thrown))
  await clock.advance(900)
  stream?.enqueue(new TextEncoder().encode(': keep-alive\n\n'))
  await clock.advance(900)
  expect(error).toBeUndefined()
  await clock.advance(100)
  await reading
  expect(error).toMatchObject({ code: 'network', reason: 'stream_silent' })
  expect(clock.pending).toBe(0)
})

const ends: [record: string, reason: string][] = [
  ['overflow', 'reader_too_slow'],
  ['closing', 'server_closing'],
]
for (const [event, reason] of ends) {
  test(`a connection that the server ends with "${event}" is one to come back from`, async () => {
    const frame = `event: ${event}\ndata: {"type":"${event}","reason":"x","cursor":"1-3"}\n\n`
    const reader = httpClient({ baseUrl, fetch: async () => new Response(frame) })
    await expect(linesOf(reader.events('run'))).rejects.toMatchObject({ code: 'network', reason, temporary: true })
  })
}

test('the token goes in a header to the server’s own origin, and never follows a redirect', async () => {
  const calls: [string, RequestInit | undefined][] = []
  const spy: typeof fetch = async (input, init) => {
    calls.push([input as string, init])
    return Response.json({ runs: [] })
  }
  await httpClient({ baseUrl: `${baseUrl}/`, token, fetch: spy }).list({ limit: 3 })
  expect(calls).toHaveLength(1)
  expect(calls[0]![0]).toBe(`${baseUrl}/v1/runs?limit=3`)
  expect(calls[0]![1]).toMatchObject({ redirect: 'error', headers: { authorization: `Bearer ${token}` } })
})

const authorised = () => ({ headers: { authorization: `Bearer ${token}` } })

const bases: [options: unknown, message: string][] = [
  [undefined, 'baseUrl is missing; give for example http://127.0.0.1:7411'],
  [{ baseURL: baseUrl }, 'baseUrl is missing; give for example http://127.0.0.1:7411'],
  [{ baseUrl: '127.0.0.1:7411' }, 'baseUrl is 127.0.0.1:7411; give for example http://127.0.0.1:7411'],
  [{ baseUrl: 'localhost:7411/' }, 'baseUrl is localhost:7411; give for example http://127.0.0.1:7411'],
]
for (const [options, message] of bases) {
  test(`no client is made with ${JSON.stringify(options)}`, () => {
    expect(() => createClient(options as never)).toThrow(
      expect.objectContaining({ code: 'invalid_request', reason: 'bad_base_url', message }),
    )
  })
}

test('what start resolves with is no id of a run', async () => {
  const started = { run_id: 'r' } as never
  const refusal = { code: 'invalid_request', reason: 'bad_run_id', message: 'give the id of a run, a string' }
  const whole = createClient({ baseUrl, token, fetch: send })
  expect(() => whole.follow(started)).toThrow(expect.objectContaining(refusal))
  await expect(whole.find(started)).rejects.toMatchObject(refusal)
  await expect(whole.cancel(started)).rejects.toMatchObject(refusal)
})

const other = baseUrl.slice(0, -1)
const pages: [origin: string, hint: string][] = [
  [other, `, or does not let pages of ${other} call (runlet serve --origin ${other})`],
  [baseUrl, ''],
]
for (const [origin, hint] of pages) {
  test(`a page of ${origin} is told what may keep it from the server`, async () => {
    vi.stubGlobal('location', { origin })
    const refused = httpClient({ baseUrl, fetch: () => Promise.reject(new TypeError('Failed to fetch')) })
    await expect(refused.health()).rejects.toMatchObject({
      reason: 'server_unreachable',
      message: `the Runlet server at ${baseUrl} cannot be reached${hint}; check that it runs ("runlet serve" starts one)`,
    })
    vi.unstubAllGlobals()
  })
}
