import { expect, test } from 'vitest'
import { errorCodes, isRunletError } from '../../src/core/error.ts'
import { chatError, chatErrorCodes, errorIn } from '../../src/providers/openai-chat/errors.ts'
import { codeOfStatus, statusCodes } from '../../src/providers/shared/status.ts'

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
