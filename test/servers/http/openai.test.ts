import { APIError, AuthenticationError } from 'openai'
import type { ChatCompletionMessageParam, ChatCompletionTool } from 'openai/resources/chat/completions'
import { describe, expect, test } from 'vitest'
import { Batch } from '../../../src/core/batch.ts'
import { RunletError } from '../../../src/core/error.ts'
import type { Log } from '../../../src/core/log.ts'
import type { ProviderEvent } from '../../../src/core/provider.ts'
import { memoryLog } from '../../../src/logs/memory.ts'
import { cutOff, says, usage, type Script } from '../../../src/testing/scripted-provider.ts'
import { chatClient } from '../../formats/openai-chat-client.ts'
import { ended, runEnds, stepBegins, texts } from './lab.ts'
import { openaiDoor } from './openai-door.ts'

const messages: ChatCompletionMessageParam[] = [{ role: 'user', content: 'Hi' }]
const model = 'lab/scripted'

const weather: ChatCompletionTool = {
  type: 'function',
  function: { name: 'weather', description: 'The weather.', parameters: { type: 'object', properties: {} } },
}
const call = (call_id: string, city: string): ProviderEvent => ({
  type: 'tool_call',
  call_id,
  name: 'weather',
  input: { city },
})
const start: ProviderEvent = { type: 'start', model: 'm' }
const asksTools: Script = [
  [start, { type: 'text', text: 'Let me see.' }],
  [call('c1', 'Paris'), call('c2', 'Rome'), { type: 'done', reason: 'tool_calls', usage: usage(5, 6) }],
]
const silentForEver = { wait: new Promise(() => {}) }

async function failure(work: Promise<unknown>): Promise<APIError> {
  try {
    await work
  } catch (error) {
    if (error instanceof APIError) return error
    throw error
  }
  throw new Error('it did not fail')
}

