/** What every provider owes, owed by every wrapper around real ones: over HTTP, with aborts, ends and errors as they are. */
import { describe, expect, test } from 'vitest'
import type { Provider } from '../../src/core/provider.ts'
import { fakeClock } from '../../src/testing/fake-clock.ts'
import { providerCases, type RecordedRefusal, type Recording } from '../../src/testing/provider-suite.ts'
import { cutOff, scriptedProvider } from '../../src/testing/scripted-provider.ts'
import { budgeted, fallback, rateLimited, retrying, safe, type Wrapper } from '../../src/wrappers/wrappers.ts'
import { chatCompleteAt, ndjsonCompleteAt, ownFixture } from '../providers/recordings.ts'
import { NDJSON, ollamaSuite, openaiChatSuite, SSE } from '../providers/suites.ts'
import { caller, done, heard, request, start, text } from './lab.ts'

/** Each set so that it has nothing to do: what comes out is what went in. */
const wrappers: Readonly<Record<string, Wrapper>> = {
  retrying: (provider) => retrying({ attempts: 1 })(provider),
  rateLimited: (provider) => rateLimited({ requestsPerMinute: 10_000, tokensPerMinute: 1e9 })(provider),
  safe: safe({ rules: [{ category: 'x', words: ['qqq'], pattern: 'zz+z', action: 'stop' }], reasoning: true }),
  budgeted: (provider) => budgeted({ run: { tokens: 1e9, cost: 1e9 }, session: { tokens: 1e9 }, prices })(provider),
  fallback: (provider) => fallback([{ name: 'only', provider, model: 'suite-model' }]),
  'all of them': (provider) => {
    const { rateLimited: slow, safe: clean, budgeted: cheap, retrying: stubborn, fallback: last } = wrappers
    return last!(clean!(cheap!(slow!(stubborn!(provider)))))
  },
}
const prices = { '*': { input: 1, output: 1 } }

const ollamaBytes = ownFixture('ollama/text.ndjson')
const chat: Recording[] = ['text', 'tools', 'reasoning'].map((name) => {
  const bytes = ownFixture(`openai-chat/${name}.sse`)
  return { name, mediaType: SSE, bytes, expected: expected(name), completeAt: chatCompleteAt(bytes) }
})
const refusals: RecordedRefusal[] = [
  {
    status: 401,
    body: '{"error":{"code":"invalid_api_key","message":"Bad."}}',
    code: 'unauthorized',
    reason: 'invalid_api_key',
  },
  {
    status: 429,
    headers: { 'retry-after': '7' },
    body: '{"error":{"type":"tokens"}}',
    code: 'rate_limited',
    retryAfterMs: 7000,
  },
]

function expected(name: string): Recording['expected'] {
  const nothing = { text: '', reasoning: '', calls: [], reason: 'stop' as const }
  if (name === 'text') return { ...nothing, text: 'Hello \n\n\n  indented\u2028Gr\u00fc\u00dfe \u{1f496}\t!' }
  if (name === 'reasoning') return { ...nothing, reasoning: 'Let me see.', text: 'Forty-two' }
  const weather = (city: string) => ({ name: 'get_weather', input: { city } })
  return {
    ...nothing,
    reason: 'tool_calls',
    calls: [weather('K\u00f6ln \u{1f496}'), { name: 'get_time', input: {} }, weather('Paris')],
  }
}

