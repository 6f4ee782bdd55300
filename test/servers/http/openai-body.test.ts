import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import type { JsonObject } from '../../../src/core/json.ts'
import { chatSchema, readChatBody } from '../../../src/servers/http/openai/body.ts'
import { lab } from './lab.ts'

const user = { role: 'user', content: 'Hi' }
const read = (body: object) => readChatBody(JSON.parse(JSON.stringify(body)) as JsonObject)

/** What a body is refused with: code, and message without what all begin with. */
function refusal(body: object): [code: string, message: string] | undefined {
  try {
    read(body)
    return undefined
  } catch (error) {
    const { code, message } = error as { code: string; message: string }
    return [code, message.replace('the body is not accepted: ', '')]
  }
}

describe('a body', () => {
  test('is handed on with everything that it asks for', () => {
    const tool = { name: 'f', description: 'F.', parameters: { type: 'object', properties: {} }, strict: true }
    expect(
      read({
        model: 'lab/scripted',
        messages: [user],
        stream: true,
        stream_options: { include_usage: true, include_obfuscation: false },
        n: 1,
        temperature: 0,
        top_p: 0.5,
        max_completion_tokens: 9,
        max_tokens: 8,
        stop: 'x',
        reasoning_effort: 'low',
        tools: [{ type: 'function', function: tool }],
        tool_choice: { type: 'function', function: { name: 'f' } },
        parallel_tool_calls: false,
        seed: 7,
        response_format: { type: 'json_object' },
        logit_bias: { 1: -100 },
        metadata: { a: 'b' },
      }),
    ).toEqual({
      request: {
        model: 'lab/scripted',
        messages: [user],
        callerTools: [tool],
        callerResults: 'next_run',
        options: {
          temperature: 0,
          top_p: 0.5,
          max_tokens: 9,
          stop: ['x'],
          reasoning_effort: 'low',
          tool_choice: { name: 'f' },
          provider_options: {
            logit_bias: { 1: -100 },
            metadata: { a: 'b' },
            parallel_tool_calls: false,
            response_format: { type: 'json_object' },
            seed: 7,
          },
          keep_fields: true,
        },
      },
      stream: true,
      includeUsage: true,
      unknown: [],
    })
  })

  test('may leave everything out but the messages; null is left out, too', () => {
    const bare = {
      request: { messages: [user], options: { keep_fields: true } },
      stream: false,
      includeUsage: false,
      unknown: [],
    }
    expect(read({ messages: [user] })).toEqual(bare)
    const optional = ['model', 'stream', 'stream_options', 'n', 'temperature', 'top_p', 'max_tokens', 'stop', 'tools']
    const more = ['max_completion_tokens', 'tool_choice', 'reasoning_effort', 'seed', 'user', 'modalities']
    const nulls = Object.fromEntries([...optional, ...more].map((name) => [name, null]))
    expect(read({ messages: [user], ...nulls })).toEqual(bare)
  })

  test('hands on what Runlet has no word for', () => {
    expect(read({ messages: [user], reasoning_effort: 'xhigh' }).request.options).toEqual({
      provider_options: { reasoning_effort: 'xhigh' },
      keep_fields: true,
    })
    const tools = [{ type: 'function', function: { name: 'f' } }]
    expect(read({ messages: [user], tools }).request.callerTools).toEqual([
      { name: 'f', description: '', parameters: { type: 'object', properties: {} } },
    ])
  })

  test('may hold members that nobody knows, which are told', async () => {
    const body = { messages: [user], temprature: 1, base_url: 'https://evil.example', tools: [] }
    expect(read(body).unknown).toEqual(['temprature', 'base_url'])
    const l = lab()
    const answer = await l.post('/v1/chat/completions', body)
    expect([answer.status, answer.headers.get('x-unknown-members')]).toEqual([200, 'temprature, base_url'])
    expect(l.provider.requests).toEqual([
      { model: 'scripted', messages: [user], tools: [], options: { keep_fields: true } },
    ])
  })

  const call = (id: string, json = '{}') => ({ id, type: 'function', function: { name: 'f', arguments: json } })
  const text = (words: string) => ({ type: 'text', text: words })
  test('holds a conversation in all its roles', () => {
    const { system, messages } = read({
      messages: [
        { role: 'system', content: 'One.' },
        { role: 'developer', content: [text('Two.'), text(' Three.')] },
        { role: 'user', content: [text('A'), text('B')], name: 'ann' },
        { role: 'assistant', content: null, tool_calls: [call('c1', '{"a":1}'), call('c2', '')], refusal: null },
        { role: 'tool', tool_call_id: 'c2', content: [text('two')] },
        { role: 'tool', tool_call_id: 'c1', content: 'one' },
        { role: 'system', content: 'Four.' },
        { role: 'assistant', content: [{ type: 'refusal', refusal: 'No.' }] },
        { role: 'user', content: 'C' },
        { role: 'assistant', content: 'D', reasoning_content: 'Hm.', annotations: [] },
        { role: 'assistant', content: '' },
        { role: 'user', content: 'E' },
      ],
    }).request
    expect(system).toBe('One.\n\nTwo. Three.\n\nFour.')
    expect(messages).toEqual([
      { role: 'user', content: 'AB' },
      {
        role: 'assistant',
        parts: [
          { type: 'tool_call', call_id: 'c1', name: 'f', input: { a: 1 } },
          { type: 'tool_call', call_id: 'c2', name: 'f', input: {} },
        ],
      },
      { role: 'tool', call_id: 'c2', name: 'f', content: 'two', is_error: false },
      { role: 'tool', call_id: 'c1', name: 'f', content: 'one', is_error: false },
      { role: 'assistant', parts: [{ type: 'text', text: 'No.' }] },
      { role: 'user', content: 'C' },
      {
        role: 'assistant',
        parts: [
          { type: 'reasoning', text: 'Hm.' },
          { type: 'text', text: 'D' },
        ],
      },
      { role: 'assistant', parts: [] },
      { role: 'user', content: 'E' },
    ])
  })

  const asks = (...calls: object[]) => ({ role: 'assistant', tool_calls: calls })
  const refused: [name: string, body: object, code: string, message: string][] = [
    ['no messages', {}, 'invalid_request', 'messages: expected array, received undefined'],
    ['an empty list', { messages: [] }, 'invalid_request', 'messages: Too small: expected array to have >=1 items'],
    ['two answers', { messages: [user], n: 2 }, 'invalid_request', 'n: expected 1: a run is one answer'],
    [
      'a wrong type',
      { messages: [user], max_tokens: '9' },
      'invalid_request',
      'max_tokens: expected number, received string',
    ],
    [
      'functions',
      { messages: [user], functions: [] },
      'unsupported',
      'functions: the deprecated functions are not taken; send them as tools and tool_choice',
    ],
    [
      'a function’s result',
      { messages: [{ role: 'function', name: 'f', content: 'x' }] },
      'unsupported',
      'messages.0.role: the deprecated functions are not taken; send tools, and role "tool"',
    ],
    [
      'an image',
      { messages: [{ role: 'user', content: [text('x'), { type: 'image_url', image_url: { url: 'data:' } }] }] },
      'unsupported',
      'messages.0.content.1: content of type "image_url" is not taken; Runlet passes on text only',
    ],
    [
      'text that is none',
      { messages: [{ role: 'user', content: [{ type: 'text', text: 7 }] }] },
      'invalid_request',
      'messages.0.content.0.text: expected string',
    ],
    [
      'an audio answer',
      { messages: [user], modalities: ['text', 'audio'] },
      'unsupported',
      'modalities: an answer is text here; ask for ["text"], or leave it out',
    ],
    [
      'a tool of another kind',
      { messages: [user], tools: [{ type: 'custom', custom: { name: 'f' } }] },
      'unsupported',
      'tools.0: a tool of type "custom" is not taken, only functions',
    ],
    [
      'a choice of another kind',
      { messages: [user], tool_choice: { type: 'allowed_tools' } },
      'unsupported',
      'tool_choice: a choice of type "allowed_tools" is not taken, only functions',
    ],
    [
      'a choice that is not there',
      { messages: [user], tool_choice: { type: 'function', function: { name: 'g' } } },
      'invalid_request',
      'tool_choice.function.name: there is no tool "g" in tools',
    ],
    [
      'a choice of nothing',
      { messages: [user], tool_choice: 'required' },
      'invalid_request',
      'tool_choice: there are no tools to choose from',
    ],
    [
      'a result without a call',
      { messages: [user, { role: 'tool', tool_call_id: 'c9', content: 'x' }] },
      'invalid_request',
      'messages.1.tool_call_id: "c9" is no call of the assistant message before it',
    ],
    [
      'a call without a result',
      { messages: [user, asks(call('c1'), call('c2')), { role: 'tool', tool_call_id: 'c1', content: 'x' }, user] },
      'invalid_request',
      'messages.3: a message of role "tool" has to answer each call before it; missing: "c2"',
    ],
    [
      'a result too few at the end',
      { messages: [user, asks(call('c1'), call('c2')), { role: 'tool', tool_call_id: 'c1', content: 'x' }] },
      'invalid_request',
      'messages: a message of role "tool" has to answer each call before it; missing: "c2"',
    ],
    [
      'arguments that are cut',
      { messages: [user, asks(call('c1', '{"a":'))] },
      'invalid_request',
      'messages.1.tool_calls.0.function.arguments: no valid JSON from character 5 on',
    ],
    [
      'arguments that are no object',
      { messages: [user, asks(call('c1', '[]'))] },
      'invalid_request',
      'messages.1.tool_calls.0.function.arguments: this is not a JSON object but an array',
    ],
    [
      'two calls with one id',
      { messages: [user, asks(call('c1'), call('c2'), call('c1'))] },
      'invalid_request',
      'messages.1.tool_calls.2.id: "c1" is the id of a call before it',
    ],
    [
      'a call of another kind',
      { messages: [user, asks({ id: 'c1', type: 'custom' })] },
      'unsupported',
      'messages.1.tool_calls.0: a call of type "custom" is not taken, only functions',
    ],
    [
      'a call of nothing',
      { messages: [user, asks({ id: 'c1', type: 'function' })] },
      'invalid_request',
      'messages.1.tool_calls.0.function: expected an object',
    ],
  ]
  for (const [name, body, code, message] of refused) {
    test(`is refused for ${name}, with its place`, () => expect(refusal(body)).toEqual([code, message]))
  }
})

