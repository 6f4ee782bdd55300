import { describe, expect, test } from 'vitest'
import type { JsonObject, JsonValue } from '../../src/core/json.ts'
import type { Tool } from '../../src/core/tool.ts'
import { says, type ScriptLine } from '../../src/testing/scripted-provider.ts'
import { gate, lab, storyOf } from './lab.ts'

const begun: ScriptLine = [{ type: 'start', model: 'm' }]

function calls(...asked: [name: string, input: JsonObject][]): ScriptLine[] {
  return [
    begun,
    asked.map(([name, input], i) => ({ type: 'tool_call', call_id: `c${i + 1}`, name, input })),
    [{ type: 'done', reason: 'tool_calls' }],
  ]
}

const tool = (name: string, run: Tool['run'], more: Partial<Tool> = {}): Tool => ({
  name,
  description: `the ${name}`,
  parameters: { type: 'object', properties: { n: { type: 'number' } }, additionalProperties: false },
  run,
  ...more,
})

describe('the tool loop', () => {
  test('calls, executes, feeds back and continues', async () => {
    const double = tool('double', async ({ n }) => Number(n) * 2)
    const { runtime, provider } = lab([calls(['double', { n: 21 }]), says('it is 42')], { tools: [double] })
    const run = await runtime.start({ prompt: 'x', tools: ['double'] })
    expect(await storyOf(run)).toMatchObject([
      { type: 'tool.call', step: 1, call_id: 'c1', tool_call: { name: 'double', input: { n: 21 } } },
      { type: 'tool.result', step: 1, call_id: 'c1', name: 'double', tool_result: 42, is_error: false, duration_ms: 0 },
      { type: 'step.end', step: 1, finish_reason: 'tool_calls' },
      { type: 'step.start', step: 2, attempt: 1 },
      { type: 'text.delta', step: 2, text: 'it is 42' },
      { type: 'step.end', step: 2, finish_reason: 'stop' },
      { type: 'turn.end', reason: 'stop' },
      { type: 'finish', finish_reason: 'stop' },
    ])
    expect(provider.requests[0]?.tools).toEqual([
      { name: 'double', description: 'the double', parameters: double.parameters },
    ])
    expect(provider.requests[1]?.messages).toEqual([
      { role: 'user', content: 'x' },
      { role: 'assistant', parts: [{ type: 'tool_call', call_id: 'c1', name: 'double', input: { n: 21 } }] },
      { role: 'tool', call_id: 'c1', name: 'double', content: 42, is_error: false },
    ])
  })

  test('runs the calls of a step at once and writes their results in call order', async () => {
    const gates: Record<string, ReturnType<typeof gate<string>>> = { a: gate<string>(), b: gate<string>() }
    const order: string[] = []
    const named = (name: string) =>
      tool(name, async () => {
        order.push(name)
        return gates[name]!.promise
      })
    const script = calls(['a', {}], ['b', {}])
    const { runtime, clock } = lab([script, says('ok')], { tools: [named('a'), named('b')] })
    const run = await runtime.start({ prompt: 'x', tools: ['a', 'b'] })
    await clock.advance(0)
    expect(order).toEqual(['a', 'b'])
    gates['b']!.open('second')
    await clock.advance(7)
    gates['a']!.open('first')
    const results = (await storyOf(run)).filter((event) => event.type === 'tool.result')
    expect(results).toMatchObject([
      { call_id: 'c1', tool_result: 'first', duration_ms: 7 },
      { call_id: 'c2', tool_result: 'second', duration_ms: 0 },
    ])
  })

  test('has at most the given number of calls at work', async () => {
    let atWork = 0
    let most = 0
    const count = tool('count', async () => {
      most = Math.max(most, ++atWork)
      await new Promise((resolve) => void setImmediate(resolve))
      atWork--
      return null
    })
    const script = calls(...Array.from({ length: 10 }, (): [string, JsonObject] => ['count', {}]))
    const { runtime } = lab([script, says('ok')], { tools: [count], limits: { parallelTools: 3 } })
    await (await runtime.start({ prompt: 'x', tools: ['count'] })).result()
    expect(most).toBe(3)
  })

  const mistakes: [name: string, asked: [string, JsonObject], result: JsonValue | RegExp][] = [
    ['a tool that is not there', ['nope', {}], 'there is no tool "nope"; available: fails, picky, silent, strange'],
    [
      'a tool of the prototype',
      ['__proto__', {}],
      'there is no tool "__proto__"; available: fails, picky, silent, strange',
    ],
    ['a tool that fails', ['fails', {}], 'the disk is on fire'],
    ['arguments that do not fit', ['picky', { n: 'x', m: 1 }], /arguments do not fit.*n: .*expected number/],
    ['a result that is no JSON', ['strange', {}], 'strange returned a function, which is not JSON'],
  ]
  for (const [name, asked, result] of mistakes) {
    test(`tells the model of ${name}, and goes on`, async () => {
      const tools = [
        tool('fails', async () => {
          throw new Error('the disk is on fire')
        }),
        tool('picky', async () => 'never'),
        tool('silent', async () => undefined as unknown as JsonValue),
        tool('strange', async () => (() => {}) as unknown as JsonValue),
      ]
      const { runtime } = lab([calls(asked), says('ok')], { tools })
      const run = await runtime.start({ prompt: 'x', tools: tools.map((one) => one.name) })
      const event = (await storyOf(run)).find(({ type }) => type === 'tool.result')
      expect(event).toMatchObject({
        is_error: true,
        tool_result: result instanceof RegExp ? expect.stringMatching(result) : result,
      })
      expect((await run.header()).status).toBe('completed')
    })
  }

  test('shows progress as it happens', async () => {
    const go = gate()
    const chatty = tool('chatty', async (_, { progress }) => {
      progress('10 %')
      progress('')
      await go.promise
      progress('99 %')
      return 'done'
    })
    const { runtime, clock } = lab([calls(['chatty', {}]), says('ok')], { tools: [chatty] })
    const run = await runtime.start({ prompt: 'x', tools: ['chatty'] })
    await clock.advance(0)
    expect((await run.view()).seq).toBe(5)
    go.open()
    expect(await storyOf(run)).toMatchObject([
      { type: 'tool.call' },
      { type: 'tool.progress', text: '10 %' },
      { type: 'tool.progress', text: '99 %' },
      { type: 'tool.result', tool_result: 'done' },
      { type: 'step.end' },
      { type: 'step.start' },
      { type: 'text.delta' },
      { type: 'step.end' },
      { type: 'turn.end' },
      { type: 'finish' },
    ])
  })

  test('is cut at the limit of steps', async () => {
    const again = tool('again', async () => 'again')
    const { runtime, provider } = lab([calls(['again', {}])], { tools: [again] })
    const run = await runtime.start({ prompt: 'x', tools: ['again'] })
    expect((await storyOf(run)).slice(-3)).toMatchObject([
      { type: 'warning', code: 'tool_loop_limit_exceeded' },
      { type: 'turn.end', reason: 'tool_limit' },
      { type: 'finish', finish_reason: 'tool_limit' },
    ])
    expect(provider.requests).toHaveLength(8)
  })

  test('stops a tool at its time limit and tells the model', async () => {
    const stuck = tool(
      'stuck',
      (_, { signal }) =>
        new Promise((_, reject) => {
          signal.addEventListener('abort', () => reject(new Error('aborted')))
        }),
      { timeoutMs: 3_000 },
    )
    const { runtime, clock } = lab([calls(['stuck', {}]), says('ok')], { tools: [stuck] })
    const run = await runtime.start({ prompt: 'x', tools: ['stuck'] })
    await clock.advance(3_000)
    const event = (await storyOf(run)).find(({ type }) => type === 'tool.result')
    expect(event).toMatchObject({ is_error: true, tool_result: 'stuck did not finish within 3 s', duration_ms: 3_000 })
  })

  test('never executes a call of an answer that was cut for length', async () => {
    let ran = false
    const danger = tool('danger', async () => {
      ran = true
      return null
    })
    const script: ScriptLine[] = [
      begun,
      [{ type: 'tool_call', call_id: 'c1', name: 'danger', input: {} }],
      [{ type: 'done', reason: 'length' }],
    ]
    const { runtime } = lab([script], { tools: [danger] })
    const run = await runtime.start({ prompt: 'x', tools: ['danger'] })
    await run.result().catch(() => {})
    expect(ran).toBe(false)
  })

  test('writes the intent before the tool starts', async () => {
    const seen: number[] = []
    const look: { seq?: () => Promise<number> } = {}
    const spy = tool('spy', async () => {
      seen.push(await look.seq!())
      return null
    })
    const { runtime } = lab([calls(['spy', {}]), says('ok')], { tools: [spy] })
    const starting = runtime.start({ prompt: 'x', tools: ['spy'] })
    look.seq = async () => (await (await starting).view()).seq
    await (await starting).result()
    expect(seen).toEqual([4])
  })

  test('closes an open call in the history of the session', async () => {
    const stuck = tool('stuck', () => new Promise(() => {}))
    const { runtime, provider, clock } = lab([calls(['stuck', {}]), says('ok')], { tools: [stuck] })
    const run = await runtime.start({ prompt: 'x', tools: ['stuck'] })
    await clock.advance(0)
    const cancelled = run.cancel()
    await clock.advance(2_000)
    await cancelled
    await (await runtime.start({ prompt: 'y', sessionId: run.sessionId })).result()
    expect(provider.requests[1]?.messages.slice(1)).toEqual([
      { role: 'assistant', parts: [{ type: 'tool_call', call_id: 'c1', name: 'stuck', input: {} }] },
      { role: 'tool', call_id: 'c1', name: 'stuck', content: expect.stringContaining('is unknown'), is_error: true },
      { role: 'user', content: 'y' },
    ])
  })
})

describe('tools are refused', () => {
  const bad: [name: string, tools: Tool[]][] = [
    ['with a bad name', [tool('a b', async () => null)]],
    ['with the name of another', [tool('a', async () => null), tool('a', async () => null)]],
    ['with a schema that is none', [tool('a', async () => null, { parameters: { type: 'nonsense' } })]],
  ]
  for (const [name, tools] of bad) {
    test(name, () => {
      expect(() => lab([], { tools })).toThrow(expect.objectContaining({ code: 'invalid_request', reason: 'bad_tool' }))
    })
  }
})
