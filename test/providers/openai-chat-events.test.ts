import { expect, test } from 'vitest'
import type { ProviderEvent } from '../../src/core/provider.ts'
import { chatBody, chatStream } from '../../src/providers/openai-chat/parse.ts'
import type { ChatDialect } from '../../src/providers/openai-chat/request.ts'
import { callIds } from '../../src/providers/shared/call-ids.ts'
import { decodeAll, type Decoded } from '../../src/testing/every-split.ts'
import type { Message } from '../../src/core/message.ts'
import { ownFixture } from './recordings.ts'

const peer = { provider: 'openai-chat', name: 'the test', redact: (text: string) => text }

interface Given {
  readonly messages?: readonly Message[]
  readonly endMark?: ChatDialect['endMark']
}

const decoded = (bytes: Uint8Array, { messages = [], endMark }: Given = {}): Decoded<ProviderEvent> =>
  decodeAll(chatStream({ peer, model: 'asked-for', ids: callIds(messages), endMark }), [bytes])

/** The events of chunks with these choices, or the fault. */
const from = (frames: readonly (object | string)[], given?: Given) =>
  decoded(
    Buffer.from(
      frames.map((frame) => `data: ${typeof frame === 'string' ? frame : JSON.stringify(frame)}\n\n`).join(''),
    ),
    given,
  )
const says = (delta: object, finish_reason: string | null = null) => ({ choices: [{ index: 0, delta, finish_reason }] })
const reasonOf = ({ fault }: Decoded<ProviderEvent>) => (fault as { reason?: string } | undefined)?.reason

test('openai-chat: a plain answer is these events, whitespace and all', () => {
  expect(decoded(ownFixture('openai-chat/text.sse')).out).toEqual([
    { type: 'start', model: 'small-model' },
    ...['Hello', ' ', '\n', '\n\n', '  indented', '\u2028', 'Gr\u00fc\u00dfe ', '\u{1f496}', '\t!'].map((text) => ({
      type: 'text',
      text,
    })),
    {
      type: 'done',
      reason: 'stop',
      usage: {
        input_tokens: 9,
        output_tokens: 7,
        total_tokens: 16,
        reasoning_tokens: 2,
        cached_tokens: 4,
        accuracy: 'exact',
      },
    },
  ])
})

test('openai-chat: calls that come interleaved are shown as they come and made in index order', () => {
  const delta = (call_id: string, name: string, json: string) => ({ type: 'tool_call_delta', call_id, name, json })
  const { out } = decoded(ownFixture('openai-chat/tools.sse'))
  expect(out.slice(0, -1)).toEqual([
    { type: 'start', model: 'small-model' },
    delta('call_a', 'get_weather', '{"city":'),
    delta('call_c', 'get_weather', '{"ci'),
    delta('call_a', 'get_weather', ' "K\u00f6ln \\ud83d'),
    delta('call_c', 'get_weather', 'ty":"Paris"}'),
    delta('call_a', 'get_weather', '\\udc96"}'),
    { type: 'tool_call', call_id: 'call_a', name: 'get_weather', input: { city: 'K\u00f6ln \u{1f496}' } },
    { type: 'tool_call', call_id: 'call_b', name: 'get_time', input: {} },
    { type: 'tool_call', call_id: 'call_c', name: 'get_weather', input: { city: 'Paris' } },
  ])
})

test('openai-chat: a call without an id gets one, and one that the conversation has already gets another', () => {
  const messages: Message[] = [
    { role: 'assistant', parts: [{ type: 'tool_call', call_id: 'call_0', name: 'f', input: {} }] },
  ]
  const call = (index: number, id?: string) =>
    says({ tool_calls: [{ index, id, function: { name: 'f', arguments: '' } }] })
  const { out } = from([call(0, 'call_0'), call(1), call(2, 'call_1'), says({}, 'tool_calls'), '[DONE]'], { messages })
  expect(out.flatMap((event) => (event.type === 'tool_call' ? [event.call_id] : []))).toEqual([
    'call00001',
    'call00002',
    'call_1',
  ])
})

test('openai-chat: half a character of shown arguments waits for its other half', () => {
  const piece = (json: string) =>
    says({ tool_calls: [{ index: 0, id: 'a', function: { name: 'f', arguments: json } }] })
  const { out } = from([piece('{"a":"\ud83d'), piece('\udc96"}'), says({}, 'tool_calls'), '[DONE]'])
  expect(out.flatMap((event) => (event.type === 'tool_call_delta' ? [event.json] : []))).toEqual([
    '{"a":"',
    '\u{1f496}"}',
  ])
  expect(out).toContainEqual({ type: 'tool_call', call_id: 'a', name: 'f', input: { a: '\u{1f496}' } })
})

