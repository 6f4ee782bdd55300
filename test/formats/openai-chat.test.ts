import { Stream } from 'openai/core/streaming'
import { ChatCompletionStream } from 'openai/lib/ChatCompletionStream'
import { describe, expect, test } from 'vitest'
import { Batch } from '../../src/core/batch.ts'
import { errorBody, errorCodes, RunletError, type ErrorCode } from '../../src/core/error.ts'
import type { Entry, RunEvent, StartEvent } from '../../src/core/event.ts'
import { emptyView, fold, outputText, type RunView } from '../../src/core/fold.ts'
import type { Format, FormatOptions } from '../../src/core/format.ts'
import type { JsonObject } from '../../src/core/json.ts'
import type { RunHeader } from '../../src/core/log.ts'
import { openaiChat } from '../../src/formats/openai-chat.ts'
import { openCompletion } from '../../src/formats/openai-chat/completion.ts'
import { openaiError } from '../../src/formats/openai-chat/error.ts'
import { chatError } from '../../src/providers/openai-chat/errors.ts'
import { formatCases } from '../../src/testing/format-suite.ts'
import { randomRun, seededRandom } from '../../src/testing/random-run.ts'
import { chatClient, type ChatState } from './openai-chat-client.ts'

/** What a client should know at the end of a run, from its fold: told anew, not with the format's own functions. */
function expected(view: RunView): ChatState {
  const { start, messages, finish_reason, error } = view
  let reasoning = ''
  const calls: ChatState['calls'][number][] = []
  messages.forEach((message, at) => {
    if (message.role !== 'assistant') return
    const answered = new Set<string>()
    for (const result of messages.slice(at + 1)) {
      if (result.role !== 'tool') break
      answered.add(result.call_id)
    }
    for (const part of message.parts) {
      if (part.type === 'reasoning') reasoning += part.text
      if (part.type !== 'tool_call' || answered.has(part.call_id)) continue
      calls.push({ id: part.call_id, name: part.name, arguments: JSON.stringify(part.input) })
    }
  })
  const ended = error?.reason ?? (finish_reason === 'cancelled' ? 'run_cancelled' : undefined)
  return {
    id: `chatcmpl-${start!.run_id}`,
    model: `${start!.provider}/${start!.model}`,
    content: outputText(view),
    reasoning,
    calls,
    finish: ended === undefined ? finish_reason : undefined,
    error: ended,
  }
}

const header: RunHeader = {
  run_id: 'run_1',
  session_id: 'ses_1',
  request_id: 'req_1',
  trace_id: 'trace_1',
  provider: 'lab',
  model: 'small',
  durability: 'memory',
  status: 'running',
  created_at: 1_705_314_600_500,
  cursor: { epoch: 1, seq: 99 },
  title: 'x',
}
const usage = { input_tokens: 3, output_tokens: 4, total_tokens: 7, accuracy: 'exact' } as const
const startEvent: StartEvent = {
  type: 'start',
  trace_id: 'trace_1',
  request_id: 'req_1',
  run_id: 'run_1',
  session_id: 'ses_1',
  provider: 'lab',
  model: 'small',
  durability: 'memory',
  capabilities: [],
}
const begun: readonly RunEvent[] = [
  startEvent,
  { type: 'turn.start', turn: 1, kind: 'prompt', message: { role: 'user', content: 'Hi' } },
  { type: 'step.start', step: 1, attempt: 1 },
]
const says = (text: string): RunEvent => ({ type: 'text.delta', step: 1, text })
const calls = (call_id: string): RunEvent => ({
  type: 'tool.call',
  step: 1,
  call_id,
  tool_call: { name: 'f', input: { id: call_id } },
})
const result = (call_id: string): RunEvent => ({
  type: 'tool.result',
  step: 1,
  call_id,
  name: 'f',
  tool_result: 'x',
  is_error: false,
  duration_ms: 1,
})
const keeps = (fields: JsonObject): RunEvent => ({ type: 'provider.fields', step: 1, fields })
const finished = (reason: 'stop' | 'tool_calls'): RunEvent[] => [
  { type: 'step.end', step: 1, finish_reason: reason, usage },
  { type: 'turn.end', turn: 1, reason },
  { type: 'finish', usage, finish_reason: reason },
]
const failed: RunEvent = {
  type: 'error',
  error: { code: 'network', reason: 'cut', message: 'it broke', temporary: true, retry_after_ms: 5 },
}

