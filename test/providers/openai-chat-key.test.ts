import { expect, test } from 'vitest'
import type { RunletError } from '../../src/core/error.ts'
import type { ModelRequest } from '../../src/core/provider.ts'
import { openaiChat, type OpenaiChatOptions } from '../../src/providers/openai-chat.ts'

const request: ModelRequest = { model: 'm', messages: [{ role: 'user', content: 'hi' }], tools: [], options: {} }
/** Fails whatever would be sent, so that nothing leaves this machine even where the check is broken. */
const stopped = AbortSignal.abort(new Error('sending'))

/** What `stream` and `models` end with. */
async function endings(options: OpenaiChatOptions) {
  const provider = openaiChat(options)
  const asked = [
    provider.stream(request, { signal: stopped })[Symbol.asyncIterator]().next(),
    provider.models({ signal: stopped }),
  ]
  return (await Promise.allSettled(asked)).map((one) => {
    const { code, reason, message } = (one as PromiseRejectedResult).reason as RunletError
    return { code, reason, message }
  })
}

const missing = {
  code: 'unauthorized',
  reason: 'key_missing',
  message: 'openai-chat needs a key for api.openai.com: set apiKey',
}
const sent = { code: undefined, reason: undefined, message: 'sending' }

const cases: [name: string, options: OpenaiChatOptions, ending: object][] = [
  ['no options', {}, missing],
  ['an empty key', { apiKey: '' }, missing],
  ['the address spelt out', { baseUrl: 'https://api.openai.com/v1' }, missing],
  ['a key', { apiKey: 'sk-key' }, sent],
  ['a header that authorizes', { headers: { Authorization: 'Bearer sk-key' } }, sent],
  ['another server', { baseUrl: 'http://127.0.0.1:9' }, sent],
]
for (const [name, options, ending] of cases) {
  test(`only OpenAI itself asks for a key, before anything is sent: ${name}`, async () => {
    expect(await endings(options)).toEqual([ending, ending])
  })
}
