import { describe, expect, test } from 'vitest'
import type { ErrorCode } from '../../src/core/error.ts'
import type { ProviderEvent } from '../../src/core/provider.ts'
import { ollamaStream } from '../../src/providers/ollama/parse.ts'
import { ollama } from '../../src/providers/ollama.ts'
import { callIds } from '../../src/providers/shared/call-ids.ts'
import { decodeAll } from '../../src/testing/every-split.ts'
import { loopback } from '../../src/testing/loopback.ts'
import {
  providerCases,
  type ExpectedAnswer,
  type Recording,
  type RecordedRefusal,
} from '../../src/testing/provider-suite.ts'
import { ndjsonCompleteAt, ownFixture, sharedFixtures } from './recordings.ts'
import { NDJSON, ollamaSuite, recordedOllama } from './suites.ts'

const peer = { provider: 'ollama', name: 'Ollama', redact: (text: string) => text }
const { decoder } = ollamaSuite
const usage = { input_tokens: 19, output_tokens: 8, total_tokens: 27, accuracy: 'exact' } as const

const answers: [file: string, expected: Partial<ExpectedAnswer>][] = [
  ['text.ndjson', { text: 'Hello \n  x\u2028Gr\u00fc\u00dfe \u{1f496}!', usage }],
  ['thinking.ndjson', { reasoning: 'Need both.', text: 'Here.', usage }],
  [
    'tools.ndjson',
    {
      text: 'One moment.',
      reason: 'tool_calls',
      usage,
      calls: [
        { name: 'get_weather', input: { city: 'K\u00f6ln \u{1f496}', days: 3 } },
        { name: 'get_weather', input: { city: 'Paris' } },
        { name: 'get_time', input: {} },
      ],
    },
  ],
  ['tools-on-last-line.ndjson', { text: '!', reason: 'tool_calls', calls: [{ name: 'f', input: { a: 1 } }] }],
  [
    'crlf-blank-lines.ndjson',
    {
      text: 'ab',
      reason: 'length',
      usage: { input_tokens: 0, output_tokens: 2, total_tokens: 2, accuracy: 'estimated' },
    },
  ],
  ['length-after-call.ndjson', { reason: 'length' }],
  ['half-characters.ndjson', { text: 'A\u{1f496}B\ufffd' }],
  ['load.ndjson', {}],
]

const failures: [file: string, code: ErrorCode, reason: string, text: string][] = [
  ['error-line.ndjson', 'internal', 'provider_error', 'I can'],
  ['error-line-status.ndjson', 'rate_limited', 'http_429', 'I'],
  ['bad-line.ndjson', 'network', 'bad_frame', 'I'],
  ['bad-arguments.ndjson', 'internal', 'bad_tool_arguments', 'I'],
  ['no-done.ndjson', 'network', 'stream_eof_before_done', 'I can'],
]

const recordings: Recording[] = [
  ...answers.map(([file, expected]) => {
    const bytes = ownFixture(`ollama/${file}`)
    const plain = { text: '', reasoning: '', calls: [], reason: 'stop', model: 'small-model' } as const
    return {
      name: file,
      mediaType: NDJSON,
      bytes,
      expected: { ...plain, ...expected },
      completeAt: ndjsonCompleteAt(bytes),
    }
  }),
  ...failures.map(([file, code, reason, text]) => {
    const bytes = ownFixture(`ollama/${file}`)
    return { name: file, mediaType: NDJSON, bytes, expected: { code, reason, text } }
  }),
]

