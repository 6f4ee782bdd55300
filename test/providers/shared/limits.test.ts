import { expect, test } from 'vitest'
import type { ProviderLimits } from '../../../src/core/provider.ts'
import { openaiChat } from '../../../src/providers/openai-chat.ts'
import { limitsIn } from '../../../src/providers/shared/limits.ts'
import { loopback } from '../../../src/testing/loopback.ts'
import { heard } from '../../wrappers/lab.ts'

const now = 1_700_000_000_000

const cases: [name: string, headers: Record<string, string>, expected: ProviderLimits | undefined][] = [
  ['nothing', {}, undefined],
  [
    'OpenAI and Groq, whose limits refill without pause',
    {
      'x-ratelimit-limit-requests': '60',
      'x-ratelimit-remaining-requests': '59',
      'x-ratelimit-reset-requests': '1s',
      'x-ratelimit-limit-tokens': '150000',
      'x-ratelimit-remaining-tokens': '149984',
      'x-ratelimit-reset-tokens': '6m0s',
    },
    {
      requests: { remaining: 59, resetMs: 1000, refillsTo: 60 },
      tokens: { remaining: 149_984, resetMs: 360_000, refillsTo: 150_000 },
    },
  ],
  [
    'Anthropic',
    {
      'anthropic-ratelimit-requests-limit': '50',
      'anthropic-ratelimit-requests-remaining': '0',
      'anthropic-ratelimit-requests-reset': new Date(now + 5000).toISOString(),
    },
    { requests: { remaining: 0, resetMs: 5000, refillsTo: 50 } },
  ],
  [
    'OpenRouter, whose limit is a window',
    { 'x-ratelimit-limit': '20', 'x-ratelimit-remaining': '3', 'x-ratelimit-reset': String(now + 9000) },
    { requests: { remaining: 3, resetMs: 9000 } },
  ],
  [
    'a limit that is whole',
    { 'x-ratelimit-limit-tokens': '5', 'x-ratelimit-remaining-tokens': '5', 'x-ratelimit-reset-tokens': '0s' },
    { tokens: { remaining: 5, resetMs: 0 } },
  ],
  ['half of what is needed', { 'x-ratelimit-remaining-requests': '3' }, undefined],
  ['what is no number and no moment', { 'x-ratelimit-remaining': '-1', 'x-ratelimit-reset': 'soon' }, undefined],
]
for (const [name, headers, expected] of cases) {
  test(`limits: ${name}`, () => {
    expect(limitsIn((header) => headers[header], now)).toEqual(expected)
  })
}

test('openai-chat tells the limits of every answer, also of one that refuses, before its first event', async () => {
  const server = await loopback((_, response) => {
    response.writeHead(429, { 'x-ratelimit-remaining-requests': '0', 'x-ratelimit-reset-requests': '2s' }).end('{}')
  })
  const told: ProviderLimits[] = []
  const { events, error } = await heard(
    openaiChat({ baseUrl: server.url }),
    {},
    { onLimits: (limits) => told.push(limits) },
  )
  await server.close()
  expect([events, error, told]).toEqual([[], 'rate_limited http_429', [{ requests: { remaining: 0, resetMs: 2000 } }]])
})
