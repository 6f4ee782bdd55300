import { describe, expect, test } from 'vitest'
import type { ErrorCode } from '../../src/core/error.ts'
import {
  providerCases,
  type ExpectedAnswer,
  type RecordedRefusal,
  type Recording,
} from '../../src/testing/provider-suite.ts'
import { chatCompleteAt, ownFixture } from './recordings.ts'
import { closingChatSuite, openaiChatSuite, recordedChats, recordedClosingChats, SSE } from './suites.ts'

const usage = { input_tokens: 9, output_tokens: 7, total_tokens: 16, reasoning_tokens: 2, cached_tokens: 4 }
const exact = { ...usage, accuracy: 'exact' } as const
const counted = (input_tokens: number, output_tokens: number) =>
  ({ input_tokens, output_tokens, total_tokens: input_tokens + output_tokens, accuracy: 'exact' }) as const

const answers: [file: string, expected: Partial<ExpectedAnswer>][] = [
  ['text.sse', { text: 'Hello \n\n\n  indented\u2028Gr\u00fc\u00dfe \u{1f496}\t!', usage: exact }],
  ['reasoning.sse', { reasoning: 'Let me see.', text: 'Forty-two', usage: exact }],
  ['comments-crlf.sse', { reasoning: 'Hm', text: 'Yes.', usage: counted(3, 2) }],
  ['content-parts.sse', { reasoning: 'Two and two.', text: 'Four.', usage: exact }],
  ['half-characters.sse', { text: 'A\u{1f496}B\ufffdC\ufffd' }],
  ['no-finish-reason.sse', { text: 'One two', reason: 'unknown', model: 'snow', usage: counted(2, 2) }],
  ['refusal.sse', { text: 'I cannot do that.', reason: 'content_filter', usage: exact }],
  ['azure-filter.sse', { text: 'Well', reason: 'content_filter' }],
  [
    'citations.sse',
    {
      text: 'Yes[1]',
      usage: counted(1, 2),
      citations: [
        { uri: 'https://a.example/' },
        { uri: 'https://b.example/', title: 'B' },
        { uri: 'https://c.example/', title: 'C', start: 0, end: 3 },
      ],
    },
  ],
  [
    'tools.sse',
    {
      reason: 'tool_calls',
      usage: exact,
      calls: [
        { name: 'get_weather', input: { city: 'K\u00f6ln \u{1f496}' } },
        { name: 'get_time', input: {} },
        { name: 'get_weather', input: { city: 'Paris' } },
      ],
    },
  ],
  [
    'tools-no-index.sse',
    {
      reason: 'tool_calls',
      usage: exact,
      calls: [
        { name: 'get_weather', input: { city: 'Paris' } },
        { name: 'get_time', input: {} },
      ],
    },
  ],
  [
    'tools-same-index.sse',
    {
      text: 'Looking.',
      reason: 'tool_calls',
      calls: [
        { name: 'f', input: { a: 1 } },
        { name: 'f', input: { a: 2 } },
      ],
    },
  ],
  [
    'tools-no-ids.sse',
    {
      reason: 'tool_calls',
      calls: [
        { name: 'f', input: { a: 1 } },
        { name: 'g', input: { b: 2 } },
      ],
    },
  ],
  ['function-call.sse', { reason: 'tool_calls', calls: [{ name: 'f', input: { a: 1 } }] }],
  ['length-in-call.sse', { reason: 'length', usage: exact }],
]

const failures: [file: string, code: ErrorCode, reason: string, text: string][] = [
  ['error-beside-choices.sse', 'invalid_request', 'http_400', 'We need'],
  ['error-event.sse', 'internal', 'tool_use_failed', 'Let'],
  ['error-field.sse', 'context_length_exceeded', 'exceed_context_size_error', 'Hi'],
  ['error-number-code.sse', 'internal', 'http_500', 'Hi'],
  ['error-bare-body.sse', 'overloaded', 'overloaded_error', ''],
  ['error-text.sse', 'internal', 'provider_error', ''],
  ['error-finish.sse', 'provider_unavailable', 'finish_error', 'Hi'],
  ['bad-json.sse', 'network', 'bad_frame', 'Hi'],
  ['bad-arguments.sse', 'internal', 'bad_tool_arguments', 'Hi'],
  ['arguments-list.sse', 'internal', 'bad_tool_arguments', ''],
  ['swallowed-error.sse', 'network', 'stream_eof_before_done', 'Hello'],
]

function answer(file: string, expected: Partial<ExpectedAnswer>): Recording {
  const bytes = ownFixture(`openai-chat/${file}`)
  const plain = { text: '', reasoning: '', calls: [], reason: 'stop', model: 'small-model' } as const
  return { name: file, mediaType: SSE, bytes, expected: { ...plain, ...expected }, completeAt: chatCompleteAt(bytes) }
}

const closing = [answer('two-choices-no-done.sse', { text: 'Sure thing', usage: counted(3, 4) })]

