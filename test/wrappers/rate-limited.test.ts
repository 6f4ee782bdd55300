import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { RunletError } from '../../src/core/error.ts'
import type { Allowance, CallOptions, Provider, ProviderEvent, ProviderLimits } from '../../src/core/provider.ts'
import { fakeClock } from '../../src/testing/fake-clock.ts'
import { says, scriptedProvider, usage } from '../../src/testing/scripted-provider.ts'
import { rateLimited, type RateLimitOptions } from '../../src/wrappers/rate-limited.ts'
import { rateWindow } from '../../src/wrappers/rate/window.ts'
import { toldLimit } from '../../src/wrappers/rate/told.ts'
import { caller, done, heard, request, start, text, type Heard } from './lab.ts'

const queued = { type: 'status', code: 'queued', message: 'waiting for its turn under the rate limit of this provider' }

/** A provider that answers at once, with limits and usage of a test's choice, and notes who asked when. */
function stage(
  options: RateLimitOptions,
  tells: (n: number) => { limits?: ProviderLimits; tokens?: number; throws?: unknown } = () => ({}),
) {
  const clock = fakeClock()
  const begun = clock.now()
  const asked: string[] = []
  const provider: Provider = {
    ...scriptedProvider([says()]),
    async *stream(_, { caller: by, onLimits, signal }) {
      signal.throwIfAborted()
      asked.push(`${by?.sessionId ?? ''}@${(clock.now() - begun) / 1000}`)
      const { limits, tokens = 2, throws } = tells(asked.length)
      if (limits) onLimits?.(limits)
      if (throws) throw throws
      yield [start, text('Hi')]
      yield [{ ...done, usage: usage(1, tokens - 1) }] as ProviderEvent[]
    },
  }
  const wrapped = rateLimited({ clock, ...options })(provider)
  const ask = (session: string, more: Partial<CallOptions> = {}, asking = {}) =>
    heard(wrapped, asking, { caller: caller(session), ...more })
  return { clock, asked, ask, wrapped }
}

const begun = (provider: Provider) =>
  provider.stream(request(), { signal: new AbortController().signal })[Symbol.asyncIterator]()

const isFine = ({ error, events }: Heard) => error === undefined && events.some(({ type }) => type === 'done')