describe('the official client', () => {
  test('is told, in words that it shows, where it went astray', async () => {
    const { client } = await openaiDoor({ scripts: [says('x')] })
    const astray = client.withOptions({ baseURL: client.baseURL.replace(/\/v1\/?$/, ''), maxRetries: 0 })
    const missing = [
      [astray.chat.completions.create({ model, messages }), /the base URL of an OpenAI client ends with \/v1/],
      [
        client.responses.create({ model, input: 'Hi' }),
        /Chat Completions, at \/v1\/chat\/completions; there is no responses/,
      ],
      [client.embeddings.create({ model, input: 'Hi' }), /there is no embeddings here/],
    ] as const
    for (const [asked, words] of missing) {
      const { status, message } = await failure(asked)
      expect(status).toBe(404)
      expect(message).toMatch(words)
    }
  })

  test('streams an answer chunk by chunk, and finds the run that it came from', async () => {
    const door = await openaiDoor({ scripts: [says('Hello', ' ', 'world')] })
    const { data: stream, response } = await door.client.chat.completions
      .create({ model, messages, stream: true })
      .withResponse()
    const chunks = []
    for await (const chunk of stream) chunks.push(chunk)

    const id = response.headers.get('x-run-id')!
    const head = {
      id: `chatcmpl-${id}`,
      object: 'chat.completion.chunk',
      created: Math.floor(door.clock.now() / 1000),
      model,
    }
    expect(chunks).toEqual(
      [
        [{ role: 'assistant', content: '' }, null],
        [{ content: 'Hello' }, null],
        [{ content: ' ' }, null],
        [{ content: 'world' }, null],
        [{}, 'stop'],
      ].map(([delta, finish_reason]) => ({ ...head, choices: [{ index: 0, delta, finish_reason }] })),
    )
    expect(response.headers.get('location')).toBe(`/v1/runs/${id}`)
    expect(response.headers.get('x-request-id')).toBe((await door.log.find(id))!.header.request_id)
    expect((await door.log.find(id))!.header.status).toBe('completed')
  })

  test('gets the usage at the end where it asks for it', async () => {
    const door = await openaiDoor()
    const counts = []
    for (const include_usage of [true, false]) {
      const stream = await door.client.chat.completions.create({
        model,
        messages,
        stream: true,
        stream_options: { include_usage },
      })
      for await (const { choices, usage: used } of stream) if (used) counts.push({ choices, used })
    }
    expect(counts).toEqual([{ choices: [], used: { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 } }])
  })

  test('gets a whole answer', async () => {
    const counted = { ...usage(7, 9), cached_tokens: 4, reasoning_tokens: 2 }
    const door = await openaiDoor({
      scripts: [
        [
          [start, { type: 'reasoning', text: 'Hm' }, { type: 'reasoning', text: '.' }],
          [
            { type: 'text', text: 'Yes' },
            { type: 'text', text: '!' },
            { type: 'done', reason: 'length', usage: counted },
          ],
        ],
      ],
    })
    const { data, response } = await door.client.chat.completions.create({ model, messages }).withResponse()
    expect(data).toEqual({
      id: `chatcmpl-${response.headers.get('x-run-id')}`,
      object: 'chat.completion',
      created: Math.floor(door.clock.now() / 1000),
      model,
      choices: [
        {
          index: 0,
          logprobs: null,
          message: { role: 'assistant', content: 'Yes!', refusal: null, reasoning_content: 'Hm.' },
          finish_reason: 'length',
        },
      ],
      usage: {
        prompt_tokens: 7,
        completion_tokens: 9,
        total_tokens: 16,
        prompt_tokens_details: { cached_tokens: 4 },
        completion_tokens_details: { reasoning_tokens: 2 },
      },
    })
  })

  test('runs its own tools: parallel calls come back, the results go out, nothing is run here', async () => {
    const door = await openaiDoor({ scripts: [asksTools, says('Sunny.')] })
    // A schema that only the model has to understand.
    const odd = { ...weather.function, parameters: { type: 'object', unevaluatedProperties: false }, strict: true }
    const tools: ChatCompletionTool[] = [{ type: 'function', function: odd }]
    const first = await door.client.chat.completions.stream({ model, messages, tools }).finalChatCompletion()
    const [choice] = first.choices
    expect(choice!.finish_reason).toBe('tool_calls')
    expect(choice!.message.content).toBe('Let me see.')
    const calls = choice!.message.tool_calls!
    expect(calls.map(({ id, type, function: { name, arguments: given } }) => ({ id, type, name, given }))).toEqual([
      { id: 'c1', type: 'function', name: 'weather', given: '{"city":"Paris"}' },
      { id: 'c2', type: 'function', name: 'weather', given: '{"city":"Rome"}' },
    ])

    const results = calls.map(({ id }): ChatCompletionMessageParam => ({
      role: 'tool',
      tool_call_id: id,
      content: `sun ${id}`,
    }))
    const second = await door.client.chat.completions.create({
      model,
      messages: [...messages, choice!.message, ...results],
      tools,
    })
    expect(second.choices[0]!.message.content).toBe('Sunny.')
    expect(door.provider.requests.map(({ tools: given }) => given)).toEqual([[odd], [odd]])
    expect(door.provider.requests[1]!.messages).toEqual([
      { role: 'user', content: 'Hi' },
      {
        role: 'assistant',
        parts: [
          { type: 'text', text: 'Let me see.' },
          { type: 'tool_call', call_id: 'c1', name: 'weather', input: { city: 'Paris' } },
          { type: 'tool_call', call_id: 'c2', name: 'weather', input: { city: 'Rome' } },
        ],
      },
      { role: 'tool', call_id: 'c1', name: 'weather', content: 'sun c1', is_error: false },
      { role: 'tool', call_id: 'c2', name: 'weather', content: 'sun c2', is_error: false },
    ])
  })

  test('gets calls in a whole answer, too', async () => {
    const door = await openaiDoor({ scripts: [[[start, call('c1', 'Paris'), { type: 'done', reason: 'tool_calls' }]]] })
    const { choices } = await door.client.chat.completions.create({ model, messages, tools: [weather] })
    expect(choices).toEqual([
      {
        index: 0,
        logprobs: null,
        message: {
          role: 'assistant',
          content: null,
          refusal: null,
          tool_calls: [{ id: 'c1', type: 'function', function: { name: 'weather', arguments: '{"city":"Paris"}' } }],
        },
        finish_reason: 'tool_calls',
      },
    ])
  })

  test('its helper runs the whole tool loop', async () => {
    const door = await openaiDoor({ scripts: [asksTools, says('Sunny', '.')] })
    const asked: string[] = []
    const runner = door.client.chat.completions.runTools({
      model,
      stream: true,
      messages,
      tools: [
        {
          type: 'function',
          function: {
            name: 'weather',
            description: 'The weather.',
            parameters: { type: 'object', properties: {} },
            parse: (json: string): unknown => JSON.parse(json),
            function: (input: unknown) => {
              asked.push(JSON.stringify(input))
              return 'sun'
            },
          },
        },
      ],
    })
    expect(await runner.finalContent()).toBe('Sunny.')
    expect(asked).toEqual(['{"city":"Paris"}', '{"city":"Rome"}'])
  })

  const endings: [name: string, lines: Script, error: Record<string, unknown>][] = [
    [
      'a broken stream',
      [[start, { type: 'text', text: 'Hel' }], { throw: cutOff() }],
      { code: 'stream_eof_before_done', type: 'server_error', param: null },
    ],
    [
      'a provider without room',
      [
        [start, { type: 'text', text: 'Hel' }],
        { throw: new RunletError('rate_limited', { message: 'slow down', retryAfterMs: 1 }) },
      ],
      { code: 'rate_limit_exceeded', type: 'rate_limit_error', message: 'slow down' },
    ],
  ]
  for (const [name, script, error] of endings) {
    test(`is thrown an error in mid-stream: ${name}`, async () => {
      const door = await openaiDoor({ scripts: [script] })
      const stream = await door.client.chat.completions.create({ model, messages, stream: true })
      let text = ''
      const fault = await failure(
        (async () => {
          for await (const { choices } of stream) text += choices[0]?.delta.content ?? ''
        })(),
      )
      expect(text).toBe('Hel')
      expect(fault.error).toMatchObject(error)
    })
  }

  test('a stream that fails has no [DONE]', async () => {
    const door = await openaiDoor({ scripts: [[[start, { type: 'text', text: 'Hel' }], { throw: cutOff() }]] })
    const body = await (await door.post('/v1/chat/completions', { model, messages, stream: true })).text()
    expect(body.split('\n\n').map((frame) => frame.replace(/"id":.*?"choices"/, '…'))).toEqual([
      'id: 1-1\ndata: {…:[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}',
      'id: 1-4\ndata: {…:[{"index":0,"delta":{"content":"Hel"},"finish_reason":null}]}',
      'id: 1-5\ndata: {"error":{"message":"the scripted provider closed the stream before its end mark","type":"server_error","param":null,"code":"stream_eof_before_done"}}',
      '',
    ])
  })

  test('knows by the status what failed before the first word, streamed or not', async () => {
    const said: Record<string, unknown>[] = []
    for (const stream of [true, false]) {
      const door = await openaiDoor({
        scripts: [
          [
            [start],
            {
              throw: new RunletError('context_length_exceeded', { message: 'too long' }),
            },
          ],
        ],
      })
      const { status, code, type, message, headers } = await failure(
        door.client.chat.completions.create({ model, messages, stream }),
      )
      const run = (await door.runtime.list())[0]!.run_id
      expect([headers!.get('x-run-id'), headers!.get('x-should-retry')]).toEqual([run, 'false'])
      said.push({ status, code, type, message })
    }
    const expected = {
      status: 400,
      code: 'context_length_exceeded',
      type: 'invalid_request_error',
      message: '400 too long',
    }
    expect(said).toEqual([expected, expected])
  })

  test('tries again by itself where that has a chance, and not where it has none', async () => {
    const refusal = (code: 'overloaded' | 'unsupported') =>
      new RunletError(code, { message: 'no', retryAfterMs: 1, status: 503 })
    for (const [code, asked] of [['overloaded', 2] as const, ['unsupported', 1] as const]) {
      const scripts = [[[start, { type: 'text' as const, text: 'x' }], { throw: refusal(code) }], says('Hello')]
      const door = await openaiDoor({ scripts })
      const client = door.clientWith({ maxRetries: 1 })
      await client.chat.completions.create({ model, messages }).catch(() => {})
      expect(door.provider.requests).toHaveLength(asked)
    }
  })

  test('an abort ends the run, whether it reads a stream or waits for the whole', async () => {
    for (const stream of [true, false]) {
      const door = await openaiDoor({ scripts: [[[start, { type: 'text', text: 'Hel' }], silentForEver]] })
      const abort = new AbortController()
      const answer = door.client.chat.completions.create({ model, messages, stream }, { signal: abort.signal })
      if (stream) await answer
      else answer.catch(() => {})
      const [header] = await untilOne(() => door.runtime.list())
      abort.abort()
      await ended(door, header!.run_id)
      expect((await door.log.find(header!.run_id))!.header).toMatchObject({
        status: 'cancelled',
        finish_reason: 'cancelled',
      })
      expect(door.provider.active).toBe(0)
    }
  })

  test('an abort does not end a run that is to be kept', async () => {
    const headers: Record<string, string>[] = [{ 'X-Runlet-Keep': '1' }, { 'Idempotency-Key': 'k' }]
    for (const kept of headers) {
      let go = () => {}
      const wait = new Promise<void>((resolve) => void (go = resolve))
      const door = await openaiDoor({
        scripts: [[[start, { type: 'text', text: 'Hel' }], { wait }, ...says('lo').slice(1)]],
      })
      const abort = new AbortController()
      const options = { signal: abort.signal, headers: kept }
      const { response } = await door.client.chat.completions
        .create({ model, messages, stream: true }, options)
        .withResponse()
      abort.abort()
      await untilOne(() => Promise.resolve(door.server.readers === 0 ? [0] : []))
      go()
      const id = response.headers.get('x-run-id')!
      await ended(door, id)
      expect((await door.log.find(id))!.header.status).toBe('completed')
    }
  })

  test('a server that closes does not end the run of who waits for the whole', async () => {
    let go = () => {}
    const wait = new Promise<void>((resolve) => void (go = resolve))
    const door = await openaiDoor({
      scripts: [[[start, { type: 'text', text: 'Hel' }], { wait }, ...says('lo').slice(1)]],
    })
    const answer = failure(door.client.chat.completions.create({ model, messages }))
    const [header] = await untilOne(() => door.runtime.list())
    await door.close()
    expect((await answer).message).toBe('Connection error.')
    go()
    await ended(door, header!.run_id)
    expect((await door.log.find(header!.run_id))!.header.status).toBe('completed')
  })

  test('a server that closes tells who reads a stream that it is not over', async () => {
    const door = await openaiDoor({ scripts: [[[start, { type: 'text', text: 'Hel' }], silentForEver]] })
    const stream = await door.client.chat.completions.create({ model, messages, stream: true })
    const read = async () => {
      for await (const _ of stream);
    }
    const fault = failure(read())
    await door.close()
    expect((await fault).code).toBe('stream_interrupted')
    expect((await door.runtime.list())[0]!.status).toBe('running')
  })

  test('an answer that is damaged in the store is an error, whole or in chunks', async () => {
    const stored = memoryLog()
    const log: Log = {
      ...stored,
      async *read(run, how) {
        for await (const record of stored.read(run, how)) {
          if (record instanceof Batch && record.last >= 5)
            yield { type: 'gap', run, from: 5, to: record.last, reason: 'corrupt' }
          else yield record
        }
      },
    }
    const door = await openaiDoor({ log })
    const whole = await failure(door.client.chat.completions.create({ model, messages }))
    expect([whole.status, whole.code, whole.headers!.get('x-should-retry')]).toEqual([500, 'corrupt', 'false'])
    const stream = await door.client.chat.completions.create({ model, messages, stream: true })
    const read = async () => {
      for await (const _ of stream);
    }
    expect((await failure(read())).code).toBe('corrupt')
  })

  test('a run that somebody else cancels is an error, and no answer', async () => {
    const door = await openaiDoor({ scripts: [[[start, { type: 'text', text: 'Hel' }], silentForEver]] })
    for (const stream of [true, false]) {
      const answer = door.client.chat.completions.create({ model, messages, stream })
      const read = async () => {
        const got = await answer
        if (Symbol.asyncIterator in got) for await (const _ of got);
      }
      const fault = failure(read())
      const [header] = await untilOne(() => door.runtime.list({ status: 'running' }))
      await untilOne(async () => {
        const { cursor } = (await door.runtime.list({ status: 'running' }))[0]!
        return cursor.seq >= 4 ? [cursor] : []
      })
      await door.runtime.cancel(header!.run_id)
      const { status, code, error } = await fault
      expect([status, code]).toEqual([stream ? undefined : 409, 'run_cancelled'])
      expect(error).toMatchObject({ type: 'invalid_request_error' })
    }
  })

  test('lists and finds models', async () => {
    const door = await openaiDoor()
    const listed = []
    for await (const one of door.client.models.list()) listed.push(one)
    const expected = { id: 'lab/scripted', object: 'model', created: 0, owned_by: 'lab' }
    expect(listed).toEqual([expected])
    expect(await door.client.models.retrieve('lab/scripted')).toEqual(expected)
    // Python's client does not escape the slash.
    expect(await (await door.ask('/v1/models/lab/scripted')).json()).toEqual(expected)
    const fault = await failure(door.client.models.retrieve('lab/scripte'))
    expect([fault.status, fault.code]).toEqual([404, 'model_not_found'])
    expect(fault.message).toContain('did you mean "lab/scripted"?')
  })

  test('its key is the token', async () => {
    const door = await openaiDoor()
    const stranger = door.clientWith({ apiKey: 'x'.repeat(43) })
    for (const work of [
      () => stranger.models.list(),
      () => stranger.models.retrieve('lab/scripted'),
      () => stranger.chat.completions.create({ model, messages }),
    ]) {
      const fault = await failure(work())
      expect(fault).toBeInstanceOf(AuthenticationError)
      expect([fault.status, fault.code, fault.type]).toEqual([401, 'invalid_api_key', 'authentication_error'])
    }
    expect(await door.runtime.list()).toEqual([])
  })
})

