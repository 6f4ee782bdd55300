import { expect, test } from 'vitest'
import { retryAfterMs } from '../../../src/providers/shared/retry-after.ts'

const NOW = Date.parse('2026-11-21T12:00:00Z')

const cases: [headers: Record<string, string>, expected: number | undefined][] = [
  [{}, undefined],
  [{ 'retry-after': '7' }, 7000],
  [{ 'retry-after': '0.25' }, 250],
  [{ 'retry-after': '0' }, 0],
  [{ 'retry-after': ' 7 ' }, 7000],
  [{ 'retry-after': 'Sat, 21 Nov 2026 12:00:30 GMT' }, 30_000],
  [{ 'retry-after': 'Sat, 21 Nov 2026 11:00:00 GMT' }, 0],
  [{ 'retry-after': 'soon' }, undefined],
  [{ 'retry-after': '-5' }, undefined],
  [{ 'retry-after-ms': '1500', 'retry-after': '9' }, 1500],
  [{ 'retry-after-ms': 'x', 'retry-after': '9' }, 9000],
  [{ 'x-ratelimit-reset-requests': '1s', 'x-ratelimit-reset-tokens': '6m0s' }, 1000],
  [
    {
      'x-ratelimit-reset-requests': '1s',
      'x-ratelimit-remaining-requests': '59',
      'x-ratelimit-reset-tokens': '6m0s',
      'x-ratelimit-remaining-tokens': '0',
    },
    360_000,
  ],
  [{ 'x-ratelimit-reset-tokens': '1h2m3.5s' }, 3_723_500],
  [{ 'x-ratelimit-reset-tokens': '20ms' }, 20],
  [{ 'x-ratelimit-reset-requests': '7.66s' }, 7660],
  [{ 'x-ratelimit-reset': '30' }, 30_000],
  [{ 'x-ratelimit-reset': String(NOW / 1000 + 12) }, 12_000],
  [{ 'x-ratelimit-reset': String(NOW + 1234) }, 1234],
  [{ 'x-ratelimit-reset': String(NOW - 1234) }, 0],
  [{ 'ratelimit-reset': '5' }, 5000],
  [{ 'anthropic-ratelimit-tokens-reset': '2026-11-21T12:00:05Z' }, 5000],
  [{ 'x-ratelimit-reset': 'later' }, undefined],
  [{ 'retry-after': '3', 'x-ratelimit-reset': '99' }, 3000],
]

for (const [headers, expected] of cases) {
  test(`retry-after: ${JSON.stringify(headers)} is ${expected} ms`, () => {
    expect(retryAfterMs((name) => headers[name], NOW)).toBe(expected)
  })
}