describe('rateLimited', () => {
  test('lets no more requests through in a minute than it is set to, and the others when it is over', async () => {
    const { clock, asked, ask } = stage({ requestsPerMinute: 2, maxWaitMs: 200_000 })
    const calls = ['a', 'a', 'a', 'a', 'a'].map((session) => ask(session))
    await clock.advance(121_000)
    expect(asked).toEqual(['a@0', 'a@0', 'a@60.1', 'a@60.1', 'a@120.2'])
    const results = await Promise.all(calls)
    expect(results.map(isFine)).toEqual([true, true, true, true, true])
    expect(results.map(({ events }) => events[0]!.type)).toEqual(['start', 'start', 'status', 'status', 'status'])
    expect(results[2]!.events[0]).toEqual(queued)
    expect(clock.pending).toBe(0)
  })

  test('says nothing of a wait of a moment', async () => {
    const { clock, ask } = stage({ requestsPerMinute: 1, maxWaitMs: 200_000 })
    await ask('a')
    await clock.advance(59_900)
    const result = ask('a')
    await clock.advance(200)
    expect((await result).events.map(({ type }) => type)).toEqual(['start', 'text', 'done'])
  })

  test('lets sessions take turns: one with many requests does not go before one with one', async () => {
    const { clock, asked, ask } = stage({ requestsPerMinute: 1, maxWaitMs: 10_000_000 })
    const calls = ['big', 'big', 'big', 'big', 'small', 'tiny', 'small'].map((session) => ask(session))
    await clock.advance(500_000)
    expect(asked.map((who) => who.split('@')[0])).toEqual(['big', 'big', 'small', 'tiny', 'big', 'small', 'big'])
    expect((await Promise.all(calls)).every(isFine)).toBe(true)
  })

  test('counts tokens as estimated while an answer is under way, and as told when it is over', async () => {
    const { clock, asked, ask } = stage({ tokensPerMinute: 1000, maxWaitMs: 100_000 }, (n) => ({
      tokens: n === 1 ? 900 : 10,
    }))
    const long = { messages: [{ role: 'user' as const, content: 'x'.repeat(2000) }] }
    expect(isFine(await ask('a', {}, long))).toBe(true)
    const second = ask('a', {}, long)
    const third = ask('b')
    await clock.advance(61_000)
    expect([isFine(await second), isFine(await third)]).toEqual([true, true])
    expect(asked).toEqual(['a@0', 'a@60.1', 'b@60.1'])
  })

  test('reserves what the answer may come to, and gives back what it did not', async () => {
    const { asked, ask } = stage({ tokensPerMinute: 1000, maxWaitMs: 1 })
    const wish = { options: { max_tokens: 900 } }
    expect(isFine(await ask('a', {}, wish))).toBe(true)
    expect(isFine(await ask('a', {}, wish))).toBe(true)
    expect(asked).toEqual(['a@0', 'a@0'])
    const both = await Promise.all([ask('a', {}, wish), ask('a', {}, wish)])
    expect(both.map(({ error }) => error)).toEqual([undefined, 'rate_limited queue_timeout'])
  })

  test('lets a question that is larger than the limit through when nothing else was asked', async () => {
    const { asked, ask } = stage({ tokensPerMinute: 10 })
    expect(isFine(await ask('a', {}, { options: { max_tokens: 5000 } }))).toBe(true)
    expect(asked).toEqual(['a@0'])
  })

  test('refuses at once whom the wait would be too long for, and tells how long it would be', async () => {
    const { clock, wrapped, ask } = stage({ requestsPerMinute: 1, maxWaitMs: 30_000 })
    await ask('a')
    await clock.advance(10_000)
    const next = begun(wrapped).next()
    await expect(next).rejects.toMatchObject({
      code: 'rate_limited',
      reason: 'queue_timeout',
      retryAfterMs: 50_100,
      temporary: true,
      provider: 'scripted',
      message:
        'the rate limit set here for this provider is reached, and the wait would be 51 s; come back later, or raise rate_limit',
    })
  })

  test('gives up on a wait that lasts longer than it may', async () => {
    const { clock, ask } = stage({ requestsPerMinute: 1, maxWaitMs: 60_100 })
    await ask('a')
    const results = [ask('a'), ask('b')]
    await clock.advance(60_100)
    expect((await Promise.all(results)).map(({ error }) => error)).toEqual([undefined, 'rate_limited queue_timeout'])
    expect(clock.pending).toBe(0)
  })

  test('refuses at once whom the queue has no room for', async () => {
    const { clock, ask } = stage({ requestsPerMinute: 1, maxQueued: 2, maxWaitMs: 10_000_000 })
    const calls = ['a', 'a', 'a', 'a'].map((session) => ask(session))
    await clock.advance(1_000_000)
    expect((await Promise.all(calls)).map(({ error }) => error)).toEqual([
      undefined,
      undefined,
      undefined,
      'rate_limited queue_full',
    ])
  })

  test('lets whoever is aborted leave the queue at once, and the others move up', async () => {
    const { clock, asked, ask } = stage({ requestsPerMinute: 1, maxWaitMs: 10_000_000 })
    await ask('a')
    const abort = new AbortController()
    const gone = ask('b', { signal: abort.signal })
    const next = ask('c')
    await clock.advance(1000)
    const reason = new Error('off')
    abort.abort(reason)
    expect((await gone).error).toBe(reason)
    await clock.advance(60_000)
    expect([isFine(await next), asked, clock.pending]).toEqual([true, ['a@0', 'c@60.1'], 0])
  })

  test('lets a consumer that stops while it waits leave the queue', async () => {
    const { clock, asked, ask, wrapped } = stage({ requestsPerMinute: 1, maxWaitMs: 10_000_000 })
    await ask('a')
    const waiting = begun(wrapped)
    const told = waiting.next()
    await clock.advance(1000)
    expect((await told).value).toEqual([queued])
    await waiting.return?.()
    expect(clock.pending).toBe(0)
    const next = ask('c')
    await clock.advance(61_000)
    expect([isFine(await next), asked]).toEqual([true, ['a@0', 'c@60.1']])
  })

  test('waits as long as the provider asks for, with all requests', async () => {
    const busy = new RunletError('rate_limited', { message: 'x', provider: 'scripted', retryAfterMs: 5000 })
    const { clock, asked, ask } = stage({}, (n) => (n === 1 ? { throws: busy } : {}))
    expect((await ask('a')).error).toBe('rate_limited rate_limited')
    const calls = [ask('a'), ask('b')]
    await clock.advance(5000)
    expect((await Promise.all(calls)).map(isFine)).toEqual([true, true])
    expect(asked).toEqual(['a@0', 'a@5', 'b@5'])
  })

  test('asks no more than the provider says is left, until its limit is whole again', async () => {
    const { clock, asked, ask } = stage({}, (n) =>
      n === 1 ? { limits: { requests: { remaining: 2, resetMs: 20_000 } } } : {},
    )
    const calls = ['a', 'a', 'a', 'a'].map((session) => ask(session))
    await clock.advance(20_000)
    expect((await Promise.all(calls)).map(isFine)).toEqual([true, true, true, true])
    expect(asked).toEqual(['a@0', 'a@0', 'a@0', 'a@20'])
  })

  test('hands on what the provider says is left', async () => {
    const limits: ProviderLimits = { tokens: { remaining: 5, resetMs: 1 } }
    const { ask } = stage({}, () => ({ limits }))
    const told: ProviderLimits[] = []
    await ask('a', { onLimits: (one) => told.push(one) })
    expect(told).toEqual([limits])
  })
})