describe('a key', () => {
  test('joins or replays the run, and is another one on another route', async () => {
    const door = await openaiDoor()
    const headers = { 'Idempotency-Key': 'k1' }
    const body = { model, messages, stream: true }
    const answers = await Promise.all([1, 2, 3].map(() => door.post('/v1/chat/completions', body, headers)))
    const bodies = await Promise.all(answers.map((answer) => answer.text()))
    expect(new Set(bodies).size).toBe(1)
    const replayed = answers.map((answer) => answer.headers.get('idempotency-replayed') ?? 'false')
    expect(replayed.toSorted()).toEqual(['false', 'true', 'true'])
    expect(door.provider.requests).toHaveLength(1)
    const conflict = await door.post('/v1/chat/completions', { ...body, stream: false }, headers)
    expect([conflict.status, (await conflict.json()).error.code]).toEqual([422, 'idempotency_conflict'])
    const other = await door.post('/v1/runs', { model, prompt: 'Hi' }, headers)
    expect([other.status, other.headers.get('idempotency-replayed')]).toEqual([202, null])
  })

  test('replays a failure, and says that there is no use in trying again', async () => {
    const door = await openaiDoor({
      scripts: [[[start, { type: 'text', text: 'x' }], { throw: cutOff() }], says('Hi')],
    })
    for (let i = 0; i < 2; i++) {
      const answer = await door.post('/v1/chat/completions', { model, messages }, { 'Idempotency-Key': 'k1' })
      expect([answer.status, answer.headers.get('x-should-retry'), answer.headers.get('retry-after')]).toEqual([
        502,
        'false',
        null,
      ])
    }
    expect(door.provider.requests).toHaveLength(1)
  })

  test('is needed by whoever comes back with a cursor', async () => {
    const door = await openaiDoor()
    const body = { model, messages, stream: true }
    const without = await door.post('/v1/chat/completions', body, { 'Last-Event-ID': '1-4' })
    expect((await without.json()).error.code).toBe('cursor_without_key')
    const key = { 'Idempotency-Key': 'k1' }
    const whole = await (await door.post('/v1/chat/completions', body, key)).text()
    const rest = await (await door.post('/v1/chat/completions', body, { ...key, 'Last-Event-ID': '1-4' })).text()
    expect(whole.endsWith(rest)).toBe(true)
    expect(rest.startsWith('id: 1-5\n')).toBe(true)
  })
})