test('openai-chat: what a name comes late to is shown once the name is there', () => {
  const piece = (name: string | undefined, json: string) =>
    says({ tool_calls: [{ index: 0, id: 'a', function: { name, arguments: json } }] })
  const { out } = from([piece(undefined, '{'), piece('f', '"a":1'), piece('', '}'), says({}, 'stop'), '[DONE]'])
  expect(out.slice(0, -1)).toEqual([
    { type: 'start', model: 'asked-for' },
    { type: 'tool_call_delta', call_id: 'a', name: 'f', json: '{"a":1' },
    { type: 'tool_call_delta', call_id: 'a', name: 'f', json: '}' },
    { type: 'tool_call', call_id: 'a', name: 'f', input: { a: 1 } },
  ])
})

test('openai-chat: after length or a filter no call is made, however whole it looks', () => {
  const call = says({ tool_calls: [{ index: 0, id: 'a', function: { name: 'f', arguments: '{}' } }] })
  for (const reason of ['length', 'content_filter', 'model_length', 'max_tokens']) {
    const { out } = from([call, says({}, reason), '[DONE]'])
    expect(out.map(({ type }) => type)).toEqual(['start', 'tool_call_delta', 'done'])
  }
})

test('openai-chat: one bad call among good ones makes none of them', () => {
  const { out, fault } = decoded(ownFixture('openai-chat/bad-arguments.sse'))
  expect(out.map(({ type }) => type)).toEqual(['start', 'text', 'tool_call_delta', 'tool_call_delta'])
  expect(fault).toMatchObject({ code: 'internal', reason: 'bad_tool_arguments', provider: 'openai-chat' })
})

test('openai-chat: arguments that are too deep to be stored, a call without a name, and calls without end are errors', () => {
  const call = (body: object) => from([says({ tool_calls: [body] }), says({}, 'tool_calls'), '[DONE]'])
  const deep = '{"a":'.repeat(80) + '1' + '}'.repeat(80)
  expect(reasonOf(call({ index: 0, id: 'a', function: { name: 'f', arguments: deep } }))).toBe('bad_tool_arguments')
  expect(reasonOf(call({ index: 0, id: 'a', function: { arguments: '{}' } }))).toBe('bad_tool_call')
  const many = Array.from({ length: 129 }, (_, index) => ({ index, id: `c${index}`, function: { name: 'f' } }))
  expect(reasonOf(from([says({ tool_calls: many })]))).toBe('bad_tool_call')
})

test('openai-chat: a name that is too long for a tool ends the answer before it is shown', () => {
  const call = (length: number) =>
    from([
      says({ tool_calls: [{ index: 0, id: 'a', function: { name: 'f'.repeat(length), arguments: '{}' } }] }),
      says({}, 'tool_calls'),
      '[DONE]',
    ])
  expect(call(256).out.map(({ type }) => type)).toEqual(['start', 'tool_call_delta', 'tool_call', 'done'])
  const { out, fault } = call(257)
  expect(out.map(({ type }) => type)).toEqual(['start'])
  expect(fault).toMatchObject({ code: 'internal', reason: 'bad_tool_call', provider: 'openai-chat' })
})

test('openai-chat: arguments that come as an object are bounded too', () => {
  const deep = `${'{"a":'.repeat(20_000)}1${'}'.repeat(20_000)}`
  const chunk = `{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":${deep}}}]}}]}`
  expect(reasonOf(from([chunk]))).toBe('bad_tool_arguments')
})

const MOST = Number.MAX_SAFE_INTEGER
const oddCounts: [said: string, used: object | undefined][] = [
  ['{"prompt_tokens":1e999,"completion_tokens":1e300}', undefined],
  ['{"prompt_tokens":-1,"completion_tokens":1.5}', undefined],
  ['{"prompt_tokens":"1","completion_tokens":null}', undefined],
  [
    '{"prompt_tokens":1e999,"completion_tokens":2,"total_tokens":1e999}',
    { input_tokens: 0, output_tokens: 2, total_tokens: 2, accuracy: 'estimated' },
  ],
  [
    `{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3.5,"prompt_tokens_details":{"cached_tokens":1e999},"completion_tokens_details":{"reasoning_tokens":1e20}}`,
    { input_tokens: 1, output_tokens: 2, total_tokens: 3, accuracy: 'exact' },
  ],
  [
    `{"prompt_tokens":${MOST},"completion_tokens":${MOST}}`,
    { input_tokens: MOST, output_tokens: MOST, total_tokens: MOST, accuracy: 'exact' },
  ],
]
for (const [said, used] of oddCounts) {
  test(`openai-chat: a usage of ${said} counts what can be counted`, () => {
    const { out } = from([says({}, 'stop'), `{"choices":[],"usage":${said}}`, '[DONE]'])
    expect(out.at(-1)).toEqual({ type: 'done', reason: 'stop', ...(used ? { usage: used } : {}) })
  })
}

