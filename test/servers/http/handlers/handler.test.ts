import { describe, expect, test, vi } from 'vitest'
import {
  ndjsonHandler,
  sseHandler,
  universalHandler,
  type ProviderHandlerOptions,
  type RunHandler,
} from '../../../../src/http.ts'
import { RunletError } from '../../../../src/core/error.ts'
import { createRuntime, type Diagnostic } from '../../../../src/engine/runtime.ts'
import { memoryLog } from '../../../../src/logs/memory.ts'
import { fakeClock } from '../../../../src/testing/fake-clock.ts'
import { cutOff, says, scriptedProvider, type Script } from '../../../../src/testing/scripted-provider.ts'

const url = 'https://shop.example/chat'
const silent: Script = [
  [{ type: 'start', model: 'm' }],
  [{ type: 'text', text: 'Hel' }],
  { wait: new Promise(() => {}) },
]

/** A handler over a provider that says what a test wrote down. */
function shop(scripts: readonly Script[] = [says('Hello', ' world')], options: ProviderHandlerOptions = {}) {
  const clock = fakeClock()
  const provider = scriptedProvider(scripts)
  const diagnostics: Diagnostic[] = []
  const prepared: string[] = []
  const onDiagnostic = (diagnostic: Diagnostic) => void diagnostics.push(diagnostic)
  const handler = ndjsonHandler(
    provider,
    async (request) => {
      const { prompt } = (await request.json()) as { prompt: string }
      prepared.push(prompt)
      return { prompt }
    },
    { clock, onDiagnostic, model: 'scripted', ...options },
  )
  return { clock, provider, diagnostics, prepared, handler }
}

const post = (headers: Record<string, string> = {}, prompt = 'Hi') =>
  new Request(url, { method: 'POST', headers, body: JSON.stringify({ prompt }) })
const get = (query: string, headers: Record<string, string> = {}) => new Request(`${url}${query}`, { headers })

const problemOf = async (response: Response) => {
  expect(response.headers.get('content-type')).toBe('application/problem+json')
  const { status, code, reason } = (await response.json()) as Record<string, unknown>
  expect(status).toBe(response.status)
  return [status, code, reason]
}
const typesOf = (body: string) =>
  body
    .split('\n')
    .slice(0, -1)
    .map((line) => (JSON.parse(line) as { type: string }).type)
const whole = [
  'start',
  'turn.start',
  'step.start',
  'text.delta',
  'text.delta',
  'step.end',
  'turn.end',
  'finish',
  'done',
]