describe('a stream that was cut', () => {
  const script: Script = [
    [start, { type: 'reasoning', text: 'Hm' }],
    [
      { type: 'text', text: 'Let ' },
      { type: 'text', text: 'me see.\u2028' },
    ],
    [{ type: 'citations', citations: [{ uri: 'https://example.org/', title: 'x', start: 0, end: 3 }] }],
    [{ type: 'fields', fields: { system_fingerprint: 'fp_1', choices: [{ index: 0, logprobs: { content: [] } }] } }],
    [call('c1', 'Paris'), call('c2', 'Rome'), { type: 'done', reason: 'tool_calls', usage: usage(5, 6) }],
  ]
  const body = {
    model,
    messages,
    tools: [weather],
    stream: true,
    stream_options: { include_usage: true },
  }

  test('goes on at /v1/runs/{id}/events from the id of any frame, byte for byte', async () => {
    const door = await openaiDoor({ scripts: [script] })
    const answer = await door.post('/v1/chat/completions', body)
    const id = answer.headers.get('x-run-id')!
    const whole = await answer.text()
    const path = `/v1/runs/${id}/events?format=openai-chat&include_usage=1`
    expect(await (await door.ask(path)).text()).toBe(whole)

    const frames = whole.split(/(?<=\n\n)/)
    expect(frames).toHaveLength(10)
    for (let cut = 1; cut < frames.length - 1; cut++) {
      const last = /^id: (.*)$/m.exec(frames[cut - 1]!)![1]!
      const rest = await (await door.ask(path, { headers: { 'Last-Event-ID': last } })).text()
      // The last three share the place of the end: who has seen one of them is told all that follows the entry.
      expect(frames.slice(0, Math.min(cut, 8)).join('') + rest, `after frame ${cut}`).toBe(whole)
    }
  })

  test('gives the same answer from any byte on, live or ended', async () => {
    const door = await openaiDoor({ scripts: [script] })
    const answer = await door.post('/v1/chat/completions', body)
    const id = answer.headers.get('x-run-id')!
    const bytes = new Uint8Array(await answer.arrayBuffer())
    const uncut = chatClient({ framing: 'sse' })
    uncut.feed(bytes)
    for (let at = 0; at < bytes.length; at += 7) {
      const client = chatClient({ framing: 'sse' })
      client.feed(bytes.subarray(0, at))
      if (client.done) continue
      client.cut()
      const headers: Record<string, string> = client.cursor ? { 'Last-Event-ID': `1-${client.cursor.seq}` } : {}
      const rest = await door.ask(`/v1/runs/${id}/events?format=openai-chat&include_usage=1`, { headers })
      client.feed(new Uint8Array(await rest.arrayBuffer()))
      expect([client.state, client.usage, client.done]).toEqual([uncut.state, uncut.usage, true])
    }
  })

  test('shows on another run that its tools are not seen, and comes as lines too', async () => {
    const door = await openaiDoor()
    const id = await door.begin([...stepBegins, ...texts(2), ...runEnds])
    const answer = await door.ask(`/v1/runs/${id}/events?format=openai-chat&include_usage=1`, {
      headers: { accept: 'application/x-ndjson' },
    })
    const lines = (await answer.text()).split('\n').slice(0, -1)
    const chunk = (cursor: string, delta: object, finish_reason: string | null = null) => ({
      cursor,
      id: 'chatcmpl-run_lab',
      object: 'chat.completion.chunk',
      created: Math.floor(door.clock.now() / 1000),
      model: 'lab/scripted',
      choices: [{ index: 0, delta, finish_reason }],
    })
    expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual([
      chunk('1-1', { role: 'assistant', content: '' }),
      chunk('1-4', { content: 'word ' }),
      chunk('1-5', { content: 'word ' }),
      chunk('1-8', {}, 'stop'),
      { ...chunk('1-8', {}), choices: [], usage: { prompt_tokens: 3, completion_tokens: 4, total_tokens: 7 } },
      { cursor: '1-8', object: 'done' },
    ])
  })
})

/** Asks again and again, between other things that are done, until there is one. */
async function untilOne<T>(ask: () => Promise<T[]>): Promise<T[]> {
  for (;;) {
    const found = await ask()
    if (found.length > 0) return found
    await new Promise<void>((resolve) => void setImmediate(resolve))
  }
}
