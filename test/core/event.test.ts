import { describe, expect, test } from 'vitest'
import type { FinishReason, Usage } from '../../src/core/event.ts'
import { addUsage, isTerminal, statusAfter } from '../../src/core/event.ts'
import { event, types } from './events.ts'

test('a run ends with finish or error and nothing else', () => {
  expect(types.filter((type) => isTerminal(event(type)))).toEqual(['finish', 'error'])
})

test('only a cancel makes a run cancelled, and only an error makes it failed', () => {
  const reasons: FinishReason[] = ['stop', 'length', 'tool_calls', 'tool_limit', 'content_filter', 'cancelled']
  expect(reasons.map((finish_reason) => statusAfter(event('finish', { finish_reason })))).toEqual([
    'completed',
    'completed',
    'completed',
    'completed',
    'completed',
    'cancelled',
  ])
  expect(statusAfter(event('error'))).toBe('failed')
})

describe('the sum of usage', () => {
  const exact: Usage = { input_tokens: 1, output_tokens: 2, total_tokens: 3, accuracy: 'exact' }
  const guess: Usage = { input_tokens: 10, output_tokens: 20, total_tokens: 30, accuracy: 'estimated' }
  const cases: [name: string, a: Usage | undefined, b: Usage | undefined, sum: Usage | undefined][] = [
    ['of nothing is nothing', undefined, undefined, undefined],
    ['with nothing is what there was', exact, undefined, exact],
    ['of nothing and some is some', undefined, guess, guess],
    [
      'of exact counts is exact',
      exact,
      exact,
      { input_tokens: 2, output_tokens: 4, total_tokens: 6, accuracy: 'exact' },
    ],
    [
      'with an estimate is an estimate',
      exact,
      guess,
      { input_tokens: 11, output_tokens: 22, total_tokens: 33, accuracy: 'estimated' },
    ],
    [
      'has the parts that either side tells of, also a part that is 0',
      { ...exact, reasoning_tokens: 0 },
      { ...exact, cached_tokens: 5 },
      {
        input_tokens: 2,
        output_tokens: 4,
        total_tokens: 6,
        reasoning_tokens: 0,
        cached_tokens: 5,
        accuracy: 'exact',
      },
    ],
    [
      'is finite, whatever the counts are',
      { ...exact, input_tokens: Number.NaN, output_tokens: Infinity, reasoning_tokens: -Infinity },
      { ...exact, total_tokens: Number.MAX_SAFE_INTEGER },
      {
        input_tokens: 1,
        output_tokens: Number.MAX_SAFE_INTEGER,
        total_tokens: Number.MAX_SAFE_INTEGER,
        reasoning_tokens: 0,
        accuracy: 'exact',
      },
    ],
    [
      'with nothing is finite, too',
      undefined,
      { ...guess, input_tokens: Number.NaN, output_tokens: Infinity },
      { input_tokens: 0, output_tokens: Number.MAX_SAFE_INTEGER, total_tokens: 30, accuracy: 'estimated' },
    ],
  ]
  for (const [name, a, b, sum] of cases) test(name, () => expect(addUsage(a, b)).toStrictEqual(sum))
})