const entriesOf = (events: readonly RunEvent[]): Entry[] => events.map((event, i) => ({ seq: i + 1, ts: i, event }))
const batchOf = (events: readonly RunEvent[]) => Batch.of('run_1', 1, entriesOf(events))
const text = (bytes: Uint8Array) => Buffer.from(bytes).toString()
const encoder = (options: Partial<FormatOptions> = {}) => openaiChat.open(header, { framing: 'sse', ...options })

/** Place and JSON of each frame, the head that all chunks share left away. */
function frames(bytes: Uint8Array): [place: string, json: unknown][] {
  return text(bytes)
    .split('\n\n')
    .slice(0, -1)
    .map((frame) => {
      const [, place, data] = /^(?:id: (\S+)\n)?data: (.*)$/.exec(frame)!
      if (data === '[DONE]') return [place!, data]
      const { id: _, object: __, created: ___, model: ____, ...more } = JSON.parse(data!)
      return [place!, more]
    })
}
const whole = (events: readonly RunEvent[], options?: Partial<FormatOptions>) => {
  const one = encoder(options)
  return frames(Buffer.concat([one.start(), one.batch(batchOf(events)), one.end()]))
}
const delta = (said: object, finish_reason: string | null = null) => ({
  choices: [{ index: 0, delta: said, finish_reason }],
})
const calling = (...ids: string[]) => ({
  tool_calls: ids.map((id, index) => ({
    index,
    id,
    type: 'function',
    function: { name: 'f', arguments: `{"id":"${id}"}` },
  })),
})
const role = delta({ role: 'assistant', content: '' })

describe('the suite', () => {
  for (const { name, run } of formatCases({ format: openaiChat, client: chatClient, expected })) {
    test(name, () => expect(run()).toBeUndefined())
  }

  const broken: [name: string, break_: (options: FormatOptions) => FormatOptions, failing: readonly string[]][] = [
    [
      'forgets what a reader knows who comes back',
      ({ framing, mayReset = false }) => ({ framing, mayReset }),
      ['from every cursor'],
    ],
    [
      'takes nothing back where a step is voided',
      ({ mayReset: _mayReset, ...options }) => options,
      ['a client', 'a client', 'what is said', 'from every cursor', 'at every place', 'cut after any byte'],
    ],
  ]
  for (const [name, spoil, failing] of broken) {
    test(`notices a format that ${name}`, () => {
      const format: Format = { ...openaiChat, open: (run, options) => openaiChat.open(run, spoil(options)) }
      const cases = formatCases({ format, client: chatClient, expected }).slice(0, 7)
      const noticed = cases.filter(({ run }) => fails(run)).map(({ name: of }) => of.replace(/.*: /, ''))
      expect(noticed.map((of) => failing.find((words) => of.startsWith(words)))).toEqual(failing)
    })
  }
})

describe('the official accumulator', () => {
  test('makes of a random run what its fold says, or is thrown its error', async () => {
    for (let seed = 0; seed < 60; seed++) {
      const entries = randomRun(seededRandom(seed))
      const view = fold(emptyView, entries)
      const mayReset = entries.some(({ event }) => event.type === 'step.reset')
      const known = expected(view)
      const one = openaiChat.open({ ...header, ...view.start, status: 'running' }, { framing: 'sse', mayReset })
      const epochs = [entries.filter(({ epoch }) => epoch !== 2), entries.filter(({ epoch }) => epoch === 2)]
      const batches = epochs.flatMap((some, i) => (some.length > 0 ? [Batch.of('run', i + 1, some)] : []))
      const bytes = Buffer.concat([...batches.map((batch) => one.batch(batch)), one.end()])
      const chunks = Stream.fromSSEResponse<object>(new Response(bytes), new AbortController())
      const answer = ChatCompletionStream.fromReadableStream(chunks.toReadableStream())
        .finalChatCompletion()
        .catch((error: { code?: string; message: string }) => error.code ?? error.message)
      const said = await answer
      if (typeof said === 'string') {
        expect(said, `seed ${seed}`).toBe(known.error)
        continue
      }
      const { message, finish_reason } = said.choices[0]!
      expect(
        {
          id: said.id,
          content: message.content ?? '',
          calls: message.tool_calls?.map(({ id, function: f }) => ({ id, name: f.name, arguments: f.arguments })) ?? [],
          finish: finish_reason,
        },
        `seed ${seed}`,
      ).toEqual({ id: known.id, content: known.content, calls: known.calls, finish: known.finish })
      // Whole, it is the same.
      const completion = openCompletion()
      completion.add(entries)
      expect(completion.answer({ ...header, ...view.start! })).toMatchObject({
        choices: [{ message: { content: message.content || (message.tool_calls ? null : '') }, finish_reason }],
      })
    }
  })
})

