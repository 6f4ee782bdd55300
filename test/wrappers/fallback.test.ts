import { expect, test } from 'vitest'
import type { Provider } from '../../src/core/provider.ts'
import { fakeClock } from '../../src/testing/fake-clock.ts'
import { cutOff, says, scriptedProvider, type Script } from '../../src/testing/scripted-provider.ts'
import { fallback, type FallbackOptions } from '../../src/wrappers/fallback.ts'
import { fails, heard, start, text } from './lab.ts'

function of(scripts: readonly Script[], options: FallbackOptions = {}) {
  const providers = scripts.map((script) => scriptedProvider([script]))
  const candidates = providers.map((provider, i) => ({ name: 'abc'[i]!, provider, model: `m${i}` }))
  return { provider: fallback(candidates, options), providers }
}

const change = (from: string, to: string, why: string, cause: string) => ({
  type: 'warning',
  code: 'provider_fallback',
  message: `${from} failed with ${why}; asking ${to}`,
  cause,
})
const saidBy = (name: string, words: string) => [
  { type: 'start', model: `${name}/scripted` },
  text(words),
  expect.objectContaining({ type: 'done' }),
]

const cases: [
  name: string,
  scripts: readonly Script[],
  heard: { events: unknown[]; error?: string },
  asked: number[],
][] = [
  ['asks the first', [says('A'), says('B')], { events: saidBy('a', 'A') }, [1, 0]],
  [
    'asks the next after a temporary error, and tells it',
    [fails('overloaded'), fails('timeout'), says('C')],
    {
      events: [
        change('a/m0', 'b/m1', 'overloaded (overloaded)', 'overloaded'),
        change('b/m1', 'c/m2', 'timeout (timeout)', 'timeout'),
        ...saidBy('c', 'C'),
      ],
    },
    [1, 1, 1],
  ],
  [
    'asks the next where an account is used up',
    [fails('rate_limited', { temporary: false }), says('B')],
    { events: [change('a/m0', 'b/m1', 'rate_limited (rate_limited)', 'rate_limited'), ...saidBy('b', 'B')] },
    [1, 1],
  ],
  [
    'forgets the start of one that came to nothing',
    [[[start], { throw: cutOff() }], says('B')],
    { events: [change('a/m0', 'b/m1', 'network (stream_eof_before_done)', 'network'), ...saidBy('b', 'B')] },
    [1, 1],
  ],
  [
    'asks nobody else after an error that stays',
    [fails('unauthorized'), says('B')],
    { events: [], error: 'unauthorized unauthorized' },
    [1, 0],
  ],
  [
    'asks nobody else after content',
    [[[start], [text('A')], { throw: cutOff() }], says('B')],
    { events: [{ type: 'start', model: 'a/scripted' }, text('A')], error: 'network stream_eof_before_done' },
    [1, 0],
  ],
  [
    'throws the error of the last',
    [fails('overloaded'), fails('network')],
    { events: [change('a/m0', 'b/m1', 'overloaded (overloaded)', 'overloaded')], error: 'network network' },
    [1, 1],
  ],
]

for (const [name, scripts, expected, asked] of cases) {
  test(`fallback ${name}`, async () => {
    const { provider, providers } = of(scripts)
    expect(await heard(provider)).toEqual(expected)
    expect(providers.map(({ requests, active }) => [requests.length, active])).toEqual(asked.map((n) => [n, 0]))
    for (const [i, { requests }] of providers.entries()) {
      expect(requests.map(({ model }) => model)).toEqual(requests.map(() => `m${i}`))
    }
  })
}

test('fallback begins with the candidate that the request names, and with the first for any other name', async () => {
  const { provider } = of([says('A'), fails('overloaded'), says('C')])
  const texts = async (model: string) => (await heard(provider, { model })).events.filter(({ type }) => type !== 'done')
  expect(await texts('b/m1')).toEqual([
    change('b/m1', 'a/m0', 'overloaded (overloaded)', 'overloaded'),
    { type: 'start', model: 'a/scripted' },
    text('A'),
  ])
  expect(await texts('gone')).toEqual([{ type: 'start', model: 'a/scripted' }, text('A')])
})

test('fallback can do what all candidates can, and lists them', async () => {
  const can = (...capabilities: Provider['capabilities']): Provider => ({ ...scriptedProvider([says()]), capabilities })
  const provider = fallback([
    { name: 'a', provider: can('tools', 'usage', 'reasoning'), model: 'x/y' },
    { name: 'b', provider: can('usage', 'tools'), model: 'z' },
  ])
  expect(provider.capabilities).toEqual(['tools', 'usage'])
  expect(await provider.models({ signal: new AbortController().signal })).toEqual([{ id: 'a/x/y' }, { id: 'b/z' }])
  expect(() => fallback([])).toThrow(expect.objectContaining({ reason: 'no_candidates' }))
})

test('fallback goes on from a candidate that says nothing, and waits for the last', async () => {
  const clock = fakeClock()
  const silent: Script = [[start], { wait: new Promise(() => {}) }]
  const { provider, providers } = of([silent, says('B')], { firstContentMs: 5000, clock })
  const result = heard(provider)
  await clock.advance(5000)
  expect(await result).toEqual({
    events: [change('a/m0', 'b/m1', 'timeout (first_content_timeout)', 'timeout'), ...saidBy('b', 'B')],
  })
  expect([providers[0]!.active, clock.pending]).toEqual([0, 0])
})

test('fallback leaves a candidate alone that has begun to answer', async () => {
  const clock = fakeClock()
  let go!: () => void
  const slow: Script = [
    [start, text('A')],
    { wait: new Promise<void>((resolve) => (go = resolve)) },
    [{ type: 'done', reason: 'stop' }],
  ]
  const { provider } = of([slow, says('B')], { firstContentMs: 5000, clock })
  const result = heard(provider)
  await clock.advance(60_000)
  go()
  expect((await result).events).toEqual([
    { type: 'start', model: 'a/scripted' },
    text('A'),
    { type: 'done', reason: 'stop' },
  ])
})

test('fallback asks nobody else when the call is aborted', async () => {
  const abort = new AbortController()
  const { provider, providers } = of([[{ wait: new Promise(() => {}) }], says('B')])
  const result = heard(provider, {}, { signal: abort.signal })
  const reason = new Error('off')
  setImmediate(() => abort.abort(reason))
  expect(await result).toEqual({ events: [], error: reason })
  expect(providers.map(({ requests }) => requests.length)).toEqual([1, 0])
})
