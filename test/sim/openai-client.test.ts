/** The official OpenAI client reads what the simulator sends. */
import OpenAI from 'openai'
import { describe, expect, test } from 'vitest'
import { tokens } from '../../src/sim/tokens.ts'
import { stage } from './stage.ts'

const { start } = stage()
const clientOf = (sim: { url: string }) => new OpenAI({ baseURL: `${sim.url}/v1`, apiKey: 'none', maxRetries: 0 })
const user = (content: string) => [{ role: 'user' as const, content }]
const tool = (name: string, properties: Record<string, unknown> = {}) => ({
  type: 'function' as const,
  function: { name, parameters: { type: 'object', properties, required: Object.keys(properties) } },
})

const prompt = 'Sag „Grüße“ zu 👩‍💻 und 日本!'
const models: [model: string, finish: string, content: string | RegExp][] = [
  [
    'sim',
    'stop',
    /^# Hello! 👋\n\nYou wrote “Sag „Grüße“ zu 👩‍💻 und 日本!”, .+ over HTTP \(the OpenAI Chat Completions API\).+Viel Spaß! ✨\n$/s,
  ],
  ['sim/hello', 'stop', /^# Hello! 👋/],
  ['echo', 'stop', prompt],
  ['lorem', 'stop', /^Lorem .+\.$/s],
  ['lorem-5', 'stop', /^Lorem \w+ \w+ \w+ \w+\.$/],
  ['reasoning', 'stop', 'Your prompt has **26** characters and 44 bytes.'],
  ['tools', 'stop', 'I would call a tool, but this request offers none.'],
  ['tools-parallel', 'stop', 'I would call a tool, but this request offers none.'],
  ['tools-forever', 'stop', 'I would call a tool, but this request offers none.'],
  ['length', 'length', 'This answer would have been longer, but its token limit comes right in the'],
  ['refusal', 'stop', ''],
  ['filter', 'content_filter', 'Once upon a time there was'],
  ['slow', 'stop', /^Patience/],
  ['empty', 'stop', ''],
]

describe('every model of its own', () => {
  test('is in this table', async () => {
    const sim = await start()
    const listed: string[] = []
    for await (const { id } of clientOf(sim).models.list()) listed.push(id)
    expect(listed.filter((id) => id !== 'lorem-1000')).toEqual(
      models
        .map(([model]) => model)
        .filter((model) => !['sim/hello', 'lorem', 'lorem-5'].includes(model))
        .toSorted((a, b) => listed.indexOf(a) - listed.indexOf(b)),
    )
  })

  for (const [model, finish, content] of models) {
    test(`${model} reads the same as a stream and whole`, async () => {
      const sim = await start({ tokensPerSecond: Number.POSITIVE_INFINITY })
      const client = clientOf(sim)
      const streamed = client.chat.completions.stream({
        model,
        messages: user(prompt),
        stream_options: { include_usage: true },
      })
      const fromStream = await streamed.finalChatCompletion()
      const whole = await client.chat.completions.create({ model, messages: user(prompt) })
      expect(fromStream.choices[0]!.finish_reason).toBe(finish)
      expect(whole.choices[0]!.finish_reason).toBe(finish)
      for (const { message } of [fromStream.choices[0]!, whole.choices[0]!]) {
        if (typeof content === 'string') expect(message.content ?? '').toBe(content)
        else expect(message.content).toMatch(content)
      }
      expect(fromStream.choices[0]!.message.refusal).toBe(whole.choices[0]!.message.refusal)
      expect(fromStream.usage).toEqual(whole.usage)
    })
  }
})

test('a stream is role, tokens, finish, usage', async () => {
  const sim = await start()
  const stream = await clientOf(sim).chat.completions.create({
    model: 'echo',
    messages: user('Hello there'),
    stream: true,
    stream_options: { include_usage: true },
  })
  const seen: unknown[] = []
  for await (const { choices, usage, model } of stream) {
    seen.push([model, choices[0]?.delta, choices[0]?.finish_reason, usage?.total_tokens])
  }
  expect(seen).toEqual([
    ['echo', { role: 'assistant', content: '', refusal: null }, null, undefined],
    ['echo', { content: 'Hello' }, null, undefined],
    ['echo', { content: ' there' }, null, undefined],
    ['echo', {}, 'stop', undefined],
    ['echo', undefined, undefined, 7],
  ])
})

test('reasoning comes before the answer, in its own member, and is counted', async () => {
  const sim = await start()
  const stream = await clientOf(sim).chat.completions.create({
    model: 'reasoning',
    messages: user('Hi'),
    stream: true,
    stream_options: { include_usage: true },
  })
  const kinds: string[] = []
  let reasoning = ''
  let counted: number | undefined
  for await (const { choices, usage } of stream) {
    const delta = choices[0]?.delta as { reasoning_content?: string; content?: string } | undefined
    if (delta?.reasoning_content) reasoning += delta.reasoning_content
    const kind = delta?.reasoning_content ? 'reasoning' : delta?.content ? 'text' : undefined
    if (kind && kinds.at(-1) !== kind) kinds.push(kind)
    counted = usage?.completion_tokens_details?.reasoning_tokens ?? counted
  }
  expect(kinds).toEqual(['reasoning', 'text'])
  expect(reasoning).toMatch(/^The user wrote "Hi"\..+not a byte\.$/s)
  expect(counted).toBe(tokens(reasoning).length)
})

describe('tools', () => {
  test('calls current_time if it is offered, then answers with its result', async () => {
    const sim = await start()
    const client = clientOf(sim)
    const tools = [tool('weather', { city: { type: 'string' } }), tool('current_time')]
    const request = { model: 'tools', tools, messages: user('What time is it?') }
    const asking = (await client.chat.completions.stream(request).finalChatCompletion()).choices[0]!
    const calls = asking.message.tool_calls
    expect(asking.finish_reason).toBe('tool_calls')
    expect(calls).toMatchObject([
      { id: 'call_1', type: 'function', function: { name: 'current_time', arguments: '{}' } },
    ])

    const result = { role: 'tool' as const, tool_call_id: 'call_1', content: '2026-11-21T10:00:00Z' }
    const messages = [...request.messages, asking.message, result]
    const answering = await client.chat.completions.stream({ ...request, messages }).finalChatCompletion()
    expect(answering.choices[0]!.message.content).toBe('Here it is:\n\n- `current_time` says: 2026-11-21T10:00:00Z\n')
    expect(answering.choices[0]!.finish_reason).toBe('stop')
  })

  test('fills in the arguments that a schema requires, in fragments that join to JSON', async () => {
    const sim = await start()
    const stream = await clientOf(sim).chat.completions.create({
      model: 'tools',
      tools: [tool('search', { query: { type: 'string' }, limit: { type: 'integer', minimum: 3 } })],
      messages: user('Grüße 💖 "quoted"'),
      stream: true,
    })
    const fragments: string[] = []
    for await (const { choices } of stream) {
      for (const call of choices[0]?.delta.tool_calls ?? []) fragments.push(call.function?.arguments ?? '')
    }
    expect(fragments.length).toBeGreaterThan(3)
    expect(JSON.parse(fragments.join(''))).toEqual({ query: 'Grüße 💖 "quoted"', limit: 3 })
  })

  test('tools-parallel calls all that are offered, and one that is alone twice', async () => {
    const sim = await start()
    const names = async (tools: ReturnType<typeof tool>[]) => {
      const { choices } = await clientOf(sim)
        .chat.completions.stream({ model: 'tools-parallel', tools, messages: user('Hi') })
        .finalChatCompletion()
      return choices[0]!.message.tool_calls?.map((call) => [call.id, call.type === 'function' && call.function.name])
    }
    expect(await names([tool('a'), tool('b'), tool('c')])).toEqual([
      ['call_1', 'a'],
      ['call_2', 'b'],
      ['call_3', 'c'],
    ])
    expect(await names([tool('a')])).toEqual([
      ['call_1', 'a'],
      ['call_2', 'a'],
    ])
  })

  test('tool_choice is honoured', async () => {
    const sim = await start()
    const client = clientOf(sim)
    const request = { model: 'tools', tools: [tool('current_time'), tool('other')], messages: user('Hi') }
    const none = await client.chat.completions.create({ ...request, tool_choice: 'none' })
    expect(none.choices[0]!.message.tool_calls).toBeUndefined()
    const named = await client.chat.completions.create({
      ...request,
      tool_choice: { type: 'function', function: { name: 'other' } },
    })
    expect(named.choices[0]!.message.tool_calls).toMatchObject([{ function: { name: 'other' } }])
  })

  test('tools-forever calls again after a result, under a fresh id', async () => {
    const sim = await start()
    const { choices } = await clientOf(sim).chat.completions.create({
      model: 'tools-forever',
      tools: [tool('a')],
      messages: [
        ...user('Hi'),
        {
          role: 'assistant',
          tool_calls: [{ id: 'call_1', type: 'function', function: { name: 'a', arguments: '{}' } }],
        },
        { role: 'tool', tool_call_id: 'call_1', content: 'x' },
      ],
    })
    expect(choices[0]!.message.tool_calls?.map(({ id }) => id)).toEqual(['call_2'])
  })
})

test('max_completion_tokens ends the answer with length', async () => {
  const sim = await start()
  const { choices, usage } = await clientOf(sim).chat.completions.create({
    model: 'lorem-50',
    messages: user('Hi'),
    max_completion_tokens: 3,
  })
  expect([choices[0]!.message.content?.split(' ').length, choices[0]!.finish_reason, usage?.completion_tokens]).toEqual(
    [3, 'length', 3],
  )
})

test('an abort closes the connection, and the journal says that the client did it', async () => {
  const sim = await start({ tokensPerSecond: 5 })
  const abort = new AbortController()
  const stream = await clientOf(sim).chat.completions.create(
    { model: 'lorem-1000', messages: user('Hi'), stream: true },
    { signal: abort.signal },
  )
  for await (const _ of stream) abort.abort()
  expect(await sim.next()).toMatchObject({
    model: 'lorem-1000',
    status: 200,
    closedByClient: true,
    ending: 'client_closed',
  })
})

describe('errors are OpenAI’s', () => {
  const cases: [name: string, model: string, expected: object][] = [
    [
      'an unknown model',
      'gpt-9',
      { status: 404, code: 'model_not_found', type: 'invalid_request_error', param: 'model' },
    ],
    ['a rate limit', 'echo?status=429,retry-after=7', { status: 429, code: 'rate_limit_exceeded', type: 'requests' }],
    ['overload', 'echo?status=503', { status: 503, code: 'overloaded', type: 'server_error' }],
    ['an unknown fault', 'echo?explode', { status: 400, code: 'fault_unknown' }],
  ]
  for (const [name, model, expected] of cases) {
    test(name, async () => {
      const sim = await start()
      const asked = clientOf(sim).chat.completions.create({ model, messages: user('Hi'), stream: true })
      await expect(asked).rejects.toMatchObject(expected)
    })
  }

  test('in mid-stream, after the tokens before it', async () => {
    const sim = await start()
    const stream = await clientOf(sim).chat.completions.create({
      model: 'echo?error=3',
      messages: user('one two three'),
      stream: true,
    })
    const texts: (string | null | undefined)[] = []
    const reading = (async () => {
      for await (const { choices } of stream) texts.push(choices[0]?.delta.content)
    })()
    await expect(reading).rejects.toMatchObject({ type: 'server_error', code: 'server_error' })
    expect(texts).toEqual(['', 'one', ' two'])
  })

  test('a bad request names the place', async () => {
    const sim = await start()
    const asked = clientOf(sim).chat.completions.create({ model: 'echo', messages: user('Hi'), n: 2 })
    await expect(asked).rejects.toMatchObject({ status: 400, message: expect.stringContaining('n: ') })
  })
})
