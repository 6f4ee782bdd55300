import { describe, expect, test } from 'vitest'
import { textOf } from '../../src/core/message.ts'
import { says, usage } from '../../src/testing/scripted-provider.ts'
import { entriesOf, eventsOf, lab, storyOf } from './lab.ts'

describe('a run', () => {
  test('is one log of events, from start to finish, with whitespace kept', async () => {
    const { runtime } = lab([says('Hel', 'lo', ' ', '\n')])
    const run = await runtime.start({ prompt: 'greet' })
    expect(await eventsOf(run)).toEqual([
      {
        type: 'start',
        trace_id: expect.any(String),
        request_id: expect.any(String),
        run_id: run.id,
        session_id: run.sessionId,
        provider: 'lab',
        model: 'scripted',
        durability: 'memory',
        capabilities: ['tools', 'reasoning', 'usage'],
      },
      { type: 'turn.start', turn: 1, kind: 'prompt', message: { role: 'user', content: 'greet' } },
      { type: 'step.start', step: 1, attempt: 1 },
      { type: 'text.delta', step: 1, text: 'Hel' },
      { type: 'text.delta', step: 1, text: 'lo' },
      { type: 'text.delta', step: 1, text: ' ' },
      { type: 'text.delta', step: 1, text: '\n' },
      { type: 'step.end', step: 1, finish_reason: 'stop', usage: usage(3, 4) },
      { type: 'turn.end', turn: 1, reason: 'stop' },
      { type: 'finish', usage: usage(3, 4), finish_reason: 'stop' },
    ])
    expect(await run.header()).toMatchObject({ status: 'completed', finish_reason: 'stop', title: 'greet' })
  })

  test('goes on without readers, and gives each of them the same events whenever they come', async () => {
    const { runtime, provider } = lab([says('a', 'b', 'c')])
    const run = await runtime.start({ prompt: 'x' })
    await run.result()
    expect(provider.active).toBe(0)
    const late = await runtime.find(run.id)
    expect(await entriesOf(late)).toEqual(await entriesOf(run))
  })

  test('gives its text piece by piece and its answer at the end', async () => {
    const { runtime } = lab([says('one ', 'two')])
    const run = await runtime.start({ prompt: 'x' })
    let text = ''
    for await (const piece of run.text()) text += piece
    expect(text).toBe('one two')
    expect(textOf(await run.result())).toBe('one two')
  })

  test('whose provider ends without its end mark has failed, and keeps what came', async () => {
    const { runtime } = lab([[[{ type: 'start', model: 'm' }], [{ type: 'text', text: 'half an ans' }]]])
    const run = await runtime.start({ prompt: 'x' })
    expect(await storyOf(run)).toMatchObject([
      { type: 'text.delta', text: 'half an ans' },
      { type: 'error', error: { code: 'network', reason: 'stream_eof_before_done', temporary: true } },
    ])
    await expect(run.result()).rejects.toMatchObject({ code: 'network', reason: 'stream_eof_before_done' })
    expect((await run.view()).messages.at(-1)).toEqual({
      role: 'assistant',
      parts: [{ type: 'text', text: 'half an ans' }],
    })
  })

  test('ends as internal when a provider throws what is no RunletError, and tells its text to the log only', async () => {
    const { runtime, diagnostics } = lab([[{ throw: new TypeError('secret sk-123') }]])
    const run = await runtime.start({ prompt: 'x' })
    const ending = (await eventsOf(run)).at(-1)
    expect(ending).toMatchObject({ type: 'error', error: { code: 'internal', reason: 'unexpected' } })
    expect(JSON.stringify(ending)).not.toContain('sk-123')
    expect(diagnostics).toMatchObject([{ code: 'unexpected', run_id: run.id, cause: { message: 'secret sk-123' } }])
  })

  test('whose provider breaks the legal order ends with an error, and the log stays legal', async () => {
    const call = { type: 'tool_call', call_id: 'same', name: 'x', input: {} } as const
    const { runtime } = lab([[[{ type: 'start', model: 'm' }], [call, call], [{ type: 'done', reason: 'stop' }]]])
    const run = await runtime.start({ prompt: 'x' })
    expect((await eventsOf(run)).at(-1)).toMatchObject({ type: 'error', error: { reason: 'illegal_order' } })
  })

  test('stopped for length is finished with `length`, without an error', async () => {
    const { runtime } = lab([
      [[{ type: 'start', model: 'm' }], [{ type: 'text', text: 'cut' }], [{ type: 'done', reason: 'length' }]],
    ])
    const run = await runtime.start({ prompt: 'x' })
    expect((await eventsOf(run)).at(-1)).toMatchObject({
      type: 'finish',
      finish_reason: 'length',
      usage: { accuracy: 'estimated' },
    })
  })
})

