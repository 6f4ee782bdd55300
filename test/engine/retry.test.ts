import { describe, expect, test } from 'vitest'
import { RunletError } from '../../src/core/error.ts'
import { textOf } from '../../src/core/message.ts'
import { retryDelayMs } from '../../src/core/retry.ts'
import { cutOff, says, type ScriptLine } from '../../src/testing/scripted-provider.ts'
import { lab, storyOf } from './lab.ts'

const busy = (retryAfterMs?: number) =>
  new RunletError('overloaded', { message: 'busy', ...(retryAfterMs === undefined ? {} : { retryAfterMs }) })
const begun: ScriptLine = [{ type: 'start', model: 'm' }]

describe('a step that fails before its first content', () => {
  test('is tried again, told by a warning, and the answer is whole', async () => {
    const { runtime, provider, clock } = lab([[{ throw: busy() }], [begun, { throw: cutOff() }], says('fine')])
    const run = await runtime.start({ prompt: 'x' })
    await clock.advance(10_000)
    expect(await storyOf(run)).toMatchObject([
      {
        type: 'warning',
        code: 'provider_retry',
        message: expect.stringMatching(/^lab: attempt 2 of 3 in .* after overloaded/),
      },
      {
        type: 'warning',
        code: 'provider_retry',
        message: expect.stringMatching(/^lab: attempt 3 of 3 in .* after network/),
      },
      { type: 'text.delta', text: 'fine' },
      { type: 'step.end' },
      { type: 'turn.end' },
      { type: 'finish', finish_reason: 'stop' },
    ])
    expect(provider.requests).toHaveLength(3)
  })

  test('is given up after three attempts with the last error', async () => {
    const { runtime, provider, clock } = lab([[{ throw: busy() }]])
    const run = await runtime.start({ prompt: 'x' })
    await clock.advance(60_000)
    await expect(run.result()).rejects.toMatchObject({ code: 'overloaded' })
    expect(provider.requests).toHaveLength(3)
  })

  test('waits as long as the provider asked for, and not less', async () => {
    const { runtime, provider, clock } = lab([[{ throw: busy(20_000) }], says('fine')])
    const run = await runtime.start({ prompt: 'x' })
    await clock.advance(19_999)
    expect(provider.requests).toHaveLength(1)
    await clock.advance(1)
    expect(textOf(await run.result())).toBe('fine')
  })

  test('is not repeated when the error says that it would not help', async () => {
    const { runtime, provider } = lab([[{ throw: new RunletError('unauthorized', { message: 'bad key' }) }]])
    const run = await runtime.start({ prompt: 'x' })
    await expect(run.result()).rejects.toMatchObject({ code: 'unauthorized' })
    expect(provider.requests).toHaveLength(1)
  })
})

describe('a step that breaks off after content', () => {
  const broken: ScriptLine[] = [begun, [{ type: 'text', text: 'wrong ' }], { throw: cutOff() }]

  test('fails at once, and nothing is repeated', async () => {
    const { runtime, provider, clock } = lab([broken, says('never')])
    const run = await runtime.start({ prompt: 'x' })
    await clock.advance(60_000)
    await expect(run.result()).rejects.toMatchObject({ reason: 'stream_eof_before_done' })
    expect(provider.requests).toHaveLength(1)
  })

  test('is voided and done again where the caller asked for that, and text() shows only what stands', async () => {
    const { runtime, provider, clock } = lab([broken, says('right')])
    const run = await runtime.start({ prompt: 'x', onInterrupt: 'restart' })
    await clock.advance(60_000)
    expect(await storyOf(run)).toMatchObject([
      { type: 'text.delta', text: 'wrong ' },
      { type: 'step.reset', step: 1, attempt: 2, reason: 'stream_eof_before_done' },
      { type: 'warning', code: 'provider_retry' },
      { type: 'text.delta', text: 'right' },
      { type: 'step.end' },
      { type: 'turn.end' },
      { type: 'finish' },
    ])
    const pieces: string[] = []
    for await (const piece of run.text()) pieces.push(piece)
    expect(pieces).toEqual(['right'])
    expect(provider.requests[1]?.messages).toEqual([{ role: 'user', content: 'x' }])
  })
})

describe('the delay', () => {
  const attempts = 3
  const random = () => 0.5
  const cases: [name: string, error: RunletError, attempt: number, expected: number | undefined][] = [
    ['doubles', busy(), 1, 250],
    ['doubles', busy(), 2, 500],
    ['ends with the attempts', busy(), 3, undefined],
    ['is what the provider asked for', busy(7), 2, 7],
    ['is none where the provider asks for more than a minute', busy(60_001), 1, undefined],
    ['is none for an error that stays', new RunletError('forbidden', { message: '' }), 1, undefined],
  ]
  for (const [name, error, attempt, expected] of cases) {
    test(`${name} (attempt ${attempt}, ${expected} ms)`, () => {
      expect(retryDelayMs(error, { attempt, attempts, random })).toBe(expected)
    })
  }

  test('is spread by a quarter to each side', () => {
    const spread = [0, 1].map((at) => retryDelayMs(busy(), { attempt: 1, attempts, random: () => at }))
    expect(spread).toEqual([188, 313])
  })
})
