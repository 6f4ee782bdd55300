import { describe, expect, test } from 'vitest'
import type { JsonObject } from '../../src/core/json.ts'
import type { Tool, ToolSpec } from '../../src/core/tool.ts'
import { memoryLog } from '../../src/logs/memory.ts'
import { createRuntime } from '../../src/engine/runtime.ts'
import { says, scriptedProvider, type ScriptLine } from '../../src/testing/scripted-provider.ts'
import { eventsOf, gate, lab, storyOf } from './lab.ts'

const begun: ScriptLine = [{ type: 'start', model: 'scripted' }]
const stop: ScriptLine = [{ type: 'done', reason: 'stop' }]

function calls(...asked: [name: string, input: JsonObject][]): ScriptLine[] {
  return [
    begun,
    asked.map(([name, input], i) => ({ type: 'tool_call', call_id: `c${i + 1}`, name, input })),
    [{ type: 'done', reason: 'tool_calls' }],
  ]
}

const spec = (name: string): ToolSpec => ({ name, description: `the ${name}`, parameters: { type: 'object' } })

describe('messages while a run is at work', () => {
  test('steers go first, follow-ups after them, each in a turn of its own, in one run', async () => {
    const wait = gate()
    const first: ScriptLine[] = [begun, { wait: wait.promise }, [{ type: 'text', text: 'one' }], stop]
    const { runtime, provider } = lab([first, says('two'), says('three'), says('four')])
    const run = await runtime.start({ prompt: 'x' })
    await run.send({ type: 'follow_up', text: 'later' })
    await run.send({ type: 'steer', text: 'rather this' })
    await run.send({ type: 'steer', text: 'and that' })
    wait.open()
    const turns = (await eventsOf(run)).flatMap((event) =>
      event.type === 'turn.start' ? [[event.turn, event.kind, event.message.content]] : [],
    )
    expect(turns).toEqual([
      [1, 'prompt', 'x'],
      [2, 'steer', 'rather this'],
      [3, 'steer', 'and that'],
      [4, 'follow_up', 'later'],
    ])
    expect(
      provider.requests[3]?.messages.map((message) => ('content' in message ? message.content : message.parts)),
    ).toEqual([
      'x',
      [{ type: 'text', text: 'one' }],
      'rather this',
      [{ type: 'text', text: 'two' }],
      'and that',
      [{ type: 'text', text: 'three' }],
      'later',
    ])
  })

  test('a steer during tools skips those that were not begun, and ends the turn', async () => {
    const inTool = gate()
    const letGo = gate()
    const slow: Tool = {
      ...spec('slow'),
      async run() {
        inTool.open()
        await letGo.promise
        return 'done'
      },
    }
    const { runtime } = lab([calls(['slow', {}], ['slow', {}]), says('as you wish')], {
      tools: [slow],
      limits: { parallelTools: 1 },
    })
    const run = await runtime.start({ prompt: 'x', tools: ['slow'] })
    await inTool.promise
    await run.send({ type: 'steer', text: 'stop that' })
    letGo.open()
    expect(await storyOf(run)).toMatchObject([
      { type: 'tool.call', call_id: 'c1' },
      { type: 'tool.call', call_id: 'c2' },
      { type: 'tool.result', call_id: 'c1', tool_result: 'done', is_error: false },
      { type: 'warning', code: 'tool_execution_skipped' },
      { type: 'tool.result', call_id: 'c2', tool_result: 'Skipped due to queued user message.', is_error: true },
      { type: 'step.end', step: 1, finish_reason: 'tool_calls' },
      { type: 'turn.end', turn: 1, reason: 'steered' },
      { type: 'turn.start', turn: 2, kind: 'steer', message: { role: 'user', content: 'stop that' } },
      { type: 'step.start', step: 2 },
      { type: 'text.delta', step: 2, text: 'as you wish' },
      { type: 'step.end', step: 2, finish_reason: 'stop' },
      { type: 'turn.end', turn: 2, reason: 'stop' },
      { type: 'finish', finish_reason: 'stop' },
    ])
  })

  test('what was not answered when the run ended is told, not lost', async () => {
    const { runtime } = lab([[begun, 'hang']])
    const run = await runtime.start({ prompt: 'x' })
    await run.send({ type: 'follow_up', text: 'a' })
    await run.send({ type: 'steer', text: 'b' })
    await run.cancel()
    expect((await storyOf(run)).slice(-2)).toMatchObject([
      { type: 'warning', code: 'messages_unanswered', message: expect.stringMatching(/^2 queued messages/) },
      { type: 'finish', finish_reason: 'cancelled' },
    ])
  })

  test('reach a run from another process through its log', async () => {
    const wait = gate()
    const memory = memoryLog()
    const provider = scriptedProvider([[begun, { wait: wait.promise }, stop], says('two')])
    const owner = createRuntime({ providers: { lab: provider }, log: memory })
    const run = await owner.start({ model: 'lab/m', prompt: 'x' })
    const other = createRuntime({ providers: {}, log: memory })
    await other.send(run.id, { type: 'follow_up', text: 'from afar' })
    wait.open()
    const kinds = (await eventsOf(run)).flatMap((event) => (event.type === 'turn.start' ? [event.kind] : []))
    expect(kinds).toEqual(['prompt', 'follow_up'])
  })

  const refusals: [name: string, request: Parameters<ReturnType<typeof lab>['runtime']['send']>[1], reason: string][] =
    [
      ['an empty steer', { type: 'steer', text: ' \n' }, 'empty_steer'],
      ['an empty follow-up', { type: 'follow_up', text: '' }, 'empty_follow_up'],
      ['a result nobody waits for', { type: 'answer', call_id: 'c9', result: 1, is_error: false }, 'call_unknown'],
    ]
  for (const [name, request, reason] of refusals) {
    test(`refuses ${name}`, async () => {
      const { runtime } = lab([[begun, 'hang']])
      const run = await runtime.start({ prompt: 'x' })
      await expect(run.send(request)).rejects.toMatchObject({ code: 'invalid_request', reason })
      await run.cancel()
    })
  }

  test('are refused once the run has ended, and when too many wait', async () => {
    const { runtime } = lab([[begun, 'hang'], says('x')])
    const run = await runtime.start({ prompt: 'x' })
    for (let i = 0; i < 100; i++) await run.send({ type: 'follow_up', text: String(i) })
    await expect(run.send({ type: 'steer', text: 'more' })).rejects.toMatchObject({
      code: 'overloaded',
      reason: 'inbox_full',
    })
    await run.cancel()
    await expect(run.send({ type: 'steer', text: 'late' })).rejects.toMatchObject({
      reason: 'no_active_run',
      status: 409,
    })
    await expect(runtime.send('nobody', { type: 'steer', text: 'x' })).rejects.toMatchObject({ reason: 'run_unknown' })
  })
})