const recordings: Recording[] = [
  ...answers.map(([file, expected]) => answer(file, expected)),
  ...failures.map(([file, code, reason, text]) => {
    const bytes = ownFixture(`openai-chat/${file}`)
    return { name: file, mediaType: SSE, bytes, expected: { code, reason, text } }
  }),
  {
    name: 'whole.json',
    mediaType: 'application/json',
    bytes: ownFixture('openai-chat/whole.json'),
    completeAt: ownFixture('openai-chat/whole.json').length - 1,
    expected: {
      text: 'Looking. \u{1f496}',
      reasoning: 'Hm',
      calls: [
        { name: 'f', input: { a: 1 } },
        { name: 'g', input: {} },
      ],
      reason: 'tool_calls',
      usage: counted(3, 4),
    },
  },
  {
    name: 'whole-error.json',
    mediaType: 'application/json',
    bytes: ownFixture('openai-chat/whole-error.json'),
    expected: { code: 'not_found', reason: 'model_not_found', text: '' },
  },
]

const error = (body: object) => JSON.stringify({ error: body })
const said = 'The quick brown fox jumps over the lazy dog'

const refusals: RecordedRefusal[] = [
  {
    status: 400,
    body: error({ message: said, type: 'invalid_request_error' }),
    code: 'invalid_request',
    reason: 'http_400',
  },
  { status: 400, body: error({ message: said, code: 'context_length_exceeded' }), code: 'context_length_exceeded' },
  {
    status: 400,
    body: JSON.stringify({
      object: 'error',
      message: "This model's maximum context length is 8192 tokens",
      type: 'BadRequestError',
      code: 400,
    }),
    code: 'context_length_exceeded',
    reason: 'context_length_exceeded',
  },
  {
    status: 400,
    body: error({ message: said, code: 'content_filter', innererror: { code: 'ResponsibleAIPolicyViolation' } }),
    code: 'content_filtered',
  },
  { status: 401, body: error({ message: said, code: 'invalid_api_key' }), code: 'unauthorized', temporary: false },
  { status: 401, body: '', code: 'unauthorized', reason: 'http_401' },
  { status: 402, body: error({ message: said }), code: 'forbidden' },
  { status: 403, body: error({ message: said }), code: 'forbidden' },
  {
    status: 404,
    body: error({ message: said, code: 'model_not_found' }),
    code: 'not_found',
    reason: 'model_not_found',
  },
  { status: 404, body: '<html>not here</html>', code: 'not_found', reason: 'http_404' },
  { status: 413, body: error({ message: said }), code: 'context_length_exceeded' },
  { status: 422, body: JSON.stringify({ detail: [{ msg: said }] }), code: 'invalid_request', reason: 'http_422' },
  {
    status: 429,
    body: error({ message: said, type: 'tokens', code: 'rate_limit_exceeded' }),
    headers: { 'retry-after': '2', 'retry-after-ms': '1500', 'x-ratelimit-reset-tokens': '6m0s' },
    code: 'rate_limited',
    temporary: true,
    retryAfterMs: 1500,
  },
  {
    status: 429,
    body: error({ message: said, code: 'insufficient_quota' }),
    code: 'rate_limited',
    reason: 'insufficient_quota',
    temporary: false,
  },
  { status: 500, body: error({ message: said, type: 'server_error' }), code: 'internal', temporary: true },
  { status: 502, body: 'Bad Gateway', code: 'network', reason: 'http_502', temporary: true },
  {
    status: 503,
    body: error({ code: 503, message: said, type: 'unavailable_error' }),
    headers: { 'retry-after': '7', 'x-ratelimit-reset-requests': '1s' },
    code: 'provider_unavailable',
    retryAfterMs: 7000,
  },
  { status: 503, body: error({ message: said, code: 'engine_overloaded' }), code: 'overloaded', temporary: true },
  { status: 504, body: '', code: 'timeout', temporary: true },
  { status: 529, body: '[]', code: 'overloaded' },
  { status: 400, body: JSON.stringify([{ error: { code: 400, message: said } }]), code: 'invalid_request' },
  { status: 418, body: error({ code: 'constructor', type: '__proto__' }), code: 'invalid_request', reason: 'http_418' },
]

describe('openai-chat, with its own recordings', () => {
  for (const { name, run } of providerCases({ ...openaiChatSuite, recordings, refusals })) {
    test(name, () => expect(run()).resolves.toBeUndefined())
  }
})

describe('openai-chat, of servers that never send [DONE]', () => {
  const all = [...closing, ...recordedClosingChats]
  for (const { name, run } of providerCases({ ...closingChatSuite, recordings: all, refusals: [], maxWork: 1 << 20 })) {
    test(name, () => expect(run()).resolves.toBeUndefined())
  }
})

describe.skipIf(recordedChats.length === 0)('openai-chat, with what real servers sent', () => {
  if (recordedChats.length === 0) return
  const cases = providerCases({ ...openaiChatSuite, recordings: recordedChats, refusals: [], maxWork: 1 << 20 })
  for (const { name, run } of cases) test(name, () => expect(run()).resolves.toBeUndefined())
})