describe('a run', () => {
  test('is these chunks, each with its place', () => {
    expect(whole([...begun, says('Hi'), says(' \u2028'), ...finished('stop')], { includeUsage: true })).toEqual([
      ['1-1', role],
      ['1-4', delta({ content: 'Hi' })],
      ['1-5', delta({ content: ' \u2028' })],
      ['1-8', delta({}, 'stop')],
      ['1-8', { choices: [], usage: { prompt_tokens: 3, completion_tokens: 4, total_tokens: 7 } }],
      ['1-8', '[DONE]'],
    ])
  })

  test('shows of its tools only those that the caller is to run, once their step is over', () => {
    const step = [calls('ours'), calls('a'), result('ours'), calls('b')]
    expect(whole([...begun, says('Hm'), ...step, ...finished('tool_calls')])).toEqual([
      ['1-1', role],
      ['1-4', delta({ content: 'Hm' })],
      ['1-9', delta(calling('a', 'b'))],
      ['1-11', delta({}, 'tool_calls')],
      ['1-11', '[DONE]'],
    ])
  })

  test('that may void a step says it when it is over, in one chunk', () => {
    const reasons: RunEvent = { type: 'reasoning.delta', step: 1, text: 'So.' }
    const voided: RunEvent = { type: 'step.reset', step: 1, attempt: 2, reason: 'network' }
    const events = [
      ...begun,
      says('No'),
      calls('x'),
      voided,
      says('Y'),
      reasons,
      keeps({ a: 1 }),
      says('es'),
      calls('c'),
    ]
    expect(whole([...events, ...finished('tool_calls')], { mayReset: true })).toEqual([
      ['1-1', role],
      ['1-12', delta({ reasoning_content: 'So.', content: 'Yes', ...calling('c') })],
      ['1-14', delta({}, 'tool_calls')],
      ['1-14', '[DONE]'],
    ])
    const error = { message: 'it broke', type: 'server_error', param: null, code: 'cut' }
    expect(whole([...begun, says('Half'), failed], { mayReset: true })).toEqual([
      ['1-1', role],
      ['1-5', { ...delta({ content: 'Half' }), error }],
    ])
  })

  test('that failed or was cancelled ends with an error, and is never done', () => {
    const cancelled: RunEvent = { type: 'finish', usage, finish_reason: 'cancelled' }
    for (const [event, code] of [
      [failed, 'cut'],
      [cancelled, 'run_cancelled'],
    ] as const) {
      const said = whole([...begun, says('Half'), event], { includeUsage: true })
      expect(said.map(([place]) => place)).toEqual(['1-1', '1-4', '1-5'])
      expect(said.at(-1)![1]).toEqual({ error: expect.objectContaining({ code, param: null }) })
    }
  })

  test('at its limit of model calls is cut, as at its limit of tokens', () => {
    expect(whole([...begun, { type: 'finish', usage, finish_reason: 'tool_limit' }])[1]).toEqual([
      '1-4',
      delta({}, 'length'),
    ])
  })

  test('hands on sources, and fields that only its provider knows', () => {
    const cites: RunEvent = {
      type: 'citations',
      step: 1,
      citations: [{ uri: 'https://a.example', title: 'A', start: 1, end: 2 }, { uri: 'https://b.example' }],
    }
    const fields = {
      id: 'theirs',
      system_fingerprint: 'fp',
      usage: { cost: 1 },
      choices: [{ index: 0, delta: { refusal: 'No' }, logprobs: { content: [{ token: 'a' }] }, finish_reason: 'x' }],
    }
    const events = [...begun, cites, keeps(fields), keeps({ service_tier: 'default' }), ...finished('stop')]
    const url_citation = { url: 'https://a.example', title: 'A', start_index: 1, end_index: 2 }
    const annotations = [
      { type: 'url_citation', url_citation },
      { type: 'url_citation', url_citation: { url: 'https://b.example' } },
    ]
    const logprobs = { content: [{ token: 'a' }] }
    expect(whole(events).slice(1, 4)).toEqual([
      ['1-4', delta({ annotations })],
      [
        '1-5',
        {
          system_fingerprint: 'fp',
          choices: [{ index: 0, delta: { refusal: 'No' }, logprobs, finish_reason: null }],
        },
      ],
      ['1-6', { service_tier: 'default', ...delta({}) }],
    ])
    const completion = openCompletion()
    completion.add(entriesOf([...events.slice(0, 5), keeps(fields), ...events.slice(5)]))
    expect(completion.answer(header)).toEqual({
      id: 'chatcmpl-run_1',
      object: 'chat.completion',
      created: 1_705_314_600,
      model: 'lab/small',
      system_fingerprint: 'fp',
      service_tier: 'default',
      choices: [
        {
          index: 0,
          logprobs: { content: [{ token: 'a' }, { token: 'a' }] },
          message: { role: 'assistant', content: '', refusal: 'NoNo', annotations },
          finish_reason: 'stop',
        },
      ],
      usage: { prompt_tokens: 3, completion_tokens: 4, total_tokens: 7 },
    })
  })
})

