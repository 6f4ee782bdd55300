import { describe, expect, test } from 'vitest'
import { ended, lab } from './lab.ts'

describe('POST /v1/runs', () => {
  test('without a stream asked for, says where the run is', async () => {
    const l = lab()
    const response = await l.post('/v1/runs', { prompt: 'Hi' })
    const body = await response.json()
    expect(response.status).toBe(202)
    expect(body).toEqual({
      run_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      session_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      status: 'running',
      cursor: '1-3',
    })
    expect(response.headers.get('x-run-id')).toBe(body.run_id)
    expect(response.headers.get('location')).toBe(`/v1/runs/${body.run_id}`)
  })

  test('hands every member on, and the ids of the caller', async () => {
    const l = lab()
    const response = await l.post(
      '/v1/runs',
      {
        model: 'lab/scripted',
        messages: [
          { role: 'user', content: 'One?' },
          { role: 'assistant', content: 'Two.' },
          { role: 'assistant', content: '' },
          { role: 'user', content: 'Three?' },
        ],
        system: 'Count.',
        options: { temperature: 0, top_p: 1, max_tokens: 5, stop: ['x'], reasoning_effort: 'low' },
        durability: 'memory',
        on_interrupt: 'restart',
      },
      { 'x-request-id': 'req-7', 'x-trace-id': 'trace-7' },
    )
    const { run_id } = await response.json()
    await ended(l, run_id)
    expect(l.provider.requests).toEqual([
      {
        model: 'scripted',
        messages: [
          { role: 'system', content: 'Count.' },
          { role: 'user', content: 'One?' },
          { role: 'assistant', parts: [{ type: 'text', text: 'Two.' }] },
          { role: 'assistant', parts: [] },
          { role: 'user', content: 'Three?' },
        ],
        tools: [],
        options: { temperature: 0, top_p: 1, max_tokens: 5, stop: ['x'], reasoning_effort: 'low' },
      },
    ])
    const { header, request } = (await l.log.find(run_id))!
    expect([header.request_id, header.trace_id, request.on_interrupt]).toEqual(['req-7', 'trace-7', 'restart'])
  })

  test('hands on tools of the caller, calls and results, and what only the provider knows', async () => {
    const l = lab()
    const caller_tools = [{ name: 'look', description: 'Looks.', parameters: { type: 'object', properties: {} } }]
    const call = { type: 'tool_call', call_id: 'c1', name: 'look', input: { at: 'it' } }
    const options = { tool_choice: { name: 'look' }, provider_options: { seed: 7, x: { y: [1] } }, keep_fields: true }
    const response = await l.post('/v1/runs', {
      messages: [
        { role: 'user', content: 'Look!' },
        { role: 'assistant', parts: [{ type: 'reasoning', text: 'Hm.' }, call] },
        { role: 'tool', call_id: 'c1', name: 'look', content: { seen: ['it'] } },
      ],
      caller_tools,
      options,
    })
    expect([response.status, response.headers.get('x-unknown-members')]).toEqual([202, null])
    await ended(l, response.headers.get('x-run-id')!)
    expect(l.provider.requests).toEqual([
      {
        model: 'scripted',
        messages: [
          { role: 'user', content: 'Look!' },
          { role: 'assistant', parts: [{ type: 'reasoning', text: 'Hm.' }, call] },
          { role: 'tool', call_id: 'c1', name: 'look', content: { seen: ['it'] }, is_error: false },
        ],
        tools: caller_tools,
        options,
      },
    ])
  })

  test('continues a session', async () => {
    const l = lab()
    const first = await (await l.post('/v1/runs', { prompt: 'One?' })).json()
    await ended(l, first.run_id)
    const second = await (await l.post('/v1/runs', { prompt: 'Two?', session_id: first.session_id })).json()
    await ended(l, second.run_id)
    expect(second.session_id).toBe(first.session_id)
    expect(l.provider.requests[1]!.messages).toHaveLength(3)
  })

  const streams: [name: string, accept: string, type: string][] = [
    ['SSE', 'text/event-stream', 'text/event-stream; charset=utf-8'],
    ['NDJSON', 'application/x-ndjson', 'application/x-ndjson; charset=utf-8'],
    ['what is liked better', 'text/event-stream;q=0.5, application/x-ndjson', 'application/x-ndjson; charset=utf-8'],
    ['SSE, though anything will do', '*/*, text/event-stream', 'text/event-stream; charset=utf-8'],
  ]
  for (const [name, accept, type] of streams) {
    test(`streams ${name} where it is asked for`, async () => {
      const l = lab()
      const response = await l.post('/v1/runs', { prompt: 'Hi' }, { accept })
      expect(response.status).toBe(200)
      expect(Object.fromEntries(response.headers)).toMatchObject({
        'content-type': type,
        'cache-control': 'no-cache, no-transform',
        'x-accel-buffering': 'no',
        'x-run-id': expect.any(String),
        location: expect.stringMatching(/^\/v1\/runs\//),
      })
      expect(response.headers.has('content-encoding')).toBe(false)
      const text = await response.text()
      expect(text).toContain('"text":"Hello"')
      expect(text.trimEnd().endsWith('{"type":"done","finished":true}')).toBe(true)
    })
  }

  for (const accept of [undefined, '*/*', 'application/json', 'application/*']) {
    test(`answers 202 to ${accept ?? 'no Accept'}`, async () => {
      expect((await lab().post('/v1/runs', { prompt: 'Hi' }, accept ? { accept } : {})).status).toBe(202)
    })
  }

  test('does not stream to a client that prefers not to wait', async () => {
    const headers = { accept: 'text/event-stream', prefer: 'wait=10, respond-async' }
    const response = await lab().post('/v1/runs', { prompt: 'Hi' }, headers)
    expect([response.status, response.headers.get('preference-applied')]).toEqual([202, 'respond-async'])
  })
})

test('a body whose content coding is none is taken', async () => {
  const answer = await lab().post('/v1/runs', { prompt: 'Hi' }, { 'content-encoding': 'identity' })
  expect(answer.status).toBe(202)
})

describe('refusals of POST /v1/runs', () => {
  const json = { 'content-type': 'application/json' }
  const cases: [
    name: string,
    body: string,
    headers: Record<string, string>,
    status: number,
    reason: string,
    detail?: string,
  ][] = [
    [
      'a value of the wrong type',
      '{"prompt":7}',
      json,
      400,
      'body_invalid',
      'the body is not accepted: prompt: expected string, received number',
    ],
    [
      'a word out of the list',
      '{"prompt":"Hi","durability":"always"}',
      json,
      400,
      'body_invalid',
      'the body is not accepted: durability: Invalid option: expected one of "sync"|"os"|"memory"',
    ],
    [
      'a role that there is none of',
      '{"messages":[{"role":"bot","content":"x"}]}',
      json,
      400,
      'body_invalid',
      "the body is not accepted: messages.0.role: Invalid discriminator value. Expected 'system' | 'user' | 'assistant' | 'tool'",
    ],
    [
      'a result that names no call',
      '{"messages":[{"role":"tool","content":"x"}]}',
      json,
      400,
      'body_invalid',
      'the body is not accepted: messages.0.call_id: expected string, received undefined; messages.0.name: expected string, received undefined',
    ],
    [
      'a message of the model that is text and parts at once',
      '{"messages":[{"role":"assistant","content":"x","parts":[]},{"role":"user","content":"x"}]}',
      json,
      400,
      'body_invalid',
      'the body is not accepted: messages.0: expected content or parts',
    ],
    [
      'a choice of tools that is none',
      '{"prompt":"Hi","options":{"tool_choice":"never"}}',
      json,
      400,
      'body_invalid',
      'the body is not accepted: options.tool_choice: expected "auto", "none", "required" or {"name": …}',
    ],
    [
      'a tool whose name could not be called',
      '{"prompt":"Hi","caller_tools":[{"name":"a b","description":"","parameters":{"type":"object"}}]}',
      json,
      400,
      'body_invalid',
      'the body is not accepted: caller_tools.0.name: expected letters, digits, _ and -, at most 64',
    ],
    [
      'options for a provider that are a list',
      '{"prompt":"Hi","options":{"provider_options":[]}}',
      json,
      400,
      'body_invalid',
      'the body is not accepted: options.provider_options: expected an object',
    ],
    ...['{}', '{"type":"string"}', '{"type":["object"]}'].map((parameters): (typeof cases)[number] => [
      `a tool whose input is no object: ${parameters}`,
      `{"prompt":"Hi","caller_tools":[{"name":"f","description":"","parameters":${parameters}}]}`,
      json,
      400,
      'body_invalid',
      'the body is not accepted: caller_tools.0.parameters: expected a JSON Schema with "type": "object"',
    ]),
    [
      'the choice of a tool that it does not have',
      `{"prompt":"Hi","caller_tools":[{"name":"f","description":"","parameters":{"type":"object"}}],"options":{"tool_choice":{"name":"${'g'.repeat(90)}"}}}`,
      json,
      400,
      'body_invalid',
      `the body is not accepted: options.tool_choice.name: there is no tool "${'g'.repeat(79)}…" in tools or caller_tools`,
    ],
    [
      'a tool that must be called where there is none',
      '{"prompt":"Hi","options":{"tool_choice":"required"}}',
      json,
      400,
      'body_invalid',
      'the body is not accepted: options.tool_choice: there are no tools to choose from',
    ],
    [
      'a result of a call that nobody made',
      '{"messages":[{"role":"assistant","parts":[{"type":"tool_call","call_id":"c","name":"f","input":{}}]},{"role":"tool","call_id":"d","name":"f","content":1}]}',
      json,
      400,
      'body_invalid',
      'the body is not accepted: messages.1.call_id: "d" is no call of the messages before it',
    ],
    [
      'a result, in a session that is not there',
      '{"session_id":"s","messages":[{"role":"tool","call_id":"d","name":"f","content":1}]}',
      json,
      404,
      'session_unknown',
    ],
    [
      'a number without end',
      '{"prompt":"Hi","options":{"provider_options":{"seed":1e999}}}',
      json,
      400,
      'bad_json',
      'a number in the JSON is larger than can be represented (about 1.8e308)',
    ],
    ...[
      ['null', 'null'],
      ['[]', 'an array'],
      ['"x"', 'a string'],
      ['7', 'a number'],
    ].map(([body, kind]): (typeof cases)[number] => [
      `${body} for an object`,
      body!,
      json,
      400,
      'bad_json',
      `the body is not a JSON object but ${kind}`,
    ]),
    [
      'a body that is compressed on its way',
      '{"prompt":"Hi"}',
      { ...json, 'transfer-encoding': 'gzip, chunked' },
      415,
      'transfer_encoding',
      'the body is sent as "gzip, chunked"; send it as it is, or chunked',
    ],
    [
      'text of a long name',
      '{}',
      { 'content-type': `text/${'x'.repeat(90)}` },
      415,
      'content_type',
      `the body is "text/${'x'.repeat(74)}…"; send application/json`,
    ],
    ['no prompt', '{}', json, 400, 'empty_prompt'],
    ['an unknown model', '{"prompt":"Hi","model":"nowhere/x"}', json, 404, 'model_unknown'],
    ['an unknown tool', '{"prompt":"Hi","tools":["rm"]}', json, 400, 'tool_unknown'],
    ['an unknown session', '{"prompt":"Hi","session_id":"s"}', json, 404, 'session_unknown'],
    ['no JSON', '{"prompt":', json, 400, 'bad_json'],
    ['no object', '[]', json, 400, 'bad_json'],
    ['nothing', '', json, 400, 'bad_json'],
    ['JSON that is too deep', `{"prompt":${'['.repeat(65)}${']'.repeat(65)}}`, json, 400, 'json_too_deep'],
    ['JSON that nests without end', `{"prompt":${'['.repeat(200_000)}`, json, 400, 'bad_json'],
    ['a form', 'prompt=Hi', { 'content-type': 'application/x-www-form-urlencoded' }, 415, 'content_type'],
    ['text', '{"prompt":"Hi"}', { 'content-type': 'text/plain' }, 415, 'content_type'],
    ['JSON of another kind', '{"prompt":"Hi"}', { 'content-type': 'application/jsonx' }, 415, 'content_type'],
    ['a compressed body', 'x', { ...json, 'content-encoding': 'gzip' }, 415, 'content_encoding'],
    ['a media type it does not have', '{"prompt":"Hi"}', { ...json, accept: 'text/html' }, 406, 'not_acceptable'],
    ['an idempotency key with a line break', '{"prompt":"Hi","idempotency_key":"a\\nb"}', json, 400, 'idempotency_key'],
    [
      'two idempotency keys',
      '{"prompt":"Hi","idempotency_key":"a"}',
      { ...json, 'idempotency-key': 'b' },
      400,
      'idempotency_key',
    ],
    ['a key that is half quoted', '{"prompt":"Hi"}', { ...json, 'idempotency-key': '"a' }, 400, 'idempotency_key'],
    [
      'a repeated POST with a cursor, but without a key',
      '{"prompt":"Hi"}',
      { ...json, accept: 'text/event-stream', 'last-event-id': '1-4' },
      400,
      'cursor_without_key',
    ],
    [
      'cancel_on_disconnect without a stream',
      '{"prompt":"Hi","cancel_on_disconnect":true}',
      json,
      400,
      'cancel_on_disconnect_unstreamed',
    ],
    ['a request id with a space', '{"prompt":"Hi"}', { ...json, 'x-request-id': 'a b' }, 400, 'bad_header'],
  ]
  for (const [name, body, headers, status, reason, detail] of cases) {
    test(`${name}: ${status} ${reason}`, async () => {
      const l = lab()
      const response = await l.ask('/v1/runs', { method: 'POST', body, headers })
      const problem = await response.json()
      expect([response.status, response.headers.get('content-type')]).toEqual([status, 'application/problem+json'])
      expect(problem).toMatchObject({ type: 'about:blank', status, reason, code: expect.any(String) })
      if (detail) expect(problem.detail).toBe(detail)
      expect(l.provider.requests).toEqual([])
      expect(await l.runtime.list()).toEqual([])
      expect(Object.prototype).not.toHaveProperty('isAdmin')
    })
  }

  test('a body that is not UTF-8', async () => {
    const body = Buffer.concat([Buffer.from('{"prompt":"'), Buffer.from([0xff]), Buffer.from('"}')])
    const response = await lab().ask('/v1/runs', { method: 'POST', body, headers: json })
    expect([response.status, (await response.json()).reason]).toEqual([400, 'bad_utf8'])
  })

  test('a body over the limit, told by its length or found out while it comes', async () => {
    const l = lab({ limits: { maxBodyBytes: 1_000 } })
    const body = JSON.stringify({ prompt: 'x'.repeat(1_000) })
    const told = await l.ask('/v1/runs', {
      method: 'POST',
      body,
      headers: { ...json, 'content-length': String(body.length) },
    })
    const found = await l.ask('/v1/runs', { method: 'POST', body, headers: json })
    for (const response of [told, found]) {
      expect([response.status, (await response.json()).reason]).toEqual([413, 'body_too_large'])
    }
    const fits = JSON.stringify({ prompt: 'x'.repeat(985) })
    expect([fits.length, (await l.ask('/v1/runs', { method: 'POST', body: fits, headers: json })).status]).toEqual([
      998, 202,
    ])
  })
})

describe('members that nobody knows', () => {
  const cases: [name: string, body: string, header: string][] = [
    ['a slip', '{"prompt":"Hi","sytem":"x"}', 'sytem'],
    ['a base URL', '{"prompt":"Hi","base_url":"http://evil.example"}', 'base_url'],
    ['a prototype', '{"prompt":"Hi","__proto__":{"isAdmin":true}}', '__proto__'],
    [
      'deep ones',
      '{"messages":[{"role":"user","content":"Hi","nmae":"x"},{"role":"user","content":"Ho","nmae":"y"}],"options":{"temprature":1}}',
      'messages[].nmae, options.temprature',
    ],
    ['one that would be a header', '{"prompt":"Hi","a\\r\\nSet-Cookie: b":1,"":2,"ä,b":3}', 'a??Set-Cookie??b, ?, ??b'],
    ['one of a megabyte', `{"prompt":"Hi","${'p'.repeat(1 << 20)}":1}`, 'p'.repeat(40)],
    [
      'more than anybody reads',
      JSON.stringify({ prompt: 'Hi', ...Object.fromEntries(Array.from({ length: 99 }, (_, i) => [`m${i}`, i])) }),
      'm0, m1, m2, m3, m4, m5, m6, m7, m8, m9',
    ],
  ]
  for (const [name, body, header] of cases) {
    test(`${name}: ignored, and told`, async () => {
      const l = lab()
      const response = await l.post('/v1/runs', body)
      expect([response.status, response.headers.get('x-unknown-members')]).toEqual([202, header])
      await ended(l, response.headers.get('x-run-id')!)
      const [request] = l.provider.requests
      expect([request!.options, request!.messages[0]]).toEqual([{}, { role: 'user', content: 'Hi' }])
      expect(Object.prototype).not.toHaveProperty('isAdmin')
    })
  }

  test('inside what is handed on as it is are none of ours', async () => {
    const parameters = { type: 'object', properties: { anything: { type: 'string' } } }
    const response = await lab().post('/v1/runs', {
      prompt: 'Hi',
      options: { provider_options: { whatever: { it: 'is' } } },
      caller_tools: [{ name: 'look', description: '', parameters, strict: true }],
    })
    expect([response.status, response.headers.get('x-unknown-members')]).toEqual([202, 'caller_tools[].strict'])
  })
})

describe('an idempotency key', () => {
  const ways: [name: string, headers: Record<string, string>, body: object][] = [
    ['quoted', { 'idempotency-key': '"k \\"1\\""' }, {}],
    ['bare', { 'idempotency-key': 'k "1"' }, {}],
    ['under its older name', { 'x-idempotency-key': 'k "1"' }, {}],
    ['in the body', {}, { idempotency_key: 'k "1"' }],
  ]
  test('starts one run, however it is given and its body is ordered', async () => {
    const l = lab()
    const bodies = [
      { prompt: 'Hi', options: { top_p: 1, max_tokens: 9 } },
      { options: { max_tokens: 9, top_p: 1 }, prompt: 'Hi' },
    ]
    const seen = []
    for (const [, headers, extra] of ways) {
      for (const body of bodies) {
        const response = await l.post('/v1/runs', { ...body, ...extra }, headers)
        seen.push([response.status, response.headers.get('idempotency-replayed'), response.headers.get('x-run-id')])
      }
    }
    const [, , id] = seen[0]!
    expect(seen).toEqual([[202, null, id], ...Array.from({ length: 7 }, () => [202, 'true', id])])
    expect(await l.runtime.list()).toHaveLength(1)
  })

  test('with another body is a conflict, and names the way out', async () => {
    const l = lab()
    await l.post('/v1/runs', { prompt: 'Hi' }, { 'idempotency-key': 'k' })
    const response = await l.post('/v1/runs', { prompt: 'Ho' }, { 'idempotency-key': 'k' })
    expect([response.status, (await response.json()).reason]).toEqual([422, 'idempotency_conflict'])
  })

  test('is not the same body where a number was too large to be told apart from null', async () => {
    const l = lab()
    const body = (seed: string) => `{"prompt":"Hi","options":{"provider_options":{"seed":${seed}}}}`
    await l.post('/v1/runs', body('null'), { 'idempotency-key': 'k' })
    const response = await l.post('/v1/runs', body('1e999'), { 'idempotency-key': 'k' })
    expect([response.status, response.headers.get('idempotency-replayed')]).toEqual([400, null])
  })

  test('is not used up by a request that is refused', async () => {
    const l = lab()
    await l.post('/v1/runs', { prompt: '' }, { 'idempotency-key': 'k' })
    const response = await l.post('/v1/runs', { prompt: 'Hi' }, { 'idempotency-key': 'k' })
    expect([response.status, response.headers.get('idempotency-replayed')]).toEqual([202, null])
  })

  test('is free again after a day', async () => {
    const l = lab()
    const first = await l.post('/v1/runs', { prompt: 'Hi' }, { 'idempotency-key': 'k' })
    await ended(l, first.headers.get('x-run-id')!)
    await l.clock.advance(24 * 60 * 60 * 1000 - 1)
    expect(
      (await l.post('/v1/runs', { prompt: 'Hi' }, { 'idempotency-key': 'k' })).headers.get('idempotency-replayed'),
    ).toBe('true')
    await l.clock.advance(1)
    expect(
      (await l.post('/v1/runs', { prompt: 'Hi' }, { 'idempotency-key': 'k' })).headers.get('idempotency-replayed'),
    ).toBe(null)
  })

  test('lets a repeated POST read on where the first was cut', async () => {
    const l = lab()
    const headers = { 'idempotency-key': 'k', accept: 'text/event-stream' }
    const whole = await (await l.post('/v1/runs', { prompt: 'Hi' }, headers)).text()
    const again = await l.post('/v1/runs', { prompt: 'Hi' }, { ...headers, 'last-event-id': '1-4' })
    expect(again.headers.get('idempotency-replayed')).toBe('true')
    expect(await again.text()).toBe(`retry: 2000\n\n${whole.slice(whole.indexOf('id: 1-5\n'))}`)
    expect(l.provider.requests).toHaveLength(1)
  })
})