const refusals: RecordedRefusal[] = [
  {
    status: 404,
    body: '{"error":"model \\"suite-model\\" not found, try pulling it first"}',
    code: 'not_found',
    reason: 'model_not_found',
  },
  { status: 400, body: '{"error":"suite-model does not support tools"}', code: 'unsupported', reason: 'not_supported' },
  { status: 400, body: '{"error":"invalid options: temperature"}', code: 'invalid_request', reason: 'http_400' },
  {
    status: 500,
    body: '{"error":"model requires more system memory (8.4 GiB) than is available (5.6 GiB)"}',
    code: 'provider_unavailable',
    reason: 'out_of_memory',
  },
  {
    status: 503,
    body: '{"error":"server busy, please try again.  maximum pending requests exceeded"}',
    code: 'overloaded',
    temporary: true,
  },
  {
    status: 429,
    body: '{"error":"slow down"}',
    headers: { 'retry-after': '3' },
    code: 'rate_limited',
    retryAfterMs: 3000,
  },
  { status: 401, body: '{"error":"unauthorized"}', code: 'unauthorized', temporary: false },
  { status: 500, body: '{"error":"the input length exceeds the context length"}', code: 'context_length_exceeded' },
  { status: 502, body: 'Bad Gateway', code: 'network', reason: 'http_502' },
  { status: 500, body: '', code: 'internal', reason: 'http_500' },
]

describe('ollama, with its own recordings', () => {
  for (const { name, run } of providerCases({ ...ollamaSuite, recordings, refusals })) {
    test(name, () => expect(run()).resolves.toBeUndefined())
  }
})

describe.skipIf(recordedOllama.length === 0)('ollama, with what real servers sent', () => {
  if (recordedOllama.length === 0) return
  const cases = providerCases({ ...ollamaSuite, recordings: recordedOllama, refusals: [], maxWork: 1 << 20 })
  for (const { name, run } of cases) test(name, () => expect(run()).resolves.toBeUndefined())
})

const eventsOf = (...lines: object[]): readonly ProviderEvent[] => {
  const { out, fault } = decodeAll(decoder(), [Buffer.from(lines.map((line) => JSON.stringify(line)).join('\n'))])
  if (fault) throw fault
  return out
}

test('ollama: an answer is these events, calls after everything else and the durations as a status', () => {
  const { out } = decodeAll(decoder(), [ownFixture('ollama/tools.ndjson')])
  expect(out).toEqual([
    { type: 'start', model: 'small-model' },
    { type: 'text', text: 'One moment.' },
    { type: 'tool_call_delta', call_id: 'call_b', name: 'get_time', json: '{}' },
    {
      type: 'tool_call_delta',
      call_id: 'call_a',
      name: 'get_weather',
      json: '{"city":"K\u00f6ln \u{1f496}","days":3}',
    },
    { type: 'tool_call_delta', call_id: 'call00001', name: 'get_weather', json: '{"city":"Paris"}' },
    { type: 'tool_call', call_id: 'call_a', name: 'get_weather', input: { city: 'K\u00f6ln \u{1f496}', days: 3 } },
    { type: 'tool_call', call_id: 'call00001', name: 'get_weather', input: { city: 'Paris' } },
    { type: 'tool_call', call_id: 'call_b', name: 'get_time', input: {} },
    { type: 'status', code: 'model_timing', message: 'total_ms=34180 load_ms=41 prompt_ms=25 answer_ms=7902' },
    { type: 'done', reason: 'tool_calls', usage },
  ])
})

test('ollama: every form of the last line is an end', () => {
  const done = (reason?: string) => eventsOf({ model: 'm', done: true, ...(reason && { done_reason: reason }) }).at(-1)
  expect([done('stop'), done(), done('load'), done('unload'), done('length'), done('odd')]).toEqual(
    (['stop', 'stop', 'stop', 'stop', 'length', 'unknown'] as const).map((reason) => ({ type: 'done', reason })),
  )
})

const variants = sharedFixtures('ollama').find(({ name }) => name === 'constructed-final-line-variants.json')

test.skipIf(!variants)('ollama: every last line that was seen is an end, or the error that it tells', () => {
  const { lines } = JSON.parse(Buffer.from(variants!.bytes).toString()) as { lines: { note: string; line: string }[] }
  const ends = lines.map(({ note, line }) => {
    const { out, fault } = decodeAll(decoder(), [Buffer.from(line)])
    return [note, fault ? (fault as { reason: string }).reason : out.at(-1)!.type]
  })
  expect(ends).toEqual(lines.map(({ note }) => [note, note.startsWith('error') ? 'provider_error' : 'done']))
})