describe('who comes back', () => {
  const lines = [...begun, says('Hi'), calls('a'), calls('b'), ...finished('tool_calls')]
  const back = (seq: number) => ({ view: fold(emptyView, entriesOf(lines.slice(0, seq))) })

  test('in the middle of a step gets the calls that it was not told of', () => {
    const one = encoder(back(5))
    expect(frames(one.batch(batchOf(lines).after(5)))).toEqual([
      ['1-7', delta(calling('a', 'b'))],
      ['1-9', delta({}, 'tool_calls')],
    ])
  })

  test('to a run that left calls to its caller before gets the next ones counted on', () => {
    const again: RunEvent[] = [
      { type: 'turn.start', turn: 2, kind: 'follow_up', message: { role: 'user', content: 'Go on' } },
      { type: 'step.start', step: 2, attempt: 1 },
      { type: 'tool.call', step: 2, call_id: 'a', tool_call: { name: 'g', input: {} } },
      { type: 'step.end', step: 2, finish_reason: 'tool_calls' },
    ]
    const all = [...lines.slice(0, 8), ...again]
    for (const mayReset of [false, true]) {
      for (const seq of [7, 8, 10, 11]) {
        const one = encoder({ mayReset, view: fold(emptyView, entriesOf(all.slice(0, seq))) })
        const made = { index: 2, id: 'a', type: 'function', function: { name: 'g', arguments: '{}' } }
        expect(frames(one.batch(batchOf(all).after(seq)))).toEqual([['1-12', delta({ tool_calls: [made] })]])
      }
    }
  })

  test('to the end of a run gets what stands behind it', () => {
    const ended = { ...header, cursor: { epoch: 1, seq: 9 } }
    const one = openaiChat.open(ended, { framing: 'sse', includeUsage: true, ...back(9) })
    expect(frames(one.end()).map(([place, json]) => [place, json === '[DONE]'])).toEqual([
      ['1-9', false],
      ['1-9', true],
    ])
  })

  test('to the end of a run that failed is told so again', () => {
    const view = fold(emptyView, entriesOf([...begun, failed]))
    const one = openaiChat.open({ ...header, cursor: { epoch: 2, seq: 4 } }, { framing: 'sse', view })
    expect(frames(one.end())).toEqual([['2-4', { error: expect.objectContaining({ code: 'cut' }) }]])
  })
})