describe("the caller's own tools", () => {
  test('their calls end the run with tool_calls; ours are run before', async () => {
    const ours: Tool = { ...spec('ours'), run: async () => 'ran' }
    const { runtime, provider } = lab([calls(['theirs', { a: 1 }], ['ours', {}])], { tools: [ours] })
    const run = await runtime.start({ prompt: 'x', tools: ['ours'], callerTools: [spec('theirs')] })
    expect(await storyOf(run)).toMatchObject([
      { type: 'tool.call', call_id: 'c1', tool_call: { name: 'theirs', input: { a: 1 } } },
      { type: 'tool.call', call_id: 'c2' },
      { type: 'tool.result', call_id: 'c2', tool_result: 'ran' },
      { type: 'step.end', finish_reason: 'tool_calls' },
      { type: 'turn.end', reason: 'tool_calls' },
      { type: 'finish', finish_reason: 'tool_calls' },
    ])
    expect(provider.requests[0]?.tools.map(({ name }) => name)).toEqual(['ours', 'theirs'])
  })

  test('their results begin the next run, in the session or with the whole conversation', async () => {
    const { runtime, provider } = lab([calls(['theirs', {}]), says('thanks'), says('thanks again')])
    const first = await runtime.start({ prompt: 'x', callerTools: [spec('theirs')] })
    await first.result()
    const result = { role: 'tool', call_id: 'c1', name: 'theirs', content: 'sunny', is_error: false } as const
    const second = await runtime.start({ sessionId: first.sessionId, messages: [result] })
    expect((await eventsOf(second))[1]).toEqual({ type: 'turn.start', turn: 1, kind: 'tool_result', message: result })
    const conversation = [
      { role: 'user', content: 'x' },
      { role: 'assistant', parts: [{ type: 'tool_call', call_id: 'c1', name: 'theirs', input: {} }] },
      result,
    ] as const
    expect(provider.requests[1]?.messages).toEqual(conversation)
    await (await runtime.start({ messages: conversation })).result()
    expect(provider.requests[2]?.messages).toEqual(conversation)
    expect((await second.header()).title).toBe('')
  })

  test('a result may also come while the run waits for it', async () => {
    const { runtime, provider } = lab([calls(['theirs', {}], ['theirs', {}]), says('thanks')])
    const run = await runtime.start({ prompt: 'x', callerTools: [spec('theirs')], callerResults: 'answer' })
    const told: string[] = []
    for await (const record of run.read()) {
      if (record.type === 'gap') throw new Error('a gap')
      for (const { event } of record.entries) {
        if (event.type !== 'tool.call') continue
        told.push(event.call_id)
        await run.send({
          type: 'answer',
          call_id: event.call_id,
          result: { n: told.length },
          is_error: told.length === 2,
        })
      }
    }
    expect(told).toEqual(['c1', 'c2'])
    expect(provider.requests[1]?.messages.slice(2)).toEqual([
      { role: 'tool', call_id: 'c1', name: 'theirs', content: { n: 1 }, is_error: false },
      { role: 'tool', call_id: 'c2', name: 'theirs', content: '{"n":2}', is_error: true },
    ])
  })

  test('one that waits for a result is ended by a cancel, and by its time', async () => {
    const { runtime, clock } = lab([calls(['theirs', {}]), says('well')])
    const options = { callerTools: [spec('theirs')], callerResults: 'answer' } as const
    const late = await runtime.start({ prompt: 'x', ...options })
    await clock.advance(0)
    await clock.advance(120_000)
    await clock.advance(1_500)
    expect((await storyOf(late)).find(({ type }) => type === 'tool.result')).toMatchObject({ is_error: true })
    const cancelled = await lab([calls(['theirs', {}])]).runtime.start({ prompt: 'x', ...options })
    expect(await cancelled.cancel()).toMatchObject({ status: 'cancelled' })
  })

  test('their arguments are not judged here: a pattern of theirs could hold the process up', async () => {
    const parameters = { type: 'object', properties: { s: { type: 'string', pattern: '^(a+)+$' } } } as const
    const { runtime } = lab([calls(['theirs', { s: `${'a'.repeat(40)}!` }]), says('thanks')])
    const run = await runtime.start({
      prompt: 'x',
      callerTools: [{ ...spec('theirs'), parameters }],
      callerResults: 'answer',
    })
    for await (const record of run.read()) {
      if (record.type === 'gap' || !record.entries.some(({ event }) => event.type === 'tool.call')) continue
      await run.send({ type: 'answer', call_id: 'c1', result: 'fine', is_error: false })
    }
    expect(await run.header()).toMatchObject({ status: 'completed' })
  })

  test('a name that one of ours has is refused', async () => {
    const { runtime } = lab([says('x')], { tools: [{ ...spec('both'), run: async () => null }] })
    const start = runtime.start({ prompt: 'x', tools: ['both'], callerTools: [spec('both')] })
    await expect(start).rejects.toMatchObject({ code: 'invalid_request', reason: 'bad_tool' })
  })
})

