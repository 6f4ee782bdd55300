import { expect, test } from 'vitest'
import { emptyView, fold } from '../../src/core/fold.ts'
import { legalOrder } from '../../src/core/order.ts'
import { randomRun, seededRandom } from '../../src/testing/random-run.ts'

const runs = Array.from({ length: 500 }, (_, seed) => randomRun(seededRandom(seed)))

test('a seed gives the same run again, and another seed another one', () => {
  expect(randomRun(seededRandom(7))).toEqual(runs[7])
  expect(new Set(runs.map((run) => JSON.stringify(run))).size).toBe(runs.length)
})

test('the source gives numbers from 0 up to 1, evenly', () => {
  const random = seededRandom(-1)
  const counts = Array.from({ length: 10 }, () => 0)
  for (let i = 0; i < 100_000; i++) counts[Math.floor(random() * 10)]!++
  expect(counts).toHaveLength(10)
  expect(counts.filter((count) => count < 9_500 || count > 10_500)).toEqual([])
})

test('among some hundred runs there is every event, every ending, and what is rare', () => {
  const events = runs.flat().map(({ event }) => event)
  expect([...new Set(events.map(({ type }) => type))].toSorted()).toEqual(Object.keys(legalOrder).toSorted())
  const endings = runs
    .map((run) => run.at(-1)!.event)
    .map((event) => ('error' in event ? event.error.reason : event.type))
  expect([...new Set(endings)].toSorted()).toEqual(['finish', 'owner_lost', 'stream_eof_before_done'])
  const reasons = events.flatMap((event) => (event.type === 'finish' ? [event.finish_reason] : []))
  expect([...new Set(reasons)].toSorted()).toEqual(['cancelled', 'content_filter', 'length', 'stop', 'tool_calls'])
  expect(runs.filter((run) => run.some(({ event }) => event.type === 'step.reset')).length).toBeGreaterThan(100)
  expect(runs.filter((run) => run.at(-1)!.epoch === 2).length).toBeGreaterThan(10)
  // Broken off right behind `start`, and inside a step.
  expect(runs.some((run) => run.length === 2)).toBe(true)
  expect(runs.some((run) => fold(emptyView, run.slice(0, -1)).step)).toBe(true)
})

test('a run that has not ended has no terminal event', () => {
  const open = Array.from({ length: 200 }, (_, seed) => randomRun(seededRandom(seed), { ended: false }))
  expect(open.filter((run) => fold(emptyView, run).status !== 'running')).toEqual([])
  expect(open.filter((run) => run.length === 0)).toEqual([])
})
