/** The official Ollama client reads what the simulator sends. */
import { type Message, Ollama } from 'ollama'
import { describe, expect, test } from 'vitest'
import { stage } from './stage.ts'

const { start } = stage()
const hurried = { tokensPerSecond: Number.POSITIVE_INFINITY }
const user = (content: string): Message[] => [{ role: 'user', content }]
const tool = (name: string) => ({
  type: 'function',
  function: { name, description: '', parameters: { type: 'object', properties: {}, required: [] } },
})

describe('every model of its own', () => {
  test('reads the same from chat and generate, as a stream and whole', async () => {
    const sim = await start(hurried)
    const ollama = new Ollama({ host: sim.url })
    const { models } = await ollama.list()
    expect(models.map(({ name }) => name)).toEqual(sim.models.map(({ name }) => name))
    for (const { name: model } of models) {
      const whole = await ollama.chat({ model, messages: user('Grüße 👩‍💻') })
      const { message, ...ending } = whole
      let streamed = ''
      let last: typeof whole | undefined
      for await (const part of await ollama.chat({ model, messages: user('Grüße 👩‍💻'), stream: true })) {
        streamed += part.message.content
        last = part
      }
      expect(streamed, model).toBe(message.content)
      expect({ ...last, message: undefined }, model).toEqual({ ...ending, message: undefined })

      let generated = ''
      for await (const part of await ollama.generate({ model, prompt: 'Grüße 👩‍💻', stream: true }))
        generated += part.response
      expect(generated, model).toBe(message.content.replace('Ollama chat', 'Ollama generate'))
    }
  })

  const reasons: [model: string, reason: string][] = [
    ['echo', 'stop'],
    ['length', 'length'],
    ['filter', 'stop'],
    ['empty', 'stop'],
  ]
  for (const [model, reason] of reasons) {
    test(`${model} ends with ${reason}`, async () => {
      const sim = await start(hurried)
      expect((await new Ollama({ host: sim.url }).chat({ model, messages: user('Hi') })).done_reason).toBe(reason)
    })
  }
})

test('a chat is one line per token, then counts and durations', async () => {
  const sim = await start()
  const lines: unknown[] = []
  const stream = await new Ollama({ host: sim.url }).chat({
    model: 'echo',
    messages: user('Hello there'),
    stream: true,
  })
  for await (const { created_at: _, ...line } of stream) lines.push(line)
  const said = (content: string) => ({ model: 'echo', message: { role: 'assistant', content } })
  expect(lines).toEqual([
    { ...said('Hello'), done: false },
    { ...said(' there'), done: false },
    {
      ...said(''),
      done_reason: 'stop',
      done: true,
      total_duration: 2_000_000,
      load_duration: 1_000_000,
      prompt_eval_count: 5,
      prompt_eval_duration: 1_000_000,
      eval_count: 2,
      eval_duration: 1,
    },
  ])
})

test('thinking comes on lines of its own, and not at all with think: false', async () => {
  const sim = await start()
  const ollama = new Ollama({ host: sim.url })
  const parts: string[] = []
  for await (const { message } of await ollama.chat({ model: 'reasoning', messages: user('Hi'), stream: true })) {
    const part = message.thinking ? 'thinking' : message.content ? 'content' : 'end'
    if (parts.at(-1) !== part) parts.push(part)
  }
  expect(parts).toEqual(['thinking', 'content', 'end'])
  const quiet = await ollama.chat({ model: 'reasoning', messages: user('Hi'), think: false })
  expect(quiet.message.thinking).toBeUndefined()
})