describe('those who watch a runtime', () => {
  test('are told of every event once, after it is durable, with how long that took', async () => {
    const told: string[] = []
    const provider = scriptedProvider([says('a', 'b')])
    const runtime = createRuntime({
      providers: { lab: provider },
      log: memoryLog(),
      observe: ({ start, events, appendMs, parentSpanId }) => {
        expect(appendMs).toBeGreaterThanOrEqual(0)
        expect(parentSpanId).toBe('00f067aa0ba902b7')
        told.push(...events.map(({ type }) => `${start.model} ${type}`))
      },
    })
    const run = await runtime.start({ model: 'lab/m', prompt: 'x', parentSpanId: '00f067aa0ba902b7' })
    const events = await eventsOf(run)
    expect(told).toEqual(events.map(({ type }) => `m ${type}`))
  })

  test('hear of every run that begins and ends here, until they no longer want to', async () => {
    const { runtime } = lab([says('a')])
    const told: string[] = []
    const stopWatching = runtime.watch(({ status, title }) => told.push(`${title}: ${status}`))
    await (await runtime.start({ prompt: 'one' })).result()
    await new Promise((resolve) => void setImmediate(resolve))
    stopWatching()
    await (await runtime.start({ prompt: 'two' })).result()
    expect(told.at(-1)).toBe('one: completed')
    expect(told.every((line) => line.startsWith('one'))).toBe(true)
  })

  test("a provider is told on whose behalf it is called, with the caller's trace", async () => {
    const seen: unknown[] = []
    const provider = scriptedProvider([says('a')])
    const runtime = createRuntime({
      providers: {
        lab: {
          ...provider,
          stream: (request, options) => (seen.push(options.caller), provider.stream(request, options)),
        },
      },
      log: memoryLog(),
    })
    const run = await runtime.start({
      model: 'lab/m',
      prompt: 'x',
      requestId: 'r-1',
      traceId: '4bf92f3577b34da6a3ce929d0e0e4736',
      parentSpanId: '00f067aa0ba902b7',
    })
    await run.result()
    const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
    expect(seen).toEqual([{ runId: run.id, sessionId: run.sessionId, requestId: 'r-1', traceparent }])
  })
})
