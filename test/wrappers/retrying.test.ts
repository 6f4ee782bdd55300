import { expect, test } from 'vitest'
import type { ProviderEvent } from '../../src/core/provider.ts'
import { fakeClock } from '../../src/testing/fake-clock.ts'
import { cutOff, says, scriptedProvider, type Script } from '../../src/testing/scripted-provider.ts'
import { retrying } from '../../src/wrappers/retrying.ts'
import { done, fails, heard, start, text, type Heard } from './lab.ts'

const answer = [start, text('Hi'), expect.objectContaining(done)]
const retry = (n: number, seconds: number, why: string, cause: string): unknown => ({
  type: 'warning',
  code: 'provider_retry',
  message: `scripted: attempt ${n} of 3 in ${seconds} s, after ${why}`,
  cause,
})

const cases: [name: string, scripts: readonly Script[], heard: { events: unknown[]; error?: string }, calls: number][] =
  [
    ['asks once where all is well', [says('Hi')], { events: answer }, 1],
    [
      'asks again after a temporary error, longer each time',
      [fails('overloaded'), fails('network'), says('Hi')],
      {
        events: [
          retry(2, 0.25, 'overloaded (overloaded)', 'overloaded'),
          retry(3, 0.5, 'network (network)', 'network'),
          ...answer,
        ],
      },
      3,
    ],
    [
      'waits as long as the provider asked for',
      [fails('rate_limited', { retryAfterMs: 7000 }), says('Hi')],
      { events: [retry(2, 7, 'rate_limited (rate_limited)', 'rate_limited'), ...answer] },
      2,
    ],
    [
      'does not wait for more than a minute',
      [fails('rate_limited', { retryAfterMs: 60_001 })],
      { events: [], error: 'rate_limited rate_limited' },
      1,
    ],
    [
      'gives up after its attempts',
      [fails('network')],
      { events: [expect.anything(), expect.anything()], error: 'network network' },
      3,
    ],
    [
      'does not ask again after an error that stays',
      [fails('unauthorized')],
      { events: [], error: 'unauthorized unauthorized' },
      1,
    ],
    [
      'forgets the start of an attempt that came to nothing, not what it told',
      [[[start, { type: 'status', code: 'loading', message: 'x' }], { throw: cutOff() }], says('Hi')],
      {
        events: [
          { type: 'status', code: 'loading', message: 'x' },
          retry(2, 0.25, 'network (stream_eof_before_done)', 'network'),
          ...answer,
        ],
      },
      2,
    ],
    [
      'does not ask again after content',
      [[[start], [text('Hi')], { throw: cutOff() }]],
      { events: [start, text('Hi')], error: 'network stream_eof_before_done' },
      1,
    ],
    [
      'takes a stream that ends without its end mark for broken',
      [[[start]], says('Hi')],
      { events: [retry(2, 0.25, 'network (stream_eof_before_done)', 'network'), ...answer] },
      2,
    ],
  ]

for (const [name, scripts, expected, calls] of cases) {
  test(`retrying ${name}`, async () => {
    const clock = fakeClock()
    const provider = scriptedProvider(scripts)
    const result = heard(retrying({ clock, random: () => 0.5 })(provider))
    for (let i = 0; i < 3; i++) await clock.advance(10_000)
    expect(await result).toEqual(expected)
    expect([provider.requests.length, provider.active, clock.pending]).toEqual([calls, 0, 0])
  })
}

test('retrying commits to an attempt that says much before its content, instead of holding it', async () => {
  const fields: ProviderEvent = { type: 'fields', fields: {} }
  const lines = Array.from({ length: 100 }, () => [fields])
  const { events, error } = await heard(retrying()(scriptedProvider([[[start], ...lines, { throw: cutOff() }]])))
  expect([events.length, error]).toEqual([101, 'network stream_eof_before_done'])
})

test('retrying ends its wait as soon as the call is aborted', async () => {
  const clock = fakeClock()
  const abort = new AbortController()
  const provider = scriptedProvider([fails('overloaded')])
  const result: Promise<Heard> = heard(retrying({ clock })(provider), {}, { signal: abort.signal })
  await clock.advance(1)
  const reason = new Error('off')
  abort.abort(reason)
  expect((await result).error).toBe(reason)
  expect([provider.requests.length, clock.pending]).toEqual([1, 0])
})
