import { expect, test } from 'vitest'
import { codeOfStatus, errorCodes, isRunletError, statusCodes } from '../../src/core/error.ts'
import { sharedFixtures } from './recordings.ts'
import { chatError, chatErrorCodes, errorIn } from '../../src/providers/openai-chat/errors.ts'

const peer = {
  provider: 'openai-chat',
  name: 'the test',
  redact: (text: string) => text.replaceAll('sk-secret', '[redacted]'),
}
const words = 'what it said, with sk-secret in it'

for (const [name, code] of Object.entries(chatErrorCodes)) {
  test(`openai-chat: the provider's ${name} is ${code}, as a code, as a type, in any case, with any status`, () => {
    for (const error of [{ code: name }, { type: name }, { code: name.toUpperCase(), type: 'server_error' }]) {
      for (const status of [undefined, 400, 500]) {
        const made = chatError(peer, error, { words, ...(status === undefined ? {} : { status }) })
        expect([made.code, made.reason]).toEqual([code, name])
      }
    }
  })
}

for (const [status, code] of Object.entries(statusCodes)) {
  test(`openai-chat: status ${status} alone is ${code}, also as a number in the error`, () => {
    const number = Number(status)
    for (const made of [
      chatError(peer, {}, { words, status: number }),
      chatError(peer, { code: number }, { words }),
      chatError(peer, { code: status, type: 'invalid_request_error' }, { words }),
      chatError(peer, { status_code: number }, { words }),
    ]) {
      expect([made.code, made.reason, made.temporary]).toEqual([code, `http_${status}`, errorCodes[code].temporary])
    }
  })
}

test('status: what is not in the table is the caller\u2019s fault below 500 and the server\u2019s from there on', () => {
  expect([418, 499, 505, 599, 600, 302].map(codeOfStatus)).toEqual([
    'invalid_request',
    'invalid_request',
    'internal',
    'internal',
    'internal',
    'internal',
  ])
})

test('openai-chat: a vague type counts where nothing else is known', () => {
  const codeOf = (type: string) => chatError(peer, { type }, { words }).code
  expect(['invalid_request_error', 'BadRequestError', 'server_error', 'new_error', 'constructor'].map(codeOf)).toEqual([
    'invalid_request',
    'invalid_request',
    'internal',
    'internal',
    'internal',
  ])
})

test('openai-chat: waiting does not bring back a quota that is spent', () => {
  const spent = chatError(peer, { code: 'insufficient_quota' }, { words, status: 429, header: () => '5' })
  expect(spent).toMatchObject({ code: 'rate_limited', temporary: false, retryAfterMs: undefined })
  expect(spent.message).toContain('quota')
})

const overlong = [
  "This model's maximum context length is 8192 tokens. However, you requested 9000 tokens",
  'Prompt contains 33000 tokens, too large for model with 32768 maximum context length',
  'the request exceeds the available context size, try increasing it',
  'Input exceeds the context window of this model',
]

for (const message of overlong) {
  test(`openai-chat: an overlong conversation is known by "${message.slice(0, 40)}\u2026" too`, () => {
    const made = chatError(peer, { message, type: 'invalid_request_error' }, { words: message, status: 400 })
    expect([made.code, made.reason]).toEqual(['context_length_exceeded', 'context_length_exceeded'])
  })
}

test('openai-chat: rate limit headers are a wait after a 429 only; retry-after always', () => {
  const header = (headers: Record<string, string>) => (name: string) => headers[name]
  const waitOf = (status: number, headers: Record<string, string>) =>
    chatError(peer, {}, { words, status, header: header(headers) }).retryAfterMs
  expect(waitOf(429, { 'x-ratelimit-reset-requests': '8ms' })).toBe(8)
  expect(waitOf(500, { 'x-ratelimit-reset-requests': '8ms' })).toBeUndefined()
  expect(waitOf(503, { 'retry-after': '2' })).toBe(2000)
})

test('openai-chat: a message never repeats what the provider said, and the cause never a key', () => {
  const made = chatError(peer, { message: words, code: 'invalid_api_key' }, { words, status: 401 })
  expect(made.message).toBe('the test did not accept the API key; set the right key for this provider (HTTP 401)')
  expect((made.cause as Error).message).toBe('what it said, with [redacted] in it')
  expect(isRunletError(made) && made.provider).toBe('openai-chat')
})

test('openai-chat: the cause names the request as the provider calls it', () => {
  const header = (name: string) => (name === 'x-request-id' ? 'req_123' : undefined)
  const made = chatError(peer, {}, { words: 'oh', status: 500, header })
  expect((made.cause as Error).message).toBe('request req_123: oh')
})