for (const [name, wrap] of Object.entries(wrappers)) {
  const lists = name === 'fallback' || name === 'all of them'
  const suites = {
    'openai-chat': { ...openaiChatSuite, recordings: chat, refusals },
    ollama: {
      ...ollamaSuite,
      recordings: [
        {
          name: 'text',
          mediaType: NDJSON,
          bytes: ollamaBytes,
          expected: {
            text: 'Hello \n  x\u2028Gr\u00fc\u00dfe \u{1f496}!',
            reasoning: '',
            calls: [],
            reason: 'stop' as const,
          },
          completeAt: ndjsonCompleteAt(ollamaBytes),
        },
      ],
      refusals: [],
    },
  }
  for (const [api, suite] of Object.entries(suites)) {
    describe(`${name} around ${api}`, () => {
      const models = lists ? { ...suite.models, expected: [{ id: 'only/suite-model' }] } : suite.models
      const wrapped = { ...suite, models, make: (baseUrl: string) => wrap(suite.make(baseUrl)), maxWork: 1 << 16 }
      for (const { name: owed, run } of providerCases(wrapped)) test(owed, () => expect(run()).resolves.toBeUndefined())
    })
  }

  describe(name, () => {
    test('hands on what it is called with, but for what it adds', async () => {
      const seen: unknown[] = []
      const inner: Provider = {
        ...scriptedProvider([]),
        async *stream(asked, { signal, ...rest }) {
          signal.throwIfAborted()
          seen.push(asked, rest.caller)
          rest.onLimits?.({ tokens: { remaining: 1, resetMs: 1 } })
          yield [start, text('Hi '), done]
        },
      }
      const told: unknown[] = []
      const options = { temperature: 0.5, provider_options: { seed: 1 } }
      const by = caller('s')
      await heard(
        wrap(inner),
        { model: 'suite-model', options },
        { caller: by, onLimits: (limits) => told.push(limits) },
      )
      expect(seen).toEqual([
        { model: 'suite-model', messages: [{ role: 'user', content: 'Hello' }], tools: [], options },
        by,
      ])
      expect(told).toEqual([{ tokens: { remaining: 1, resetMs: 1 } }])
    })

    test('is aborted at once, and lets go of what it is around', async () => {
      const inner = scriptedProvider([[[start, text('Hi ')], { wait: new Promise(() => {}) }]])
      const abort = new AbortController()
      const reason = new Error('off')
      setImmediate(() => abort.abort(reason))
      const { error } = await heard(wrap(inner), {}, { signal: abort.signal })
      expect([error, inner.active]).toEqual([reason, 0])
    })

    test('lets go of what it is around when its consumer stops', async () => {
      const inner = scriptedProvider([[[start, text('Hi ')], { wait: new Promise(() => {}) }]])
      for await (const events of wrap(inner).stream(
        { model: 'm', messages: [], tools: [], options: {} },
        { signal: new AbortController().signal },
      )) {
        expect(events.length).toBeGreaterThan(0)
        break
      }
      expect(inner.active).toBe(0)
    })

    test('pulls no further than its consumer, and keeps arrays together', async () => {
      let pulled = 0
      const batch = Array.from({ length: 10 }, (_, i) => text(`${i} `))
      const inner: Provider = {
        ...scriptedProvider([]),
        async *stream(_, { signal }) {
          signal.throwIfAborted()
          yield [start]
          for (;;) {
            pulled++
            yield batch
          }
        },
      }
      const { signal } = new AbortController()
      const iterator = wrap(inner).stream(request(), { signal })[Symbol.asyncIterator]()
      let texts = 0
      let arrays = 0
      while (texts < 500) {
        const { value } = await iterator.next()
        texts += value.filter((event: { type: string }) => event.type === 'text').length
        arrays++
      }
      await iterator.return?.()
      expect(pulled).toBeLessThanOrEqual(51)
      expect(arrays).toBeLessThanOrEqual(52)
    })

    test('throws what it is around throws', async () => {
      const { events, error } = await heard(wrap(scriptedProvider([[[start, text('Hi ')], { throw: cutOff() }]])))
      expect([events.at(-1), error]).toEqual([text('Hi '), 'network stream_eof_before_done'])
    })
  })
}

test('the suite sees a wrapper that takes the end of the stream for the end of the answer', async () => {
  const lenient: Wrapper = (provider) => ({
    ...provider,
    async *stream(asked, options) {
      try {
        yield* provider.stream(asked, options)
      } catch {
        yield [done]
      }
    },
  })
  const make = (baseUrl: string) => lenient(openaiChatSuite.make(baseUrl))
  const cases = providerCases({ ...openaiChatSuite, make, recordings: chat.slice(0, 1), refusals }).slice(3)
  const results = await Promise.allSettled(cases.map(({ run }) => run()))
  const failing = cases.filter((_, i) => results[i]!.status === 'rejected').map((one) => one.name)
  expect(failing.filter((one) => one.includes('in the middle is an error')).length).toBe(2)
})

test('wrappers set no timer that outlives a call', async () => {
  const clock = fakeClock()
  const inner = scriptedProvider([[[start, text('Hi '), done]]])
  const provider = fallback(
    [
      { name: 'a', provider: rateLimited({ requestsPerMinute: 5, clock })(retrying({ clock })(inner)), model: 'm' },
      { name: 'b', provider: inner, model: 'm' },
    ],
    { clock, firstContentMs: 100 },
  )
  await heard(provider)
  expect(clock.pending).toBe(0)
})
