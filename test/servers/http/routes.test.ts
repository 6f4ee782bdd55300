import { describe, expect, test } from 'vitest'
import { RunletError } from '../../../src/core/error.ts'
import { says } from '../../../src/testing/scripted-provider.ts'
import { ended, lab, runEnds, stepBegins, texts } from './lab.ts'

describe('GET /v1/runs/{id}', () => {
  test('tells all of a run that ended', async () => {
    const l = lab({ scripts: [says('Hello', ' world')] })
    const { run_id, session_id } = await (await l.post('/v1/runs', { prompt: 'Hi there\nyou' })).json()
    await ended(l, run_id)
    const usage = { input_tokens: 3, output_tokens: 2, total_tokens: 5, accuracy: 'exact' }
    expect(await (await l.ask(`/v1/runs/${run_id}`)).json()).toEqual({
      run_id,
      session_id,
      request_id: expect.any(String),
      trace_id: expect.any(String),
      provider: 'lab',
      model: 'scripted',
      durability: 'memory',
      status: 'completed',
      created_at: 1_705_314_600_000,
      ended_at: 1_705_314_600_000,
      cursor: '1-8',
      finish_reason: 'stop',
      usage,
      title: 'Hi there',
      output_text: 'Hello world',
      message: { role: 'assistant', parts: [{ type: 'text', text: 'Hello world' }] },
    })
  })

  test('tells what a live run has said so far, and why a failed one failed', async () => {
    const l = lab()
    const id = await l.begin()
    expect(await (await l.ask(`/v1/runs/${id}`)).json()).toMatchObject({
      status: 'running',
      output_text: '',
      cursor: '1-3',
    })
    await l.log.append(id, 1, texts(2))
    expect(await (await l.ask(`/v1/runs/${id}`)).json()).toMatchObject({ status: 'running', output_text: 'word word ' })
    const error = { code: 'network', reason: 'stream_eof_before_done', message: 'cut', temporary: true } as const
    await l.log.append(id, 1, [{ type: 'error', error }])
    expect(await (await l.ask(`/v1/runs/${id}`)).json()).toMatchObject({ status: 'failed', error, cursor: '1-6' })
  })
})

describe('GET /v1/runs', () => {
  test('lists, newest first, by session, status, time and number', async () => {
    const l = lab()
    const ids: string[] = []
    for (const [id, events] of [
      ['a', stepBegins],
      ['b', [...stepBegins, ...runEnds]],
      ['c', stepBegins],
    ] as const) {
      ids.push(await l.begin(events, id))
      await l.clock.advance(10)
    }
    const list = async (query: string) =>
      (await (await l.ask(`/v1/runs${query}`)).json()).runs.map((run: { run_id: string }) => run.run_id)
    expect(await list('')).toEqual(['c', 'b', 'a'])
    expect(await list('?status=running')).toEqual(['c', 'a'])
    expect(await list('?limit=1')).toEqual(['c'])
    expect(await list('?limit=100000')).toEqual(['c', 'b', 'a'])
    expect(await list('?before=1705314600010')).toEqual(['a'])
    expect(await list('?before=c')).toEqual(['b', 'a'])
    expect(await list('?before=c&status=running')).toEqual(['a'])
    expect(await list('?session_id=ses_lab&status=completed')).toEqual(['b'])
    expect(await list('?session_id=other')).toEqual([])
    expect((await (await l.ask('/v1/runs?limit=1')).json()).runs[0]).toMatchObject({ cursor: '1-3', title: 'Hi' })
  })

  test('comes in pages that leave nothing out and repeat nothing, also of one millisecond', async () => {
    const l = lab()
    const ids = Array.from({ length: 25 }, (_, i) => `run_${i}`)
    for (const id of ids) await l.begin(stepBegins, id)
    const pages: string[][] = []
    for (let next: string | undefined = '', url = '?limit=10'; next !== undefined; url = `?limit=10&before=${next}`) {
      const page = await (await l.ask(`/v1/runs${url}`)).json()
      pages.push(page.runs.map((run: { run_id: string }) => run.run_id))
      next = page.next
    }
    expect(pages.map((page) => page.length)).toEqual([10, 10, 5])
    expect(pages.flat()).toEqual(ids.toReversed())
  })

  test('behind a run that is not there: 404', async () => {
    const response = await lab().ask('/v1/runs?before=yesterday')
    expect([response.status, (await response.json()).reason]).toEqual([404, 'run_unknown'])
  })

  const bad: [query: string, reason: string][] = [
    ['?stauts=running', 'unknown_parameter'],
    ['?status=done', 'bad_parameter'],
    ['?limit=0', 'bad_parameter'],
    ['?limit=-1', 'bad_parameter'],
    ['?limit=1e9', 'bad_parameter'],
    ['?limit=1&limit=2', 'repeated_parameter'],
    ['?before=1234567890123456', 'bad_parameter'],
  ]
  for (const [query, reason] of bad) {
    test(`refuses ${query}`, async () => {
      const response = await lab().ask(`/v1/runs${query}`)
      expect([response.status, (await response.json()).reason]).toEqual([400, reason])
    })
  }
})