test('openai-chat: an error is found in every shape in which servers send one', () => {
  const found = [
    { error: { code: 1 } },
    { error: 'text' },
    { choices: [], error: { code: 1 } },
    { object: 'error', message: 'm' },
    [{ error: { code: 1 } }],
    { error: null, choices: [] },
    { error: '', choices: [] },
    { choices: [] },
    [],
    null,
    'error',
  ].map(errorIn)
  expect(found).toEqual([
    { code: 1 },
    { message: 'text' },
    { code: 1 },
    { object: 'error', message: 'm' },
    { code: 1 },
    undefined,
    undefined,
    undefined,
    undefined,
    undefined,
    undefined,
  ])
})

/** The published tables, restated: what each code and type of OpenAI, its imitators and Google's endpoint is here. */
const published: Readonly<Record<string, readonly string[]>> = {
  context_length_exceeded: [
    'context_length_exceeded',
    'context_window_exceeded',
    'max_tokens_exceeded',
    'request_too_large',
    'OUT_OF_RANGE',
  ],
  not_found: ['model_not_found', 'model_not_available', 'not_found_error', 'NOT_FOUND'],
  rate_limited: [
    'insufficient_quota',
    'rate_limit_exceeded',
    'rate_limit_error',
    'quota_exceeded',
    'rate_limit_reached',
    'RESOURCE_EXHAUSTED',
  ],
  content_filtered: [
    'content_filter',
    'content_policy_violation',
    'content_blocked',
    'safety_violation',
    'safety_blocked',
  ],
  unauthorized: ['invalid_api_key', 'authentication_error', 'authentication_failed', 'UNAUTHENTICATED'],
  forbidden: ['permission_error', 'PERMISSION_DENIED'],
  overloaded: ['engine_overloaded_error', 'service_overloaded', 'capacity_exceeded', 'overloaded_error'],
  timeout: ['timeout', 'request_timeout', 'DEADLINE_EXCEEDED'],
  provider_unavailable: ['UNAVAILABLE'],
  unsupported: ['UNIMPLEMENTED'],
}
for (const [code, names] of Object.entries(published)) {
  test(`openai-chat: ${names.join(', ')} are ${code}, as code, type and status`, () => {
    for (const name of names) {
      const made = [{ code: name }, { type: name }, { code: 400, status: name }].map((error) =>
        chatError(peer, error, { words, status: 400 }),
      )
      expect([name, ...made.map((error) => error.code)]).toEqual([name, code, code, code])
    }
  })
}

const byStatus: [type: string, status: number, code: string][] = [
  ['invalid_request_error', 404, 'not_found'],
  ['invalid_request_error', 413, 'context_length_exceeded'],
  ['invalid_request_error', 400, 'invalid_request'],
  ['INVALID_ARGUMENT', 400, 'invalid_request'],
  ['FAILED_PRECONDITION', 400, 'invalid_request'],
  ['server_error', 500, 'internal'],
  ['server_error', 502, 'network'],
  ['server_error', 503, 'provider_unavailable'],
  ['server_error', 504, 'timeout'],
  ['api_error', 529, 'overloaded'],
]
for (const [type, status, code] of byStatus) {
  test(`openai-chat: ${type} with status ${status} is ${code}`, () => {
    expect(chatError(peer, { type, status: type }, { words, status }).code).toBe(code)
  })
}

const recorded: [folder: string, file: string, code: string, reason: string][] = [
  ['openai-compat', 'openrouter-error-midstream.sse', 'invalid_request', 'http_400'],
  ['raw-endpoints', 'vllm-error-midstream.sse', 'internal', 'http_500'],
]
for (const [folder, file, code, reason] of recorded) {
  const found = sharedFixtures(folder).find(({ name }) => name === file)
  test.skipIf(!found)(`openai-chat: the error that ${file} recorded is ${code} (${reason})`, () => {
    const told = Buffer.from(found!.bytes)
      .toString()
      .split('\n')
      .flatMap((line) => (line.startsWith('data: {') ? [JSON.parse(line.slice(6)) as unknown] : []))
      .map(errorIn)
      .filter((error) => error !== undefined)
      .map((error) => chatError(peer, error, { words }))
    expect(told.map((error) => [error.code, error.reason])).toEqual([[code, reason]])
  })
}

test('openai-chat: a model that is not known is named; a status alone may also mean the address', () => {
  const message = (error: object) => chatError(peer, { ...error }, { words, status: 404, model: 'gpt-x' }).message
  expect([message({ code: 'model_not_found' }), message({})]).toEqual([
    'the test does not know the model gpt-x; see what there is with `runlet models` (HTTP 404)',
    'the test does not know the model gpt-x, or has no such API at this address; check the model id and the base URL (HTTP 404)',
  ])
})