describe('a request', () => {
  const refused: [name: string, request: object, code: string, reason: string][] = [
    ['without a prompt', {}, 'invalid_request', 'empty_prompt'],
    ['with blanks for a prompt', { prompt: ' \n' }, 'invalid_request', 'empty_prompt'],
    [
      'whose messages end with the assistant',
      { messages: [{ role: 'assistant', parts: [] }] },
      'invalid_request',
      'empty_prompt',
    ],
    ['for a provider that is not there', { prompt: 'x', model: 'nope/m' }, 'not_found', 'model_unknown'],
    ['for a model without a provider', { prompt: 'x', model: 'gpt' }, 'not_found', 'model_unknown'],
    ['for the prototype of the providers', { prompt: 'x', model: 'constructor/m' }, 'not_found', 'model_unknown'],
    ['with a tool that is not there', { prompt: 'x', tools: ['rm'] }, 'invalid_request', 'tool_unknown'],
    ['in a session that is not there', { prompt: 'x', sessionId: 'nope' }, 'not_found', 'session_unknown'],
  ]
  for (const [name, request, code, reason] of refused) {
    test(`${name} is refused, and nothing is stored`, async () => {
      const { runtime } = lab([says('x')])
      await expect(runtime.start(request)).rejects.toMatchObject({ code, reason })
      expect(await runtime.list()).toEqual([])
    })
  }

  test('reaches the provider with system, conversation and prompt in order', async () => {
    const { runtime, provider } = lab([says('ok')])
    const run = await runtime.start({
      system: 'be brief',
      messages: [
        { role: 'user', content: 'one' },
        { role: 'assistant', parts: [{ type: 'text', text: 'two' }] },
      ],
      prompt: 'three',
      options: { temperature: 0 },
    })
    await run.result()
    expect(provider.requests).toEqual([
      {
        model: 'scripted',
        messages: [
          { role: 'system', content: 'be brief' },
          { role: 'user', content: 'one' },
          { role: 'assistant', parts: [{ type: 'text', text: 'two' }] },
          { role: 'user', content: 'three' },
        ],
        tools: [],
        options: { temperature: 0 },
      },
    ])
  })
})