describe('POST /v1/runs/{id}/cancel', () => {
  test('ends a run, and says the same when it is asked again', async () => {
    const l = lab({
      scripts: [[[{ type: 'start', model: 'm' }], [{ type: 'text', text: 'Hel' }], { wait: new Promise(() => {}) }]],
    })
    const { run_id } = await (await l.post('/v1/runs', { prompt: 'Hi' })).json()
    const answers = []
    const told = []
    for (const init of [
      {},
      { body: '{"reason":"enough"}', headers: { 'content-type': 'application/json' } },
      { headers: { 'content-type': 'application/json' } },
      { body: '{"reson":"enough"}', headers: { 'content-type': 'application/json' } },
    ]) {
      const response = await l.ask(`/v1/runs/${run_id}/cancel`, { method: 'POST', ...init })
      answers.push([response.status, await response.json()])
      told.push(response.headers.get('x-unknown-members'))
    }
    expect(answers[0]).toEqual([
      200,
      expect.objectContaining({ run_id, status: 'cancelled', finish_reason: 'cancelled' }),
    ])
    expect(answers.slice(1)).toEqual([answers[0], answers[0], answers[0]])
    expect(told).toEqual([null, null, null, 'reson'])
    expect(l.provider.active).toBe(0)
  })

  const bad: [name: string, body: string, type: string, status: number, reason: string][] = [
    ['a reason that is no text', '{"reason":1}', 'application/json', 400, 'body_invalid'],
    ['a form', 'reason=x', 'application/x-www-form-urlencoded', 415, 'content_type'],
  ]
  for (const [name, body, type, status, reason] of bad) {
    test(`refuses ${name}`, async () => {
      const l = lab()
      const id = await l.begin()
      const response = await l.ask(`/v1/runs/${id}/cancel`, { method: 'POST', body, headers: { 'content-type': type } })
      expect([response.status, (await response.json()).reason]).toEqual([status, reason])
      expect(await (await l.runtime.find(id)).header()).toMatchObject({ status: 'running' })
    })
  }
})

test('GET /v1/sessions/{id} gives its runs, oldest first', async () => {
  const l = lab()
  await l.begin([...stepBegins, ...runEnds], 'a')
  await l.clock.advance(5)
  await l.begin(stepBegins, 'b')
  const session = await (await l.ask('/v1/sessions/ses_lab')).json()
  expect(session).toMatchObject({ session_id: 'ses_lab', title: 'Hi', created_at: 1_705_314_600_000 })
  expect(session.runs.map(({ run_id, status }: { run_id: string; status: string }) => [run_id, status])).toEqual([
    ['a', 'completed'],
    ['b', 'running'],
  ])
})

