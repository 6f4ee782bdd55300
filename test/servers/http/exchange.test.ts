import { describe, expect, test } from 'vitest'
import { RunletError } from '../../../src/core/error.ts'
import type { RunEvent } from '../../../src/core/event.ts'
import type { Diagnostic } from '../../../src/engine/runtime.ts'
import type { Answered } from '../../../src/servers/http/requests/exchange.ts'
import { routes } from '../../../src/servers/http/routes.ts'
import { connect, MANY, mebibyte, settled } from './connected.ts'
import { lab, runEnds, stepBegins, texts } from './lab.ts'
import { rawRequest } from './raw-reader.ts'

const BEGIN: readonly RunEvent[] = stepBegins

describe('X-Request-Id', () => {
  test('is on every answer of every route, whatever it is', async () => {
    const l = lab()
    // Ended, so that neither a stream nor a cancel waits.
    await l.begin(BEGIN, 'run_lab')
    await l.log.append('run_lab', 1, runEnds)
    const paths = [...new Set(routes.map(({ path }) => path.replace(':id', 'run_lab'))), '/nowhere']
    for (const path of paths) {
      for (const [method, headers] of [
        ['GET', {}],
        ['POST', {}],
        ['DELETE', {}],
        ['GET', { authorization: 'Bearer wrong' }],
        ['GET', { origin: 'https://evil.example' }],
        ['GET', { host: 'evil.example' }],
      ] as const) {
        const response = await l.ask(path, { method, headers: { ...headers, 'x-request-id': 'req-1' } })
        expect([path, method, response.headers.get('x-request-id')]).toEqual([path, method, 'req-1'])
        await response.body?.cancel()
      }
    }
  })

  test('is made where the caller has none, or one that no header may give back', async () => {
    const l = lab()
    for (const id of [undefined, 'a b', 'x'.repeat(129), 'ä']) {
      const response = await l.ask('/healthz', id === undefined ? {} : { headers: { 'x-request-id': id } })
      expect(response.headers.get('x-request-id')).toMatch(
        /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/,
      )
    }
  })

  test('is on a stream that goes straight to its socket', async () => {
    const l = await connect()
    const id = await l.begin()
    const reader = rawRequest({
      port: l.port,
      path: `/v1/runs/${id}/events`,
      headers: { Authorization: `Bearer ${l.token}`, 'X-Request-Id': 'req-2' },
    })
    expect(await reader.head).toMatch(/^x-request-id: req-2\r?$/im)
    reader.socket.destroy()
    await settled()
  })
})

describe('who watches a server', () => {
  test('is told of each answer as it begins: by the pattern of its path, never by what stands in it', async () => {
    const answers: Answered[] = []
    const l = lab({ onAnswer: (answered) => answers.push(answered) })
    const id = await l.begin(BEGIN)
    const TRACE = '0af7651916cd43dd8448eb211c80319c'
    await l.ask(`/v1/runs/${id}?secret=1`)
    await l.ask(`/v1/runs/${id}`, { headers: { traceparent: `00-${TRACE}-b7ad6b7169203331-01`, 'x-request-id': 'r' } })
    await (await l.ask(`/v1/runs/${id}/events`)).body!.cancel()
    await l.ask('/v1/runs/nope')
    await l.ask('/secret', { method: 'PROPFIND' })
    await l.ask('/v1/runs', { headers: { authorization: 'Bearer secret' } })
    await l.ask('/v1/runs', { method: 'DELETE' })
    expect(answers.map(({ method, route, status, runId, traceId }) => [method, route, status, runId, traceId])).toEqual(
      [
        ['GET', '/v1/runs/:id', 400, undefined, undefined],
        ['GET', '/v1/runs/:id', 200, id, TRACE],
        ['GET', '/v1/runs/:id/events', 200, id, undefined],
        ['GET', '/v1/runs/:id', 404, undefined, undefined],
        ['other', 'other', 404, undefined, undefined],
        ['GET', '/v1/runs', 401, undefined, undefined],
        ['DELETE', '/v1/runs', 405, undefined, undefined],
      ],
    )
    expect(JSON.stringify(answers)).not.toContain('secret')
    expect(answers.filter(({ durationMs }) => !(durationMs >= 0))).toEqual([])
  })
})

describe('what is no fault of the server is not counted as one', () => {
  const told = (diagnostics: readonly Diagnostic[]) =>
    diagnostics.map(({ level, code, cause }) => [level, code, cause === undefined])

  for (const [path, type] of [
    ['/v1/runs', 'application/json'],
    ['/v1/runs', 'application/x-ndjson'],
    ['/v1/chat/completions', 'application/json'],
  ] as const) {
    test(`a client that leaves in the middle of its ${type} to ${path} is a 499, and nothing in the log`, async () => {
      const statuses: number[] = []
      const l = await connect({ onAnswer: ({ status }) => statuses.push(status) })
      const headers = { Authorization: `Bearer ${l.token}`, 'Content-Type': type, 'Content-Length': '1000' }
      const { socket } = rawRequest({ port: l.port, method: 'POST', path, headers, body: '{"prompt":' })
      await settled()
      socket.destroy()
      while (statuses.length === 0) await settled()
      expect([statuses, l.diagnostics]).toEqual([[499], []])
    })
  }

  test('a client that leaves while models are looked for is a 499, and nothing in the log', async () => {
    const statuses: number[] = []
    const l = lab({ onAnswer: ({ status }) => statuses.push(status) })
    l.runtime.models = ({ signal } = {}) =>
      new Promise((_, reject) => signal!.addEventListener('abort', () => reject(signal!.reason)))
    const leaving = new AbortController()
    const answer = l.ask('/v1/models', { signal: leaving.signal })
    await settled()
    leaving.abort()
    await answer
    expect([statuses, l.diagnostics]).toEqual([[499], []])
  })

  test('what is answered as a fault of the caller is none of ours, whatever status its error has elsewhere', async () => {
    const l = lab()
    const answer = await l.post('/v1/chat/completions', { messages: [{ role: 'function', name: 'f', content: 'x' }] })
    expect([answer.status, l.diagnostics]).toEqual([400, []])
  })

  test('a stack is logged for what is unexpected, and only for that', async () => {
    const l = lab()
    const thrown: Error[] = [new Error('oops'), new RunletError('provider_unavailable', { message: 'away' })]
    l.runtime.list = () => Promise.reject(thrown.shift()!)
    expect([(await l.ask('/v1/runs')).status, (await l.ask('/v1/runs')).status]).toEqual([500, 503])
    expect(told(l.diagnostics)).toEqual([
      ['error', 'request_failed', false],
      ['info', 'request_failed', true],
    ])
  })
})