test('ollama: a bad line is told by its number, and what it says stays in the cause', () => {
  const { fault } = decodeAll(decoder(), [ownFixture('ollama/bad-line.ndjson')])
  const error = fault as Error & { cause: Error }
  expect(error.message).toBe('the suite sent an answer that cannot be read: line 2 is not a JSON object')
  expect(error.cause.message).toContain('oops')
})

test('ollama: arguments that are no object, or too deep to be stored, are an error', () => {
  const deep = JSON.parse('{"a":'.repeat(80) + '1' + '}'.repeat(80)) as object
  for (const bad of [[1], 'x', 7, '[]', deep]) {
    const call = { model: 'm', message: { content: '', tool_calls: [{ function: { name: 'f', arguments: bad } }] } }
    expect(() => eventsOf(call, { done: true })).toThrow(expect.objectContaining({ reason: 'bad_tool_arguments' }))
  }
})

test('ollama: a name that is too long for a tool, or none, ends the answer before it is shown', () => {
  const call = (name?: string) => {
    const tool_calls = [{ function: { name, arguments: {} } }]
    const lines = [{ model: 'm', message: { content: '', tool_calls } }, { done: true }]
    return decodeAll(decoder(), [Buffer.from(lines.map((line) => JSON.stringify(line)).join('\n'))])
  }
  expect(call('f'.repeat(256)).out.map(({ type }) => type)).toEqual(['start', 'tool_call_delta', 'tool_call', 'done'])
  for (const bad of ['f'.repeat(257), '', undefined]) {
    const { out, fault } = call(bad)
    expect(out.map(({ type }) => type)).toEqual(['start'])
    expect(fault).toMatchObject({ code: 'internal', reason: 'bad_tool_call', provider: 'ollama' })
  }
})

const MOST = Number.MAX_SAFE_INTEGER
const counts: [said: string, used: object | undefined][] = [
  ['"prompt_eval_count":1e999,"eval_count":1e300', undefined],
  ['"prompt_eval_count":-1,"eval_count":1.5', undefined],
  [
    '"prompt_eval_count":3,"eval_count":1e999,"prompt_eval_cached_count":1e999',
    { input_tokens: 3, output_tokens: 0, total_tokens: 3, accuracy: 'estimated' },
  ],
  [
    `"prompt_eval_count":${MOST},"eval_count":${MOST}`,
    { input_tokens: MOST, output_tokens: MOST, total_tokens: MOST, accuracy: 'exact' },
  ],
]
for (const [said, used] of counts) {
  test(`ollama: a last line with ${said} counts what can be counted`, () => {
    const { out } = decodeAll(decoder(), [Buffer.from(`{"done":true,${said}}`)])
    expect(out.at(-1)).toEqual({ type: 'done', reason: 'stop', ...(used ? { usage: used } : {}) })
  })
}

test('ollama: an id that the conversation has already is replaced', () => {
  const history = [
    { role: 'assistant', parts: [{ type: 'tool_call', call_id: 'call_0', name: 'f', input: {} }] },
    { role: 'assistant', parts: [{ type: 'tool_call', call_id: 'call00001', name: 'f', input: {} }] },
  ] as const
  const calls = ['call_0', 'call_1', 'call_1'].map((id) => ({ id, function: { name: 'f', arguments: {} } }))
  const line = Buffer.from(JSON.stringify({ model: 'm', message: { content: '', tool_calls: calls }, done: true }))
  const { out } = decodeAll(ollamaStream({ peer, model: 'm', ids: callIds(history) }), [line])
  expect(out.flatMap((event) => (event.type === 'tool_call' ? event.call_id : []))).toEqual([
    'call00002',
    'call_1',
    'call00003',
  ])
})