describe('a session', () => {
  test('carries the conversation and the model on, and lets a new system message replace the old one', async () => {
    const { runtime, provider } = lab([says('first'), says('second'), says('third')])
    const one = await runtime.start({ prompt: 'a', system: 'old', model: 'lab/special' })
    await one.result()
    const two = await runtime.start({ prompt: 'b', sessionId: one.sessionId })
    await two.result()
    const three = await runtime.start({ prompt: 'c', sessionId: one.sessionId, system: 'new' })
    await three.result()
    expect(provider.requests[2]).toMatchObject({
      model: 'special',
      messages: [
        { role: 'system', content: 'new' },
        { role: 'user', content: 'a' },
        { role: 'assistant', parts: [{ type: 'text', text: 'first' }] },
        { role: 'user', content: 'b' },
        { role: 'assistant', parts: [{ type: 'text', text: 'second' }] },
        { role: 'user', content: 'c' },
      ],
    })
    expect(provider.requests[1]?.messages[0]).toEqual({ role: 'system', content: 'old' })
  })

  test('refuses a second run while one is going on, also when both are asked for at once', async () => {
    const { runtime } = lab([says('first'), [[{ type: 'start', model: 'm' }], 'hang']])
    const one = await runtime.start({ prompt: 'a' })
    await one.result()
    const again = [1, 2].map(() => runtime.start({ prompt: 'b', sessionId: one.sessionId }))
    const outcomes = await Promise.allSettled(again)
    expect(outcomes.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected'])
    await expect(runtime.start({ prompt: 'c', sessionId: one.sessionId })).rejects.toMatchObject({
      status: 409,
      reason: 'run_in_progress',
    })
    await runtime.close()
  })

  test('goes on without the runs that retention took', async () => {
    const { runtime, provider, log, clock } = lab([says('first'), says('second'), says('third')])
    const one = await runtime.start({ prompt: 'a' })
    await one.result()
    await clock.advance(1_000)
    await (await runtime.start({ prompt: 'b', sessionId: one.sessionId })).result()
    expect(await log.prune({ maxAgeMs: 500 })).toMatchObject({ runs: 1 })
    await (await runtime.start({ prompt: 'c', sessionId: one.sessionId })).result()
    expect(provider.requests[2]?.messages.map(textOf)).toEqual(['b', 'second', 'c'])
  })

  test('leaves out a run that failed in silence, so that its prompt does not stand there twice', async () => {
    const { runtime, provider } = lab([says('hello'), [{ throw: new Error('down') }], says('back')])
    const one = await runtime.start({ prompt: 'a' })
    await one.result()
    const failed = await runtime.start({ prompt: 'b', sessionId: one.sessionId })
    await expect(failed.result()).rejects.toThrow()
    const again = await runtime.start({ prompt: 'b', sessionId: one.sessionId })
    await again.result()
    expect(provider.requests[2]?.messages.map(textOf)).toEqual(['a', 'hello', 'b'])
  })
})

describe('a key', () => {
  const claim = (fingerprint: string) => ({ key: 'k', scope: 's', fingerprint, expires_at: Number.MAX_SAFE_INTEGER })

  test('makes equal requests one run and one call of the provider, however many come at once', async () => {
    const { runtime, provider } = lab([says('once')])
    const runs = await Promise.all(
      Array.from({ length: 50 }, () => runtime.start({ prompt: 'x', idempotency: claim('f') })),
    )
    expect(new Set(runs.map(({ id }) => id)).size).toBe(1)
    expect(runs.filter(({ replayed }) => !replayed)).toHaveLength(1)
    await runs[0]!.result()
    expect(provider.requests).toHaveLength(1)
  })

  test('joins its run also while that keeps the session busy, and when all come at once', async () => {
    const { runtime, provider } = lab([says('first'), [[{ type: 'start', model: 'm' }], 'hang']])
    const { sessionId } = await runtime.start({ prompt: 'a' })
    await (await runtime.find((await runtime.list())[0]!.run_id)).result()
    const request = { prompt: 'b', sessionId, idempotency: claim('f') }
    const runs = await Promise.all([1, 2, 3].map(() => runtime.start(request)))
    runs.push(await runtime.start(request))
    expect(new Set(runs.map(({ id }) => id)).size).toBe(1)
    expect(provider.requests).toHaveLength(2)
    await runtime.close()
  })

  test('with another request behind it is a conflict', async () => {
    const { runtime } = lab([says('once')])
    await runtime.start({ prompt: 'x', idempotency: claim('f') })
    await expect(runtime.start({ prompt: 'y', idempotency: claim('g') })).rejects.toMatchObject({
      status: 422,
      reason: 'idempotency_conflict',
    })
  })
})