describe('GET /metrics', () => {
  const metrics = async () => ({ contentType: 'text/plain; version=0.0.4; charset=utf-8', body: 'up 1\n' })

  test('gives the owner what the server was given for it', async () => {
    const response = await lab({ metrics }).ask('/metrics')
    expect([response.status, response.headers.get('content-type'), await response.text()]).toEqual([
      200,
      'text/plain; version=0.0.4; charset=utf-8',
      'up 1\n',
    ])
  })

  test('is nobody else’s, and nothing where none are kept', async () => {
    const l = lab({ metrics })
    expect((await l.ask('/metrics', { headers: { authorization: 'Bearer no' } })).status).toBe(401)
    const none = await lab().ask('/metrics')
    expect([none.status, (await none.json()).reason]).toEqual([404, 'metrics_off'])
  })
})

describe('GET /healthz', () => {
  const state = async (l: ReturnType<typeof lab>) => {
    const response = await l.server.fetch(new Request('http://127.0.0.1:7411/healthz'))
    return [response.status, await response.json(), response.headers.get('retry-after')]
  }

  test('is ok, then draining once the server is to stop', async () => {
    const l = lab()
    expect(await state(l)).toEqual([200, { status: 'ok' }, null])
    await l.server.drain()
    expect(await state(l)).toEqual([503, { status: 'draining' }, '5'])
    // Those who read may read on, and come back.
    const id = await l.begin(BEGIN)
    const reading = await l.ask(`/v1/runs/${id}/events`)
    expect(reading.status).toBe(200)
    await reading.body!.cancel()
  })

  test('says that nothing can be stored, where its owner knows that', async () => {
    const l = lab({ health: () => ({ status: 'store_failed' }) })
    expect(await state(l)).toEqual([503, { status: 'store_failed' }, '5'])
  })
})

describe('draining', () => {
  test('of the runtime refuses what comes, with a time to come back, and lets readers read to the end', async () => {
    const l = lab()
    const started = await l.post('/v1/runs', { prompt: 'Hi' })
    const { run_id } = await started.json()
    await l.runtime.drain()
    const late = await l.post('/v1/runs', { prompt: 'Hi' })
    const { reason } = await late.json()
    expect([late.status, reason, late.headers.get('retry-after')]).toEqual([503, 'shutting_down', '5'])
    const events = await (await l.ask(`/v1/runs/${run_id}/events`)).text()
    expect(events).toMatch(/"type":"(?:finish|error)"[^]*event: done/)
  })

  test('of the server waits until nobody reads, or for so long', async () => {
    const l = lab()
    const id = await l.begin(BEGIN)
    const reading = await l.ask(`/v1/runs/${id}/events`)
    const order: string[] = []
    const waits = [500, 2_000].map((waitMs) => l.server.drain({ waitMs }).then(() => order.push(`drained ${waitMs}`)))
    await l.clock.advance(500)
    expect(order).toEqual(['drained 500'])
    await l.log.append(id, 1, runEnds)
    await reading.text()
    await Promise.all(waits)
    expect(order).toEqual(['drained 500', 'drained 2000'])
    expect(l.clock.pending).toBe(0)
  })
})

test('every reader that was opened is counted once more when it is over, by what ended it', async () => {
  const l = await connect({ limits: { stallMs: 3_000, heartbeatMs: 100_000, lagEvents: 10, maxPendingBytes: 1024 } })
  const run = await l.begin()
  const whole = l.read(run)
  const gone = l.read(run)
  const stuck = l.read(run, { paused: true })
  await Promise.all([whole.until('step.start'), gone.until('step.start')])
  await settled()
  gone.socket.destroy()
  await settled()
  expect(l.server.readerCounts).toEqual({
    opened: 3,
    ended: 0,
    disconnected: 1,
    overflowed: 0,
    lagged: 0,
    closed: 0,
    failed: 0,
    lags: 0,
  })
  for (let n = 0; n < MANY; n++) await l.log.append(run, 1, mebibyte)
  await l.clock.advance(4_000)
  await settled()
  expect(l.server.readerCounts).toMatchObject({ overflowed: 1 })
  stuck.socket.destroy()
  await l.log.append(run, 1, [...texts(1), ...runEnds])
  await whole.ended
  await settled()
  const other = await l.begin(BEGIN, 'run_other')
  const last = l.read(other)
  await last.until('step.start')
  await l.close()
  expect(l.server.readerCounts).toMatchObject({
    opened: 4,
    ended: 1,
    disconnected: 1,
    overflowed: 1,
    closed: 1,
    failed: 0,
  })
})