describe('POST', () => {
  test('starts a run and streams it; GET reads it again, and on from any place', async () => {
    const { handler, provider } = shop()
    const response = await handler(post())
    const id = response.headers.get('x-run-id')
    const body = await response.text()
    expect([response.status, typesOf(body)]).toEqual([200, whole])
    expect(provider.requests.map(({ model, messages }) => [model, messages])).toEqual([
      ['scripted', [{ role: 'user', content: 'Hi' }]],
    ])
    expect(await (await handler(get(`?run=${id}`))).text()).toBe(body)
    const tail = body.split('\n').slice(4).join('\n')
    expect(await (await handler(get(`?run=${id}&after=1-4`))).text()).toBe(tail)
    expect(await (await handler(get(`?run=${id}`, { 'last-event-id': '1-4' }))).text()).toBe(tail)
    expect(provider.requests).toHaveLength(1)
  })

  for (const [name, make] of [
    ['SSE', sseHandler],
    ['NDJSON', ndjsonHandler],
  ] as const) {
    test(`${name}: what fails in mid-stream is an event, told in the same format, and the stream ends whole`, async () => {
      const script: Script = [[{ type: 'start', model: 'm' }], [{ type: 'text', text: 'Hel' }], { throw: cutOff() }]
      const handler = make(scriptedProvider([script]), () => ({ prompt: 'Hi' }), { model: 'scripted' })
      const response = await handler(new Request(url, { method: 'POST' }))
      const records = (await response.text())
        .split('\n')
        .filter((line) => /^(?:data: )?\{/.test(line))
        .map((line) => JSON.parse(line.replace(/^data: /, '')) as Record<string, unknown>)
      expect(response.status).toBe(200)
      expect(records.slice(-2)).toMatchObject([
        { type: 'error', error: { code: 'network', reason: 'stream_eof_before_done' } },
        { type: 'done', finished: true },
      ])
    })
  }

  test('a hundred events come in order, to each of fifty clients', async () => {
    const { handler } = shop([says(...Array.from({ length: 100 }, (_, i) => `${i} `))])
    const bodies = await Promise.all(Array.from({ length: 50 }, async () => (await handler(post())).text()))
    for (const body of bodies) {
      const text = body
        .split('\n')
        .slice(0, -1)
        .map((line) => (JSON.parse(line) as { text?: string }).text ?? '')
      expect(text.join('')).toBe(Array.from({ length: 100 }, (_, i) => `${i} `).join(''))
    }
  })

  const refusals: [name: string, thrown: unknown, problem: unknown[]][] = [
    [
      'a typed error keeps its status',
      new RunletError('unauthorized', { message: 'sign in' }),
      [401, 'unauthorized', 'unauthorized'],
    ],
    ['no JSON is a bad request', new SyntaxError('db password is hunter2'), [400, 'invalid_request', 'bad_request']],
    ['anything else is a fault here', new TypeError('db password is hunter2'), [500, 'internal', 'prepare_failed']],
    ['even if it is no error', 'secret', [500, 'internal', 'prepare_failed']],
  ]
  for (const [name, thrown, problem] of refusals) {
    test(`what prepareRequest throws is the answer: ${name}`, async () => {
      const diagnostics: Diagnostic[] = []
      const refuse = () => {
        throw thrown
      }
      const handler = sseHandler(scriptedProvider([says('never')]), refuse, {
        onDiagnostic: (diagnostic) => void diagnostics.push(diagnostic),
      })
      const response = await handler(post())
      const body = await response.clone().text()
      expect(await problemOf(response)).toEqual(problem)
      expect(body).not.toMatch(/hunter2|secret/)
      expect(diagnostics.map(({ cause }) => cause)).toEqual(thrown instanceof RunletError ? [] : [thrown])
    })
  }

  test('a prepareRequest that returns nothing is told of on stderr, unless somebody else is told', async () => {
    const emitted = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
    const handler = sseHandler(scriptedProvider([says('never')]), (() => {}) as never)
    expect(await problemOf(await handler(post()))).toEqual([500, 'internal', 'prepare_failed'])
    expect(await problemOf(await handler(get('?run=nobody')))).toEqual([404, 'not_found', 'run_unknown'])
    expect(emitted.mock.calls).toEqual([
      [
        'POST failed: prepare_failed',
        {
          type: 'RunletWarning',
          code: 'request_failed',
          detail: expect.stringMatching(/^TypeError: prepareRequest returned no request\n/) as unknown,
        },
      ],
    ])
    emitted.mockRestore()
    await handler.close()
  })

  const badOptions: [options: object, message: string][] = [
    [{ heartbeatMS: 5 }, 'there is no option "heartbeatMS"; did you mean "heartbeatMs"?'],
    [{ cancelOnDisconect: true }, 'there is no option "cancelOnDisconect"; did you mean "cancelOnDisconnect"?'],
    [{ modle: 'm' }, 'there is no option "modle"; did you mean "model"?'],
    [{ format: 'gai' }, 'format is "gai"; give the format itself, an object'],
    [{ format: null }, 'format is none; give the format itself, an object'],
  ]
  for (const [options, message] of badOptions) {
    test(`a handler is not made with ${JSON.stringify(options)}`, () => {
      for (const make of [sseHandler, ndjsonHandler, universalHandler]) {
        expect(() => make(scriptedProvider([]), () => ({ prompt: 'Hi' }), options)).toThrow(
          expect.objectContaining({ code: 'invalid_request', reason: 'bad_option', message }),
        )
      }
    })
  }

  test('a body that is too long is refused, told its length or not', async () => {
    const { handler, provider } = shop(undefined, { maxBodyBytes: 100 })
    const body = 'x'.repeat(101)
    const told = new Request(url, { method: 'POST', body, headers: { 'content-length': '101' } })
    const streamed = new Request(url, {
      method: 'POST',
      body: new Blob([body]).stream(),
      duplex: 'half',
    } as RequestInit)
    for (const request of [told, streamed]) {
      expect(await problemOf(await handler(request))).toEqual([413, 'invalid_request', 'body_too_large'])
    }
    expect(provider.requests).toEqual([])
  })

  test('a model that a request names is the provider’s own name of it, slashes and all', async () => {
    const provider = scriptedProvider([says('Hi')])
    const handler = ndjsonHandler(provider, () => ({ prompt: 'Hi', model: 'meta/llama-4' }))
    await (await handler(post())).text()
    expect(provider.requests.map(({ model }) => model)).toEqual(['meta/llama-4'])
    await handler.close()
  })
})

describe('an Idempotency-Key', () => {
  test('is one run for one body, however often it is asked for, at once and later; another body is a conflict', async () => {
    const { handler, provider } = shop()
    const key = { 'idempotency-key': 'click-1' }
    const responses = await Promise.all(Array.from({ length: 20 }, () => handler(post(key))))
    const later = await handler(post(key))
    const ids = new Set([...responses, later].map(({ headers }) => headers.get('x-run-id')))
    expect([ids.size, provider.requests.length]).toEqual([1, 1])
    expect(responses.filter(({ headers }) => headers.has('idempotency-replayed'))).toHaveLength(19)
    expect(later.headers.get('idempotency-replayed')).toBe('true')
    const bodies = await Promise.all(responses.map((response) => response.text()))
    expect(new Set(bodies).size).toBe(1)
    expect(await later.text()).toBe(bodies[0])
    const conflict = await handler(post(key, 'Something else'))
    expect(await problemOf(conflict)).toEqual([422, 'invalid_request', 'idempotency_conflict'])
  })

  test('lets a client repeat its POST to read on; without one that would be a second run', async () => {
    const { handler, provider } = shop()
    const key = { 'idempotency-key': 'click-2' }
    const body = await (await handler(post(key))).text()
    const rest = await handler(post({ ...key, 'last-event-id': '1-4' }))
    expect(await rest.text()).toBe(body.split('\n').slice(4).join('\n'))
    const without = await handler(post({ 'last-event-id': '1-4' }))
    expect(await problemOf(without)).toEqual([400, 'invalid_request', 'cursor_without_key'])
    expect(provider.requests).toHaveLength(1)
  })

  test('belongs to whom the scope says', async () => {
    const { handler, provider } = shop(undefined, {
      idempotencyScope: (request) => request.headers.get('authorization') ?? 'nobody',
    })
    for (const authorization of ['ann', 'bob', 'ann']) {
      await (await handler(post({ 'idempotency-key': 'same', authorization }))).text()
    }
    expect(provider.requests).toHaveLength(2)
  })

  test('is free again after its time', async () => {
    const { handler, provider, clock } = shop(undefined, { idempotencyMs: 60_000 })
    const ask = async () => (await handler(post({ 'idempotency-key': 'k' }))).text()
    await ask()
    await clock.advance(59_000)
    await ask()
    expect(provider.requests).toHaveLength(1)
    await clock.advance(2_000)
    await ask()
    expect(provider.requests).toHaveLength(2)
  })
})

describe('GET and DELETE', () => {
  test('name a run, one that is there and that they may have', async () => {
    const { handler } = shop(undefined, { permit: (request) => request.headers.get('cookie') === 'ann' })
    const id = (await handler(post())).headers.get('x-run-id')!
    const cases: [request: Request, problem: unknown[] | undefined][] = [
      [get(''), [400, 'invalid_request', 'run_missing']],
      [get('?run='), [400, 'invalid_request', 'run_missing']],
      [get('?run=nope'), [404, 'not_found', 'run_unknown']],
      [get(`?run=${id}`), [404, 'not_found', 'run_unknown']],
      [get(`?run=${id}`, { cookie: 'bob' }), [404, 'not_found', 'run_unknown']],
      [get(`?run=${id}&after=1-99`, { cookie: 'ann' }), [409, 'invalid_request', 'cursor_future']],
      [new Request(`${url}?run=${id}`, { method: 'DELETE' }), [404, 'not_found', 'run_unknown']],
      [new Request(url, { method: 'PUT' }), [405, 'invalid_request', 'method_not_allowed']],
    ]
    for (const [request, problem] of cases) expect(await problemOf(await handler(request))).toEqual(problem)
    const permitted = await handler(get(`?run=${id}`, { cookie: 'ann' }))
    expect(typesOf(await permitted.text())).toEqual(whole)
  })

  test('DELETE cancels, again and again with the same answer, and readers see the end', async () => {
    const { handler, provider } = shop([silent])
    const response = await handler(post())
    const id = response.headers.get('x-run-id')!
    const cancel = async () => (await handler(new Request(`${url}?run=${id}`, { method: 'DELETE' }))).json()
    const [first, again] = [await cancel(), await cancel()]
    expect(first).toMatchObject({ run_id: id, status: 'cancelled' })
    expect(again).toEqual(first)
    expect(typesOf(await response.text()).slice(-2)).toEqual(['finish', 'done'])
    expect(provider.active).toBe(0)
  })
})

describe('a disconnect', () => {
  const leave = async (handler: RunHandler, request: Request) => {
    const response = await handler(request)
    await response.body?.cancel()
    return response.headers.get('x-run-id')!
  }

  test('is no cancel, unless that was asked for', async () => {
    for (const cancelOnDisconnect of [false, true]) {
      const { handler, provider, clock } = shop([silent], { cancelOnDisconnect })
      await leave(handler, post())
      await clock.advance(0)
      expect(provider.active).toBe(cancelOnDisconnect ? 0 : 1)
      await handler.close()
    }
  })

  test('of one who only came to read, or whose key found the run, ends nothing', async () => {
    const { handler, provider, clock } = shop([silent], { cancelOnDisconnect: true })
    const key = { 'idempotency-key': 'k' }
    const first = await handler(post(key))
    await leave(handler, post(key))
    await leave(handler, get(`?run=${first.headers.get('x-run-id')}`))
    await clock.advance(0)
    expect(provider.active).toBe(1)
    await first.body?.cancel()
    await clock.advance(0)
    expect(provider.active).toBe(0)
  })
})

describe('pages of other origins', () => {
  const origins = ['https://app.example']
  const preflightOf = (origin: string) =>
    new Request(url, { method: 'OPTIONS', headers: { origin, 'access-control-request-method': 'POST' } })

  test('those that are listed may ask first, send, and read, also what is refused', async () => {
    const { handler } = shop(undefined, { origins })
    const [origin] = origins as [string]
    const preflight = await handler(preflightOf(origin))
    expect([preflight.status, Object.fromEntries(preflight.headers)]).toEqual([
      204,
      {
        vary: 'Origin',
        'access-control-allow-origin': origin,
        'access-control-allow-methods': 'GET, POST, DELETE',
        'access-control-allow-headers':
          'Authorization, Content-Type, Idempotency-Key, X-Idempotency-Key, Last-Event-ID, X-Request-Id, X-Trace-Id, Traceparent',
        'access-control-expose-headers': 'X-Run-Id, X-Run-Cursor, Idempotency-Replayed, Retry-After',
        'access-control-max-age': '600',
      },
    ])
    for (const request of [post({ origin }), get('?run=nope', { origin })]) {
      const response = await handler(request)
      await response.body?.cancel()
      expect(response.headers.get('access-control-allow-origin')).toBe(origin)
    }
  })

  const strangers = [
    'https://app.example.evil',
    'http://app.example',
    'https://APP.example',
    'null',
    'https://localhost',
  ]
  for (const origin of strangers) {
    test(`${origin} can neither ask first nor start, read or cancel anything`, async () => {
      const { handler, prepared } = shop(undefined, { origins })
      const preflight = await handler(preflightOf(origin))
      expect([preflight.status, preflight.headers.get('access-control-allow-origin')]).toEqual([204, null])
      for (const request of [
        post({ origin }),
        get('?run=x', { origin }),
        new Request(url, { method: 'DELETE', headers: { origin } }),
      ]) {
        expect(await problemOf(await handler(request))).toEqual([403, 'forbidden', 'origin_refused'])
      }
      expect(prepared).toEqual([])
    })
  }

  test('the own ones need no list: by the name that was called, or by what the browser says behind a proxy', async () => {
    const { handler } = shop()
    const own: Record<string, string>[] = [
      { origin: 'https://shop.example', host: 'shop.example' },
      { origin: 'https://public.example', host: 'upstream:8080', 'sec-fetch-site': 'same-origin' },
    ]
    for (const headers of own) {
      expect(typesOf(await (await handler(post(headers))).text())).toEqual(whole)
    }
  })
})

describe('universalHandler', () => {
  const sse = 'text/event-stream; charset=utf-8'
  const lines = 'application/x-ndjson; charset=utf-8'
  const cases: [accept: string | undefined, path: string, type: string][] = [
    ['text/event-stream', '/chat', sse],
    ['application/x-ndjson', '/chat', lines],
    ['application/json', '/chat', lines],
    ['application/jsonl', '/chat', lines],
    ['application/x-ndjson', '/chat/events', lines],
    ['application/json;q=0.5, text/event-stream', '/chat', sse],
    ['application/json, text/event-stream;q=0.5', '/chat', lines],
    [undefined, '/chat', sse],
    ['*/*', '/chat', sse],
    ['text/html', '/chat/events', sse],
    ['text/html', '/sse/chat', sse],
    ['text/html', '/chat', 'application/problem+json'],
    ['text/html', '/eventsource', 'application/problem+json'],
  ]
  for (const [accept, path, type] of cases) {
    test(`${accept ?? 'nothing'} on ${path} is answered with ${type.split(';')[0]}`, async () => {
      const handler = universalHandler(scriptedProvider([says('Hi')]), () => ({ prompt: 'Hi' }), { model: 'scripted' })
      const headers: Record<string, string> = accept === undefined ? {} : { accept }
      const response = await handler(new Request(`https://shop.example${path}`, { method: 'POST', headers }))
      expect(response.headers.get('content-type')).toBe(type)
      await handler.close()
    })
  }
})

describe('what a handler makes and holds', () => {
  test('over a runtime it leaves that open when it closes', async () => {
    const runtime = createRuntime({
      providers: { lab: scriptedProvider([says('Hi')]) },
      log: memoryLog(),
      defaultModel: 'lab/m',
    })
    const handler = sseHandler(runtime, () => ({ prompt: 'Hi' }))
    await (await handler(post())).text()
    await handler.close()
    const refused = await handler(post())
    expect(await problemOf(refused)).toEqual([503, 'provider_unavailable', 'shutting_down'])
    expect(await (await runtime.start({ prompt: 'Hi' })).result()).toMatchObject({ role: 'assistant' })
    await runtime.close()
  })

  test('over a provider it ends its runs when it closes', async () => {
    const { handler, provider } = shop([silent])
    const response = await handler(post())
    const text = response.text()
    await handler.close()
    expect(typesOf(await text).at(-1)).toBe('closing')
    expect(provider.active).toBe(0)
  })

  test('a run can be read again for its time, and then nothing of it is left', async () => {
    const { handler, clock } = shop(undefined, { keepMs: 60_000, idempotencyMs: 3_600_000 })
    const key = { 'idempotency-key': 'k' }
    const id = (await handler(post(key))).headers.get('x-run-id')!
    const again = async () => (await handler(get(`?run=${id}`))).status
    await clock.advance(50_000)
    await (await handler(post())).text()
    expect(await again()).toBe(200)
    await clock.advance(20_000)
    await (await handler(post())).text()
    expect(await again()).toBe(404)
    // Its key is free with it, instead of leading to a run that is gone.
    const response = await handler(post(key))
    expect([response.status, response.headers.has('idempotency-replayed')]).toEqual([200, false])
  })
})
