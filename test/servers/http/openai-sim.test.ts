/** The whole way: OpenAI's client, the server, a real provider over HTTP, and the simulator at its other end. */
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { streamText } from 'ai'
import OpenAI from 'openai'
import type { ChatCompletionMessageParam, ChatCompletionTool } from 'openai/resources/chat/completions'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createRuntime, type Runtime } from '../../../src/engine/runtime.ts'
import { memoryLog } from '../../../src/logs/memory.ts'
import { ollama } from '../../../src/providers/ollama.ts'
import { openaiChat } from '../../../src/providers/openai-chat.ts'
import { createHttpServer, type Listening } from '../../../src/servers/http/server.ts'
import { createSim, type Sim } from '../../../src/sim/sim.ts'
import { openaiDoor } from './openai-door.ts'

let sim: Sim
let runtime: Runtime
let listening: Listening
let client: OpenAI
let direct: OpenAI
const token = 'simulator-token-'.padEnd(43, '0')

beforeAll(async () => {
  sim = await createSim({ tokensPerSecond: Infinity })
  const providers = { sim: openaiChat({ baseUrl: sim.url }), local: ollama({ host: sim.url }) }
  runtime = createRuntime({ providers, log: memoryLog() })
  listening = await createHttpServer({ runtime, token, port: 0, limits: { closeMs: 20 } }).listen()
  const to = (url: string) => new OpenAI({ apiKey: token, baseURL: `${url}/v1`, maxRetries: 0, logLevel: 'off' })
  client = to(listening.url)
  direct = to(sim.url)
})
afterAll(async () => {
  await listening.close()
  await runtime.close()
  await sim.close()
})

const messages: ChatCompletionMessageParam[] = [{ role: 'user', content: 'Tell me of the sea.' }]
const tools: ChatCompletionTool[] = ['tide', 'wind'].map((name) => ({
  type: 'function',
  function: { name, description: name, parameters: { type: 'object', properties: { at: { type: 'string' } } } },
}))

describe('through Runlet, the official client gets what it would get from the provider itself', () => {
  for (const model of ['hello', 'lorem', 'reasoning', 'tools-parallel', 'length', 'filter', 'refusal', 'empty']) {
    for (const stream of [true, false]) {
      test(`${model}, ${stream ? 'in chunks' : 'whole'}`, async () => {
        const ours = await answer(client, `sim/${model}`, stream)
        const theirs = await answer(direct, model, stream)
        // A refusal is text as well, for those who do not know that member, and its ending says what it is.
        const refused = { text: theirs.refusal, finish_reason: 'content_filter' }
        expect(ours).toEqual(theirs.refusal ? { ...theirs, ...refused } : theirs)
      })
    }
  }
})

async function answer(of: OpenAI, model: string, stream: boolean) {
  const body = { model, messages, tools }
  const { choices, usage } = stream
    ? await of.chat.completions.stream({ ...body, stream_options: { include_usage: true } }).finalChatCompletion()
    : await of.chat.completions.create(body)
  const { message, finish_reason } = choices[0]!
  return {
    text: message.content ?? '',
    refusal: message.refusal ?? '',
    calls: message.tool_calls?.map((call) => {
      if (call.type !== 'function') throw new Error('not a function')
      return [call.id.length > 0, call.function.name, JSON.parse(call.function.arguments) as unknown]
    }),
    finish_reason,
    prompt_tokens: usage?.prompt_tokens,
    completion_tokens: usage?.completion_tokens,
  }
}

describe('the tool loop of the official client', () => {
  for (const model of ['sim/tools-parallel', 'local/tools-parallel']) {
    test(`works with ${model}`, async () => {
      const run: string[] = []
      const runner = client.chat.completions.runTools({
        model,
        messages,
        stream: true,
        tools: ['tide', 'wind'].map((name) => ({
          type: 'function' as const,
          function: {
            name,
            description: name,
            parameters: { type: 'object', properties: {} },
            parse: (json: string): unknown => JSON.parse(json),
            function: () => {
              run.push(name)
              return `${name} is high`
            },
          },
        })),
      })
      const text = await runner.finalContent()
      expect(run).toEqual(['tide', 'wind'])
      expect(text).toContain('tide is high')
      expect(text).toContain('wind is high')
    })
  }
})

test('a provider that breaks off is an error in the stream', async () => {
  const stream = await client.chat.completions.create({ model: 'sim/lorem?cut=3000', messages, stream: true })
  let text = ''
  const read = async () => {
    for await (const { choices } of stream) text += choices[0]?.delta.content ?? ''
  }
  await expect(read()).rejects.toMatchObject({ code: 'stream_eof_before_done', type: 'server_error' })
  expect(text.length).toBeGreaterThan(0)
})

test.each([
  [401, true],
  [401, false],
  [403, false],
])('a key that the provider refuses (%i, streamed: %s) is not taken for one that we refuse', async (status, stream) => {
  let asked = 0
  const counting = new OpenAI({
    apiKey: token,
    baseURL: `${listening.url}/v1`,
    maxRetries: 2,
    fetch: (...given) => (asked++, fetch(...given)),
  })
  const ask = counting.chat.completions.create({ model: `sim/hello?status=${status}`, messages, stream })
  await expect(ask).rejects.toMatchObject({ status: 502, type: 'server_error', code: 'provider_unauthorized' })
  expect(asked).toBe(1)
})

test('the AI SDK streams text, calls and usage', async () => {
  const provider = createOpenAICompatible({
    name: 'runlet',
    apiKey: token,
    baseURL: `${listening.url}/v1`,
    includeUsage: true,
  })
  const prompt = 'Tell me of the sea.'
  const plain = streamText({ model: provider('sim/reasoning'), prompt, maxRetries: 0 })
  let text = ''
  let reasoning = ''
  for await (const part of plain.fullStream) {
    if (part.type === 'text-delta') text += part.text
    if (part.type === 'reasoning-delta') reasoning += part.text
  }
  const { content } = (await client.chat.completions.create({ model: 'sim/reasoning', messages })).choices[0]!.message
  expect(text).toBe(content)
  expect(reasoning.length).toBeGreaterThan(0)
  expect((await plain.usage).outputTokens).toBeGreaterThan(0)
  expect(await plain.finishReason).toBe('stop')
})

test('the AI SDK is told of a failure, too', async () => {
  const door = await openaiDoor({
    scripts: [
      [
        [
          { type: 'start', model: 'm' },
          { type: 'text', text: 'Hel' },
        ],
        { throw: new Error('x') },
      ],
    ],
  })
  const provider = createOpenAICompatible({ name: 'runlet', apiKey: door.token, baseURL: `${door.url}/v1` })
  const faults: unknown[] = []
  const result = streamText({
    model: provider('lab/scripted'),
    prompt: 'Hi',
    maxRetries: 0,
    onError: ({ error }) => void faults.push(error),
  })
  let text = ''
  for await (const piece of result.textStream) text += piece
  expect(text).toBe('Hel')
  expect(faults).toHaveLength(1)
})
