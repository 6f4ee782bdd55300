import { expect, test } from 'vitest'
import type { Entry, RunEvent } from '../../src/core/event.ts'
import { entriesUntil } from '../../web/src/replay.ts'
import { addTimes, emptyTiming, figures, gapsOf, slices } from '../../web/src/timing.ts'
import { ago, duration } from '../../web/src/words.ts'

const usage = { input_tokens: 3, output_tokens: 9, total_tokens: 12, accuracy: 'exact' } as const
const said = (text: string): RunEvent => ({ type: 'text.delta', step: 1, text })

const run = entries([
  [0, { type: 'step.start', step: 1, attempt: 1 }],
  [100, { type: 'reasoning.delta', step: 1, text: 'hm' }],
  [200, said('one')],
  [200, said(' two')],
  [250, said(' three')],
  [300, { type: 'tool.call', step: 1, call_id: 'c', tool_call: { name: 'clock', input: {} } }],
  [
    800,
    { type: 'tool.result', step: 1, call_id: 'c', name: 'clock', tool_result: '', is_error: false, duration_ms: 500 },
  ],
  [900, said('four')],
  [1_000, { type: 'step.end', step: 1, finish_reason: 'stop', usage }],
  [1_000, { type: 'finish', finish_reason: 'stop', usage }],
])

function entries(rows: readonly (readonly [ts: number, event: RunEvent])[]): Entry[] {
  return rows.map(([ts, event], i) => ({ seq: i + 1, ts: 1_000_000 + ts, event }))
}

function timingOf(all: readonly Entry[]) {
  const timing = emptyTiming()
  addTimes(timing, all)
  return timing
}

test('the figures of a run: first word, tokens per second as the provider counted, gaps', () => {
  expect(figures(timingOf(run))).toEqual({
    firstToken: 100,
    perSecond: 10,
    counted: 'tokens',
    deltas: 5,
    gaps: { median: 100, p99: 100, longest: 100 },
    length: 1_000,
  })
})

test('while a run goes on, its deltas are counted', () => {
  const { counted, perSecond, deltas } = figures(timingOf(run.slice(0, 5)))
  expect([counted, perSecond, deltas]).toEqual(['deltas', (3 * 1_000) / 150, 4])
})

test('nothing is told of a run that has not said anything', () => {
  const { firstToken, perSecond, gaps } = figures(timingOf(run.slice(0, 1)))
  expect([firstToken, perSecond, gaps]).toEqual([undefined, undefined, undefined])
})

test('a gap is the silence before a word, and the time of a tool is not one', () => {
  expect(gapsOf(timingOf(run))).toEqual([
    { at: 200, kind: 'text', gap: 100 },
    { at: 250, kind: 'text', gap: 50 },
    { at: 900, kind: 'text', gap: 100 },
  ])
})

test('taking entries in one by one gives what all at once gives', () => {
  const timing = emptyTiming()
  for (const entry of run) addTimes(timing, [entry])
  expect(timing).toEqual(timingOf(run))
})

test('the slices of a run hold all of its characters, where they came', () => {
  const all = slices(timingOf(run), 10)
  expect(all.map(({ chars, kind }) => [chars, kind])).toEqual([
    [0, 'none'],
    [2, 'reasoning'],
    [13, 'text'],
    [0, 'tool'],
    ...Array.from({ length: 4 }, () => [0, 'none']),
    [0, 'tool'],
    [4, 'text'],
  ])
})

test('a replay has at each time what the run had', () => {
  const at = (ms: number) => entriesUntil(run, 1_000_000 + ms)
  expect([-1, 0, 99, 100, 200, 250, 999, 1_000, 5_000].map(at)).toEqual([0, 1, 1, 2, 4, 5, 8, 10, 10])
  expect(entriesUntil([], 5)).toBe(0)
})

test('times as people read them', () => {
  expect([0, 420, 1_340, 5_000, 12_340, 125_000, 7_500_000].map(duration)).toEqual([
    '0 ms',
    '420 ms',
    '1.34 s',
    '5 s',
    '12.3 s',
    '2 min 5 s',
    '2 h 5 min',
  ])
  const now = Date.UTC(2026, 10, 21)
  expect([0, 50, 600, 7_200].map((seconds) => ago(now - seconds * 1_000, now))).toEqual([
    'just now',
    '1 min ago',
    '10 min ago',
    '2 h ago',
  ])
})