test('a rate window never lets more through in any minute than its limit, whoever asks when', () => {
  const asks = fc.array(
    fc.record({ pauseMs: fc.integer({ min: 0, max: 40_000 }), amount: fc.integer({ min: 1, max: 60 }) }),
    {
      maxLength: 40,
    },
  )
  fc.assert(
    fc.property(asks, fc.integer({ min: 60, max: 200 }), (wishes, limit) => {
      const window = rateWindow(limit)
      let now = 1_000_000
      const used: { at: number; amount: number }[] = []
      for (const { pauseMs, amount } of wishes) {
        now += pauseMs
        now += window.waitMs(amount, now)
        expect(window.waitMs(amount, now)).toBe(0)
        window.use(amount, now)
        used.push({ at: now, amount })
      }
      for (const { at } of used) {
        const inMinute = used.filter((use) => use.at >= at && use.at < at + 60_000)
        expect(inMinute.reduce((sum, { amount }) => sum + amount, 0)).toBeLessThanOrEqual(limit)
      }
    }),
  )
})

const waits: [
  name: string,
  allowance: Allowance,
  askedSince: number,
  amount: number,
  elapsed: number,
  waitMs: number,
][] = [
  ['what is left may be used', { remaining: 3, resetMs: 10_000 }, 0, 3, 0, 0],
  ['more waits for the window to end', { remaining: 3, resetMs: 10_000 }, 0, 4, 4000, 6000],
  ['what was asked since is not left', { remaining: 3, resetMs: 10_000 }, 3, 1, 0, 10_000],
  ['a window that ended says nothing', { remaining: 0, resetMs: 10_000 }, 0, 1, 10_000, 0],
  [
    'a bucket is waited for as long as it needs for this much',
    { remaining: 0, resetMs: 60_000, refillsTo: 60 },
    0,
    2,
    500,
    1500,
  ],
  [
    'a bucket is waited for no longer than until it is full',
    { remaining: 0, resetMs: 60_000, refillsTo: 60 },
    0,
    500,
    0,
    60_000,
  ],
]
for (const [name, allowance, askedSince, amount, elapsed, waitMs] of waits) {
  test(`a limit that the provider told: ${name}`, () => {
    const limit = toldLimit()
    const mark = limit.ask(1)
    limit.tell(allowance, mark, 0)
    if (askedSince > 0) limit.ask(askedSince)
    expect(limit.waitMs(amount, elapsed)).toBe(waitMs)
  })
}

test('a limit that the provider told: an older answer that comes later knows less', () => {
  const limit = toldLimit()
  const [early, late] = [limit.ask(1), limit.ask(1)]
  limit.tell({ remaining: 0, resetMs: 10_000 }, late, 0)
  limit.tell({ remaining: 5, resetMs: 10_000 }, early, 0)
  expect(limit.waitMs(1, 0)).toBe(10_000)
})