test('the members that docs/openai.md tells of are those that are read', () => {
  const page = readFileSync(new URL('../../../docs/openai.md', import.meta.url), 'utf8')
  const told = ['taken', 'passed on'].flatMap((row) => {
    const [, names] = new RegExp(`^\\| ${row}.*?\\| (.*) \\|$`, 'm').exec(page)!
    return [...names!.matchAll(/`(\w+)[^`]*`/g)].map(([, name]) => name!)
  })
  // Refused, if it asks for more than text.
  expect([...told, 'modalities'].toSorted()).toEqual(Object.keys(chatSchema.shape).toSorted())
})

describe('errors are in OpenAI’s shape', () => {
  const body = { messages: [user] }
  const json = JSON.stringify(body)
  const type = { 'content-type': 'application/json' }
  type Ask = [path: string, init: RequestInit]
  const chat = (init: RequestInit): Ask => [
    '/v1/chat/completions',
    { method: 'POST', headers: type, body: json, ...init },
  ]
  const cases: [name: string, ask: Ask, status: number, code: string, type: string][] = [
    ['no token', chat({ headers: { ...type, authorization: '' } }), 401, 'invalid_api_key', 'authentication_error'],
    ['another method', ['/v1/chat/completions', {}], 405, 'method_not_allowed', 'invalid_request_error'],
    [
      'another method for models',
      ['/v1/models', { method: 'POST' }],
      405,
      'method_not_allowed',
      'invalid_request_error',
    ],
    ['another type', chat({ headers: { 'content-type': 'text/plain' } }), 415, 'content_type', 'invalid_request_error'],
    ['no JSON', chat({ body: '{' }), 400, 'bad_json', 'invalid_request_error'],
    ['a long body', chat({ body: `"${'x'.repeat(999)}"` }), 413, 'body_too_large', 'invalid_request_error'],
    [
      'an image',
      chat({ body: '{"messages":[{"role":"user","content":[{"type":"image_url"}]}]}' }),
      400,
      'unsupported',
      'not_supported_error',
    ],
    [
      'no prompt',
      chat({ body: '{"messages":[{"role":"system","content":"x"}]}' }),
      400,
      'empty_prompt',
      'invalid_request_error',
    ],
    [
      'no such model',
      chat({ body: JSON.stringify({ ...body, model: 'gpt-4o' }) }),
      404,
      'model_not_found',
      'not_found_error',
    ],
    [
      'a bad key',
      chat({ headers: { ...type, 'idempotency-key': '"' } }),
      400,
      'idempotency_key',
      'invalid_request_error',
    ],
    [
      'a type nobody has',
      chat({ headers: { ...type, accept: 'image/png' }, body: JSON.stringify({ ...body, stream: true }) }),
      406,
      'not_acceptable',
      'invalid_request_error',
    ],
    [
      'a foreign page',
      chat({ headers: { ...type, origin: 'https://evil.example' } }),
      403,
      'origin_refused',
      'permission_error',
    ],
    ['no such model to show', ['/v1/models/a/b/c', {}], 404, 'model_not_found', 'not_found_error'],
  ]
  for (const [name, [path, init], status, code, kind] of cases) {
    test(`${name}: ${status} ${code}`, async () => {
      const l = lab({ limits: { maxBodyBytes: 500 } })
      const answer = await l.ask(path, init)
      const { error, ...more } = await answer.json()
      expect([answer.status, answer.headers.get('content-type'), answer.headers.get('x-should-retry')]).toEqual([
        status,
        'application/json',
        'false',
      ])
      expect(error).toEqual({ message: expect.any(String), type: kind, param: null, code })
      expect(more).toEqual({})
      expect(await l.runtime.list()).toEqual([])
    })
  }
})