describe('a batch', () => {
  const plain = batchOf([...begun, says('a'), ...finished('stop')])
  test('is spelled once for all readers, where nothing depends on what they were told before', () => {
    for (const options of [{ framing: 'sse' }, { framing: 'ndjson' }, { framing: 'sse', ids: false }] as const) {
      expect(encoder(options).batch(plain)).toBe(encoder({ ...options, includeUsage: true }).batch(plain))
    }
  })
  test('is spelled for each reader, where it does', () => {
    const stateful = batchOf([...begun, calls('a'), ...finished('tool_calls')])
    expect(encoder().batch(stateful)).not.toBe(encoder().batch(stateful))
    expect(encoder({ mayReset: true }).batch(plain)).not.toBe(encoder({ mayReset: true }).batch(plain))
  })
  test('comes without ids, and with a retry hint, where that is asked for', () => {
    const one = encoder({ ids: false, retryMs: 7 })
    expect(text(one.start())).toBe('retry: 7\n\n')
    expect(text(one.batch(plain)) + text(one.end())).not.toMatch(/^id:/m)
    expect([encoder().start(), encoder({ framing: 'ndjson', retryMs: 7 }).start()].map(text)).toEqual(['', ''])
  })
})

describe('control records', () => {
  const cursor = { epoch: 1, seq: 4 }
  const interrupted = (reason: string) =>
    `{"error":{"message":"the server ends this connection (${reason}), not the run; read on with GET /v1/runs/run_1/events?format=openai-chat with Last-Event-ID: 1-4","type":"server_error","param":null,"code":"stream_interrupted"}}`
  const cases = [
    [{ type: 'heartbeat', ts: 5 }, ': keep-alive\n\n'],
    [{ type: 'lag', ts: 5, events: 9, cursor }, ': {"type":"lag","ts":5,"events":9,"cursor":"1-4"}\n\n'],
    [
      { type: 'input_accepted', ts: 5, line: 2, input: 'a\nb\u2028' },
      ': {"type":"input_accepted","ts":5,"line":2,"input":"a\\nb\\u2028"}\n\n',
    ],
    [{ type: 'closing', ts: 5, reason: 'bye', cursor }, `id: 1-4\ndata: ${interrupted('bye')}\n\n`],
    [{ type: 'overflow', ts: 5, reason: 'slow', cursor }, `id: 1-4\ndata: ${interrupted('slow')}\n\n`],
  ] as const
  for (const [record, sse] of cases) {
    test(`${record.type} is a comment, or an error where the connection ends`, () => {
      expect(text(encoder().control(record))).toBe(sse)
    })
    test(`${record.type} is one line, too`, () => {
      const line = text(encoder({ framing: 'ndjson' }).control(record))
      expect(line.indexOf('\n')).toBe(line.length - 1)
      expect(Object.keys(JSON.parse(line))).toContain(sse.startsWith(':') ? 'choices' : 'error')
    })
  }

  test('a gap breaks the answer: an error, and nothing behind it', () => {
    const one = encoder()
    one.batch(batchOf([...begun, says('a')]))
    expect(frames(one.control({ type: 'gap', ts: 5, from: 5, to: 6, reason: 'corrupt' }))).toEqual([
      ['1-4', { error: expect.objectContaining({ code: 'corrupt', type: 'server_error' }) }],
    ])
    const rest = Batch.of('run_1', 1, [
      { seq: 7, ts: 7, event: says('c') },
      { seq: 8, ts: 8, event: { type: 'finish', usage, finish_reason: 'stop' } },
    ])
    expect([one.batch(rest), one.control({ type: 'heartbeat', ts: 6 }), one.end()].map(text)).toEqual(['', '', ''])
  })
})

test('an error keeps its code through our own provider, however it is spelled', () => {
  const peer = { provider: 'p', name: 'the test', redact: (words: string) => words }
  for (const code of Object.keys(errorCodes) as ErrorCode[]) {
    const error = new RunletError(code, { message: 'x', reason: code === 'not_found' ? 'model_unknown' : code })
    const { param: _, ...said } = openaiError(errorBody(error))
    // In a stream there is no status; what is the fault of the network there, is not told apart from any other.
    const again = chatError(peer, said, { words: '' })
    expect([code, again.code]).toEqual([code, code === 'network' ? 'internal' : code])
  }
})

function fails(run: () => void): boolean {
  try {
    run()
    return false
  } catch {
    return true
  }
}