test('openai-chat: a whole body that is too long is final', () => {
  const body = chatBody({ peer, model: 'm', ids: callIds([]) })
  const chunk = Buffer.alloc(1 << 20, ' ')
  const { fault } = decodeAll(
    body,
    Array.from({ length: 17 }, () => chunk),
  )
  expect(fault).toMatchObject({ code: 'network', reason: 'answer_too_long', temporary: false })
})

test('openai-chat: a citation has the places that are places', () => {
  const cited = '{"type":"url_citation","url_citation":{"url":"http://a","start_index":1e999,"end_index":7}}'
  const { out } = from([`{"choices":[{"index":0,"delta":{"annotations":[${cited}]}}]}`])
  expect(out.slice(1)).toEqual([{ type: 'citations', citations: [{ uri: 'http://a', end: 7 }] }])
})

test('openai-chat: an index that no call can have does not count', () => {
  const call = (index: unknown, id: string | null, json: string) =>
    says({ tool_calls: [{ index, id, function: { name: id && 'f', arguments: json } }] })
  const { out } = from([
    call(-1, 'a', '{"n"'),
    call(1.5, null, ':1}'),
    call(1e9, 'b', '{"n":'),
    call('0', null, '2}'),
    says({}, 'tool_calls'),
    '[DONE]',
  ])
  expect(out.flatMap((event) => (event.type === 'tool_call' ? [event.input] : []))).toEqual([{ n: 1 }, { n: 2 }])
})

test('openai-chat: a refusal is text to read, a finding, and no plain stop', () => {
  const { out } = decoded(ownFixture('openai-chat/refusal.sse'))
  expect(out.slice(0, -1)).toEqual([
    { type: 'start', model: 'small-model' },
    { type: 'safety', category: 'refusal', action: 'block' },
    { type: 'text', text: 'I cannot' },
    { type: 'text', text: ' do that.' },
  ])
  expect(out.at(-1)).toMatchObject({ reason: 'content_filter' })
})

test('openai-chat: of what Azure filters say only the findings are told, each once', () => {
  const { out } = decoded(ownFixture('openai-chat/azure-filter.sse'))
  expect(out).toEqual([
    { type: 'start', model: 'small-model' },
    { type: 'safety', category: 'jailbreak', action: 'warn' },
    { type: 'text', text: 'Well' },
    { type: 'safety', category: 'violence', action: 'block' },
    { type: 'done', reason: 'content_filter' },
  ])
})

test('openai-chat: sources that stand in every chunk are told once', () => {
  const { out } = decoded(ownFixture('openai-chat/citations.sse'))
  expect(out.map(({ type }) => type)).toEqual(['start', 'citations', 'text', 'text', 'citations', 'done'])
})

const ends: [finish: string, reason: string][] = [
  ['stop', 'stop'],
  ['eos_token', 'stop'],
  ['length', 'length'],
  ['model_length', 'length'],
  ['content_filter', 'content_filter'],
  ['tool_calls', 'unknown'],
  ['something_new', 'unknown'],
  ['constructor', 'unknown'],
]

test('openai-chat: what a server calls the end is one of our reasons', () => {
  const found = ends.map(([finish]) => from([says({ content: 'x' }, finish), '[DONE]']).out.at(-1))
  expect(found).toEqual(ends.map(([, reason]) => ({ type: 'done', reason })))
  expect(reasonOf(from([says({ content: 'x' }, 'insufficient_system_resource'), '[DONE]']))).toBe(
    'finish_insufficient_system_resource',
  )
})

const usage = { prompt_tokens: 1, completion_tokens: 2, total_tokens: 3 }

test('openai-chat: without [DONE] an answer is cut, unless the server is known for closing behind its usage', () => {
  const finish = says({}, 'stop')
  const counts = { choices: [], usage }
  const outcomes = (frames: object[]) =>
    ([undefined, 'done', 'finish_reason'] as const).map(
      (endMark) => reasonOf(from([says({ content: 'x' }), ...frames], { endMark })) ?? 'done',
    )
  const cut = 'stream_eof_before_done'
  expect(outcomes([])).toEqual([cut, cut, cut])
  expect(outcomes([counts])).toEqual([cut, cut, cut])
  expect(outcomes([finish])).toEqual([cut, cut, cut])
  expect(outcomes([finish, counts])).toEqual([cut, cut, 'done'])
})

