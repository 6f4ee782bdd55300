import { expect, test } from 'vitest'
import type { Entry, RunEvent } from '../../src/core/event.ts'
import { stopwatch } from '../../src/cli/timing.ts'
import { agoOf, durationOf, parseDuration, parseSize, shortId } from '../../src/cli/words.ts'

test('an id is shortened to its end, which its neighbours do not share', () => {
  expect(shortId('01a1fc71-6217-75ba-aa8c-254cc9dd0e46')).toBe('c9dd0e46')
})

const durations: [ms: number, text: string][] = [
  [0, '0.00s'],
  [312, '0.31s'],
  [12_345, '12.3s'],
  [59_999, '60.0s'],
  [185_000, '3m05s'],
  [7_620_000, '2h07m'],
]
for (const [ms, text] of durations) {
  test(`${ms} ms are ${text}`, () => expect(durationOf(ms)).toBe(text))
}

const ages: [seconds: number, text: string][] = [
  [-5, '0s'],
  [59, '59s'],
  [60, '1m'],
  [7_199, '1h'],
  [200_000, '2d'],
]
for (const [seconds, text] of ages) {
  test(`${seconds} seconds ago is ${text}`, () => expect(agoOf(1_000_000, 1_000_000 + seconds * 1000)).toBe(text))
}

const read: [text: string, ms: number | undefined, bytes: number | undefined][] = [
  ['90s', 90_000, undefined],
  ['30d', 2_592_000_000, undefined],
  ['4096', undefined, 4096],
  ['500M', undefined, 524_288_000],
  ['2gb', undefined, 2_147_483_648],
  ['-1d', undefined, undefined],
  ['1.5G', undefined, undefined],
  ['', undefined, undefined],
]
for (const [text, ms, bytes] of read) {
  test(`"${text}" is ${ms ?? 'no'} ms and ${bytes ?? 'no'} bytes`, () => {
    expect([parseDuration(text), parseSize(text)]).toEqual([ms, bytes])
  })
}

const delta: RunEvent = { type: 'text.delta', step: 1, text: 'x' }
const finish = (tokens: number): RunEvent => ({
  type: 'finish',
  finish_reason: 'stop',
  usage: { input_tokens: 1, output_tokens: tokens, total_tokens: tokens + 1, accuracy: 'exact' },
})
const start: RunEvent = { type: 'status', code: 'x', message: 'x' }

const timings: [name: string, entries: [ts: number, event: RunEvent][], expected: object][] = [
  ['nothing', [], {}],
  [
    'no word',
    [
      [0, start],
      [90, finish(0)],
    ],
    {},
  ],
  [
    'a thought counts as the first token',
    [
      [100, start],
      [400, { type: 'reasoning.delta', step: 1, text: 'x' }],
    ],
    { first_token_ms: 300 },
  ],
  [
    'tokens over the time of speaking',
    [
      [100, start],
      [300, delta],
      [1300, delta],
      [9000, finish(51)],
    ],
    { first_token_ms: 200, tokens_per_second: 50 },
  ],
  [
    'one piece tells no speed',
    [
      [100, start],
      [300, delta],
      [301, finish(50)],
    ],
    { first_token_ms: 200 },
  ],
]
for (const [name, entries, expected] of timings) {
  test(`how fast an answer came, in one piece or in many: ${name}`, () => {
    const all = entries.map(([ts, event], i): Entry => ({ seq: i + 1, ts, event }))
    const whole = stopwatch()
    whole.add(all)
    expect(whole.timing).toEqual(expected)
    const pieces = stopwatch()
    for (const entry of all) pieces.add([entry])
    expect(pieces.timing).toEqual(expected)
  })
}