test('ollama: when nothing listens, the message says what to do', async () => {
  const server = await loopback(() => {})
  await server.close()
  await expect(ollama({ host: server.url }).models({ signal: new AbortController().signal })).rejects.toMatchObject({
    code: 'network',
    reason: 'connection_refused',
    message: `Ollama is not reachable at ${server.url}; start it with \`ollama serve\`, or set OLLAMA_HOST to where it runs`,
  })
})

test('ollama: a model that is not there is told with the command that gets it', async () => {
  const server = await loopback((_, response) => {
    response.writeHead(404).end('{"error":"model \'m\' not found"}')
  })
  const request = { model: 'm', messages: [], tools: [], options: {} }
  const stream = ollama({ host: server.url }).stream(request, { signal: new AbortController().signal })
  await expect(stream[Symbol.asyncIterator]().next()).rejects.toMatchObject({
    message: `Ollama at ${new URL(server.url).host} has no model m; get it with \`ollama pull m\` (HTTP 404)`,
  })
  await server.close()
})

test('ollama: a request says what the caller said, and nothing that the caller left out', async () => {
  const server = await loopback((_, response) => {
    response.end('{"done":true}')
  })
  const provider = ollama({ host: server.url, apiKey: 'key-of-the-cloud' })
  const ask = async (request: Parameters<typeof provider.stream>[0]) => {
    for await (const _ of provider.stream(request, { signal: new AbortController().signal }));
    return server.requests.at(-1)!
  }
  const plain = await ask({ model: 'm', messages: [{ role: 'user', content: 'Hi' }], tools: [], options: {} })
  expect(JSON.parse(plain.body)).toEqual({ model: 'm', messages: [{ role: 'user', content: 'Hi' }], stream: true })
  expect([plain.method, plain.path, plain.headers['authorization']]).toEqual([
    'POST',
    '/api/chat',
    'Bearer key-of-the-cloud',
  ])

  const parameters = { type: 'object', properties: {} }
  const full = await ask({
    model: 'm',
    messages: [
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: 'Weather?' },
      {
        role: 'assistant',
        parts: [
          { type: 'reasoning', text: 'Need it.' },
          { type: 'text', text: 'One ' },
          { type: 'text', text: 'moment.' },
          { type: 'tool_call', call_id: 'c1', name: 'w', input: { city: 'Paris' } },
        ],
      },
      { role: 'tool', call_id: 'c1', name: 'w', content: { t: 20 }, is_error: false },
      {
        role: 'assistant',
        parts: [
          { type: 'reasoning', text: 'So.' },
          { type: 'text', text: '20.' },
        ],
      },
      { role: 'user', content: 'Thanks' },
    ],
    tools: [{ name: 'w', description: 'Weather', parameters }],
    options: { temperature: 0.5, top_p: 0.9, max_tokens: 10, stop: ['x'], reasoning_effort: 'minimal' },
  })
  expect(JSON.parse(full.body)).toEqual({
    model: 'm',
    messages: [
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: 'Weather?' },
      {
        role: 'assistant',
        content: 'One moment.',
        thinking: 'Need it.',
        tool_calls: [{ id: 'c1', function: { name: 'w', arguments: { city: 'Paris' } } }],
      },
      { role: 'tool', content: '{"t":20}', tool_name: 'w', tool_call_id: 'c1' },
      { role: 'assistant', content: '20.' },
      { role: 'user', content: 'Thanks' },
    ],
    stream: true,
    tools: [{ type: 'function', function: { name: 'w', description: 'Weather', parameters } }],
    think: 'low',
    options: { temperature: 0.5, top_p: 0.9, num_predict: 10, stop: ['x'] },
  })

  const silent = await ask({ model: 'm', messages: [], tools: [], options: { reasoning_effort: 'none' } })
  expect(JSON.parse(silent.body)).toEqual({ model: 'm', messages: [], stream: true, think: false })
  await server.close()
})