test('GET /v1/models lists models as OpenAI does, and why a provider has none', async () => {
  const l = lab()
  const models = async () => [
    { provider: 'lab', models: [{ id: 'a', created_at: 1_700_000_000_500 }, { id: 'b' }] },
    { provider: 'off', models: [], error: new RunletError('network', { reason: 'refused', message: 'no answer' }) },
    { provider: 'odd', models: [], error: new Error('secret detail') },
  ]
  const { ask } = lab({ runtime: { ...l.runtime, models } })
  const response = await ask('/v1/models')
  expect(await response.json()).toEqual({
    object: 'list',
    data: [
      { id: 'lab/a', object: 'model', created: 1_700_000_000, owned_by: 'lab' },
      { id: 'lab/b', object: 'model', created: 0, owned_by: 'lab' },
    ],
    errors: [
      {
        provider: 'off',
        code: 'network',
        reason: 'refused',
        message: 'no answer',
        temporary: true,
        retry_after_ms: 5_000,
      },
      {
        provider: 'odd',
        code: 'internal',
        reason: 'unexpected',
        message: expect.not.stringContaining('secret'),
        temporary: false,
      },
    ],
  })
})

describe('what is not there', () => {
  const cases: [method: string, path: string, status: number, reason: string, allow?: string][] = [
    ['GET', '/', 404, 'page_missing'],
    ['GET', '/nowhere', 404, 'path_unknown'],
    ['GET', '/v2/runs', 404, 'path_unknown'],
    ['GET', '/v1/runs/', 404, 'path_unknown'],
    ['GET', '/v1/runs/nope', 404, 'run_unknown'],
    ['GET', '/v1/runs/nope/events', 404, 'run_unknown'],
    ['POST', '/v1/runs/nope/cancel', 404, 'run_unknown'],
    ['GET', '/v1/sessions/nope', 404, 'session_unknown'],
    ['DELETE', '/v1/runs', 405, 'method_not_allowed', 'POST, GET'],
    ['PUT', '/v1/runs/x', 405, 'method_not_allowed', 'GET'],
    ['GET', '/v1/runs/x/cancel', 405, 'method_not_allowed', 'POST'],
    ['OPTIONS', '/v1/runs', 405, 'method_not_allowed', 'POST, GET'],
  ]
  for (const [method, path, status, reason, allow] of cases) {
    test(`${method} ${path} is ${status} ${reason}`, async () => {
      const response = await lab().ask(path, { method })
      expect([response.status, response.headers.get('content-type'), response.headers.get('allow')]).toEqual([
        status,
        'application/problem+json',
        allow ?? null,
      ])
      expect((await response.json()).reason).toBe(reason)
    })
  }
})

describe('what fails inside', () => {
  test('is told to the operator, not to the client', async () => {
    const l = lab()
    const cause = new Error('password is hunter2')
    const failing = lab({ runtime: { ...l.runtime, list: () => Promise.reject(cause) } })
    const response = await failing.ask('/v1/runs')
    const text = await response.text()
    expect(response.status).toBe(500)
    expect(JSON.parse(text)).toMatchObject({ code: 'internal', reason: 'unexpected' })
    expect(text).not.toContain('hunter2')
    expect(failing.diagnostics).toEqual([
      {
        level: 'error',
        code: 'request_failed',
        message: 'GET /v1/runs failed: unexpected',
        request_id: expect.any(String),
        cause,
      },
    ])
  })

  test('says when to come back, where that is known', async () => {
    const l = lab()
    const error = new RunletError('overloaded', { message: 'too much to do', retryAfterMs: 1_500 })
    const { ask } = lab({ runtime: { ...l.runtime, list: () => Promise.reject(error) } })
    const response = await ask('/v1/runs')
    expect([response.status, response.headers.get('retry-after')]).toEqual([503, '2'])
    expect(await response.json()).toEqual({
      type: 'about:blank',
      title: 'Service Unavailable',
      status: 503,
      detail: 'too much to do',
      code: 'overloaded',
      reason: 'overloaded',
      temporary: true,
      retry_after_ms: 1_500,
    })
  })
})