test('openai-chat: a [DONE] that lacks its blank line is an end mark all the same', () => {
  const text = `data: ${JSON.stringify(says({ content: 'x' }, 'stop'))}\n\ndata: [DONE]`
  expect(decoded(Buffer.from(text)).out.at(-1)).toEqual({ type: 'done', reason: 'stop' })
  expect(decoded(Buffer.from(`${text}\n`)).out.at(-1)).toEqual({ type: 'done', reason: 'stop' })
})

test('openai-chat: nothing behind [DONE] counts, not even damage', () => {
  const { out, fault } = from([says({ content: 'x' }, 'stop'), '[DONE]', 'no json', says({ content: 'y' })])
  expect([out.length, fault]).toEqual([3, undefined])
})

test('openai-chat: empty frames and comments keep the connection, and say nothing', () => {
  const stream = `: ping\n\ndata:\n\ndata: ${JSON.stringify(says({ content: 'x' }, 'stop'))}\n\n: ping\n\ndata: [DONE]\n\n`
  expect(decoded(Buffer.from(stream)).out.map(({ type }) => type)).toEqual(['start', 'text', 'done'])
})

test('openai-chat: a name in a frame makes no event of ours: what a model sends is text', () => {
  const stream = ['heartbeat', 'gap', 'overflow', 'finish']
    .map((event) => `event: ${event}\ndata: ${JSON.stringify({ type: event, ...says({ content: event }) })}\n\n`)
    .join('')
  const { out } = decoded(Buffer.from(`${stream}data: [DONE]\n\n`))
  expect(out.map(({ type }) => type)).toEqual(['start', 'text', 'text', 'text', 'text', 'done'])
})

const counts: [name: string, usage: object, expected: object | undefined][] = [
  ['plain', usage, { input_tokens: 1, output_tokens: 2, total_tokens: 3, accuracy: 'exact' }],
  [
    'xAI, which counts reasoning beside the completion',
    {
      prompt_tokens: 291,
      completion_tokens: 26,
      total_tokens: 513,
      completion_tokens_details: { reasoning_tokens: 196 },
    },
    { input_tokens: 291, output_tokens: 222, total_tokens: 513, reasoning_tokens: 196, accuracy: 'exact' },
  ],
  [
    'reasoning that is more than everything',
    { prompt_tokens: 43, completion_tokens: 10, total_tokens: 53, completion_tokens_details: { reasoning_tokens: 11 } },
    { input_tokens: 43, output_tokens: 10, total_tokens: 53, reasoning_tokens: 10, accuracy: 'exact' },
  ],
  [
    'DeepSeek, with its own name for what was cached',
    { ...usage, prompt_cache_hit_tokens: 1 },
    { input_tokens: 1, output_tokens: 2, total_tokens: 3, cached_tokens: 1, accuracy: 'exact' },
  ],
  [
    'half of it',
    { completion_tokens: 2 },
    { input_tokens: 0, output_tokens: 2, total_tokens: 2, accuracy: 'estimated' },
  ],
  ['odd values', { prompt_tokens: 'x', completion_tokens: -1, total_tokens: null }, undefined],
  ['nothing', {}, undefined],
]

for (const [name, given, expected] of counts) {
  test(`openai-chat: usage, ${name}`, () => {
    const { out } = from([says({ content: 'x' }, 'stop'), { choices: [], usage: given }, '[DONE]'])
    expect(out.at(-1)).toEqual({ type: 'done', reason: 'stop', ...(expected ? { usage: expected } : {}) })
  })
}

test('openai-chat: usage stands where a server puts it: Groq, Moonshot', () => {
  const expected = { input_tokens: 1, output_tokens: 2, total_tokens: 3, accuracy: 'exact' }
  const groq = from([{ ...says({}, 'stop'), x_groq: { usage } }, '[DONE]'])
  const moonshot = from([{ choices: [{ index: 0, delta: {}, finish_reason: 'stop', usage }] }, '[DONE]'])
  for (const { out } of [groq, moonshot]) expect(out.at(-1)).toEqual({ type: 'done', reason: 'stop', usage: expected })
})

test('openai-chat: a bad frame is told by its number, and what it says stays in the cause', () => {
  const { fault } = from([says({ content: 'x' }), 'hunter2'])
  const error = fault as Error & { cause: Error }
  expect(error).toMatchObject({ code: 'network', reason: 'bad_frame', provider: 'openai-chat' })
  expect(error.message).toBe(
    'the test sent something that is not a frame of its API (frame 2); the answer is incomplete',
  )
  expect(error.cause.message).toBe('frame 2: "hunter2"')
  for (const frame of ['null', '7', '"text"', '{']) expect(reasonOf(from([frame]))).toBe('bad_frame')
})
