import { describe, expect, test } from 'vitest'
import type { ModelOptions, ModelRequest, ProviderEvent } from '../../src/core/provider.ts'
import { ollamaRequest } from '../../src/providers/ollama/request.ts'
import { ollama } from '../../src/providers/ollama.ts'
import { loopback } from '../../src/testing/loopback.ts'

const tool = (name: string) => ({ name, description: name, parameters: { type: 'object' } })
const request = (options: ModelOptions, tools = [tool('a'), tool('b')]): ModelRequest => ({
  model: 'm',
  messages: [{ role: 'user', content: 'Hi' }],
  tools,
  options,
})
const shown = (options: ModelOptions) => {
  const { tools = [] } = ollamaRequest(request(options)) as { tools?: { function: { name: string } }[] }
  return tools.map((one) => one.function.name)
}

describe('ollama: tool_choice', () => {
  const cases: [choice: ModelOptions['tool_choice'], tools: string[], warns: boolean][] = [
    ['auto', ['a', 'b'], false],
    ['none', [], false],
    ['required', ['a', 'b'], true],
    [{ name: 'b' }, ['b'], true],
  ]
  for (const [tool_choice, tools, warns] of cases) {
    test(`${JSON.stringify(tool_choice)} shows the model ${tools.join(' and ') || 'no tool'}${warns ? ', and tells that it is not held to it' : ''}`, async () => {
      const options = tool_choice === undefined ? {} : { tool_choice }
      expect(shown(options)).toEqual(tools)
      const server = await loopback((_, response) => {
        response
          .writeHead(200, { 'content-type': 'application/x-ndjson' })
          .end('{"model":"m","message":{"role":"assistant","content":"x"},"done":true,"done_reason":"stop"}\n')
      })
      const events: ProviderEvent[] = []
      const call = { signal: new AbortController().signal }
      for await (const some of ollama({ host: server.url }).stream(request(options), call)) events.push(...some)
      await server.close()
      const kinds = events.map((event) => (event.type === 'warning' ? event.code : event.type))
      expect(kinds).toEqual(['start', ...(warns ? ['tool_choice_not_enforced'] : []), 'text', 'done'])
    })
  }

  test('without tools is nothing to tell of', () => {
    expect(ollamaRequest(request({ tool_choice: 'required' }, []))).toEqual({
      model: 'm',
      messages: [{ role: 'user', content: 'Hi' }],
      stream: true,
    })
  })
})

describe('ollama: what OpenAI calls otherwise', () => {
  const schema = { type: 'object', properties: { a: { type: 'string' } } }
  const cases: [name: string, provider_options: ModelOptions['provider_options'], body: object][] = [
    [
      'sampling',
      { seed: 7, presence_penalty: 1, frequency_penalty: 0 },
      { options: { seed: 7, presence_penalty: 1, frequency_penalty: 0 } },
    ],
    ['an answer in JSON', { response_format: { type: 'json_object' } }, { format: 'json' }],
    [
      'an answer of a schema',
      { response_format: { type: 'json_schema', json_schema: { name: 'x', schema } } },
      { format: schema },
    ],
    ['plain text', { response_format: { type: 'text' } }, {}],
    ['what it does not know', { logit_bias: {}, user: 'x', parallel_tool_calls: true }, {}],
  ]
  for (const [name, provider_options, body] of cases) {
    test(name, () => {
      const options = provider_options === undefined ? {} : { provider_options }
      const { model: _model, messages: _messages, stream: _stream, ...more } = ollamaRequest(request(options, []))
      expect(more).toEqual(body)
    })
  }
})
