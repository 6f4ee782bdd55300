import { expect, test } from 'vitest'
import type { Message } from '../../src/core/message.ts'
import type { ModelRequest } from '../../src/core/provider.ts'
import { chatRequest, dialectOf } from '../../src/providers/openai-chat/request.ts'
import { openaiChat } from '../../src/providers/openai-chat.ts'
import { loopback } from '../../src/testing/loopback.ts'

const plain = dialectOf('example.com')
const parameters = { type: 'object', properties: {} }
const messages: Message[] = [
  { role: 'system', content: 'Be brief.' },
  { role: 'user', content: 'Weather?' },
  {
    role: 'assistant',
    parts: [
      { type: 'reasoning', text: 'Need it.' },
      { type: 'tool_call', call_id: 'c1', name: 'w', input: { city: 'Paris' } },
      { type: 'tool_call', call_id: 'c2', name: 'w', input: {} },
    ],
  },
  { role: 'tool', call_id: 'c1', name: 'w', content: { t: 20 }, is_error: false },
  { role: 'tool', call_id: 'c2', name: 'w', content: 'no such city', is_error: true },
  {
    role: 'assistant',
    parts: [
      { type: 'reasoning', text: 'So.' },
      { type: 'text', text: '20 ' },
      { type: 'text', text: 'degrees.' },
    ],
  },
]
const request: ModelRequest = {
  model: 'm',
  messages,
  tools: [{ name: 'w', description: 'Weather', parameters }],
  options: { temperature: 0, top_p: 0.9, max_tokens: 10, stop: ['x'], reasoning_effort: 'low' },
}
const calls = [
  { id: 'c1', type: 'function', function: { name: 'w', arguments: '{"city":"Paris"}' } },
  { id: 'c2', type: 'function', function: { name: 'w', arguments: '{}' } },
]

test('openai-chat: a request says all that the caller said', () => {
  expect(chatRequest(request, plain)).toEqual({
    model: 'm',
    messages: [
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: 'Weather?' },
      { role: 'assistant', content: null, tool_calls: calls },
      { role: 'tool', tool_call_id: 'c1', content: '{"t":20}' },
      { role: 'tool', tool_call_id: 'c2', content: 'no such city' },
      { role: 'assistant', content: '20 degrees.' },
    ],
    stream: true,
    stream_options: { include_usage: true },
    tools: [{ type: 'function', function: { name: 'w', description: 'Weather', parameters } }],
    temperature: 0,
    top_p: 0.9,
    max_tokens: 10,
    stop: ['x'],
    reasoning_effort: 'low',
  })
})

test('openai-chat: a request says nothing that the caller left out', () => {
  const bare = { model: 'm', messages: [], tools: [], options: { stop: [] } }
  expect(chatRequest(bare, plain)).toEqual({
    model: 'm',
    messages: [],
    stream: true,
    stream_options: { include_usage: true },
  })
})

test('openai-chat: what a server would refuse is spelled its way, or left out', () => {
  const openai = chatRequest(request, dialectOf('api.openai.com'))
  expect([openai['max_completion_tokens'], openai['max_tokens']]).toEqual([10, undefined])
  expect(chatRequest(request, dialectOf('api.mistral.ai'))['stream_options']).toBeUndefined()
  const deepseek = chatRequest(request, dialectOf('api.deepseek.com'))['messages']
  expect(deepseek).toContainEqual({
    role: 'assistant',
    content: null,
    reasoning_content: 'Need it.',
    tool_calls: calls,
  })
  expect(deepseek).toContainEqual({ role: 'assistant', content: '20 degrees.' })
})

test('openai-chat: what has no name here is sent as it is, but never in the place of what has one', () => {
  const provider_options = { seed: 7, model: 'other', messages: [], stream: false, temperature: 2, tools: 'x' }
  expect(chatRequest({ ...request, tools: [], options: { temperature: 0, provider_options } }, plain)).toMatchObject({
    seed: 7,
    model: 'm',
    stream: true,
    temperature: 0,
    messages: chatRequest(request, plain)['messages'],
  })
})

test('openai-chat: a choice of tools, and strictness, are sent with the tools', () => {
  const tool = { name: 'w', description: 'Weather', parameters, strict: true }
  for (const [tool_choice, said] of [
    ['none', 'none'],
    ['required', 'required'],
    [{ name: 'w' }, { type: 'function', function: { name: 'w' } }],
  ] as const) {
    const body = chatRequest({ ...request, tools: [tool], options: { tool_choice } }, plain)
    expect([body['tool_choice'], body['tools']]).toEqual([said, [{ type: 'function', function: tool }]])
    // Without tools it is refused.
    expect(chatRequest({ ...request, tools: [], options: { tool_choice } }, plain)).not.toHaveProperty('tool_choice')
  }
})

test('openai-chat: the key, the path and the headers go to the base URL, which gets a version if it has no path', async () => {
  const answer = 'data: {"choices":[{"index":0,"delta":{"content":"x"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
  const server = await loopback((_, response) => {
    response.writeHead(200, { 'content-type': 'Text/Event-Stream; charset=utf-8' }).end(answer)
  })
  const headers = { 'http-referer': 'https://runlet.example' }
  for (const path of ['', '/', '/v1', '/openai/v1/', '/openai?api-version=1']) {
    const provider = openaiChat({ baseUrl: server.url + path, apiKey: 'sk-secret-key', headers })
    for await (const _ of provider.stream(request, { signal: new AbortController().signal }));
  }
  expect(server.requests.map(({ path }) => path)).toEqual([
    '/v1/chat/completions',
    '/v1/chat/completions',
    '/v1/chat/completions',
    '/openai/v1/chat/completions',
    '/openai/chat/completions?api-version=1',
  ])
  expect(server.requests[0]).toMatchObject({
    method: 'POST',
    headers: {
      authorization: 'Bearer sk-secret-key',
      accept: 'text/event-stream',
      'accept-encoding': 'identity',
      'content-type': 'application/json',
      'http-referer': 'https://runlet.example',
    },
  })
  expect(JSON.parse(server.requests[0]!.body)).toEqual(chatRequest(request, plain))
  await server.close()
})

test('openai-chat: without a key no authorization is sent', async () => {
  const server = await loopback((_, response) => {
    response.end('{"data":[]}')
  })
  await openaiChat({ baseUrl: server.url }).models({ signal: new AbortController().signal })
  expect(server.requests[0]).toMatchObject({ method: 'GET', path: '/v1/models', body: '' })
  expect(server.requests[0]!.headers).not.toHaveProperty('authorization')
  await server.close()
})