test('a tool is called whole, and its result is answered', async () => {
  const sim = await start()
  const ollama = new Ollama({ host: sim.url })
  const tools = [tool('other'), tool('current_time')]
  const lines: Message[] = []
  for await (const { message } of await ollama.chat({ model: 'tools', messages: user('Time?'), tools, stream: true })) {
    if (message.tool_calls) lines.push(message)
  }
  expect(lines.map(({ tool_calls }) => tool_calls)).toEqual([
    [{ id: 'call_1', function: { index: 0, name: 'current_time', arguments: {} } }],
  ])
  const messages = [...user('Time?'), ...lines, { role: 'tool', tool_name: 'current_time', content: 'noon' }]
  const answer = await ollama.chat({ model: 'tools', messages, tools })
  expect(answer.message.content).toBe('Here it is:\n\n- `current_time` says: noon\n')
})

test('a call that num_predict cuts short is not sent, streaming or not', async () => {
  const sim = await start()
  const ollama = new Ollama({ host: sim.url })
  const request = {
    model: 'tools',
    messages: user('Time?'),
    tools: [tool('current_time')],
    // Five words of preface; the call would be the next.
    options: { num_predict: 5 },
  }
  const answer = await ollama.chat(request)
  expect([answer.message.tool_calls, answer.done_reason, answer.eval_count]).toEqual([undefined, 'length', 5])
  const lines: unknown[] = []
  for await (const { message, done_reason } of await ollama.chat({ ...request, stream: true })) {
    lines.push([message.content, message.tool_calls, done_reason])
  }
  expect(lines).toEqual([
    ...['Let', ' me', ' look', ' that', ' up.'].map((text) => [text, undefined, undefined]),
    ['', undefined, 'length'],
  ])
})

test('an empty chat loads the model, and keep_alive 0 unloads it', async () => {
  const sim = await start()
  const ollama = new Ollama({ host: sim.url })
  expect((await ollama.chat({ model: 'echo', messages: [] })).done_reason).toBe('load')
  expect((await ollama.generate({ model: 'echo', prompt: '', keep_alive: 0 })).done_reason).toBe('unload')
})

test('show, ps and version answer, and the default tag is understood', async () => {
  const sim = await start()
  const ollama = new Ollama({ host: sim.url })
  expect((await ollama.show({ model: 'lorem-5' })).details.family).toBe('sim')
  expect((await ollama.show({ model: 'echo:latest' })).capabilities).toEqual(['completion', 'tools', 'thinking'])
  expect((await ollama.ps()).models).toEqual([])
  expect((await ollama.version()).version).toBe('0.0.0-runlet-sim')
  expect((await ollama.chat({ model: 'echo:latest', messages: user('Hi') })).message.content).toBe('Hi')
})

test('an abort closes the connection, and the journal says that the client did it', async () => {
  const sim = await start({ tokensPerSecond: 5 })
  const ollama = new Ollama({ host: sim.url })
  const stream = await ollama.chat({ model: 'lorem-1000', messages: user('Hi'), stream: true })
  await expect(
    (async () => {
      for await (const _ of stream) stream.abort()
    })(),
  ).rejects.toThrow('aborted')
  expect(await sim.next()).toMatchObject({ path: '/api/chat', closedByClient: true, ending: 'client_closed' })
})

describe('errors are Ollama’s', () => {
  const chat = async (model: string) => {
    const sim = await start()
    const stream = await new Ollama({ host: sim.url }).chat({ model, messages: user('one two'), stream: true })
    let text = ''
    for await (const { message } of stream) text += message.content
    return text
  }
  const cases: [name: string, model: string, error: object][] = [
    ['an unknown model', 'llama9', { status_code: 404, error: "model 'llama9' not found" }],
    ['overload', 'echo?status=503', { status_code: 503 }],
    ['in mid-stream', 'echo?error=1', { message: 'an error was encountered while running the model' }],
    ['no end', 'echo?no-done', { message: 'Did not receive done or success response in stream.' }],
  ]
  for (const [name, model, error] of cases) {
    test(name, () => expect(chat(model)).rejects.toMatchObject(error))
  }

  test('an unknown model has nothing to show', async () => {
    const sim = await start()
    await expect(new Ollama({ host: sim.url }).show({ model: 'x' })).rejects.toMatchObject({
      status_code: 404,
      error: "model 'x' not found",
    })
  })
})
