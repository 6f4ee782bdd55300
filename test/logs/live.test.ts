import { expect, test } from 'vitest'
import { Batch } from '../../src/core/batch.ts'
import { RunletError } from '../../src/core/error.ts'
import type { Waiter } from '../../src/logs/live.ts'
import { LiveRun } from '../../src/logs/live.ts'
import { token } from '../../src/testing/log-suite-given.ts'

function batchAfter(last: number, size: number): Batch {
  const entries = Array.from({ length: size }, (_, i) => ({ seq: last + i + 1, ts: 1, event: token(last + i + 1) }))
  return Batch.of('run-1', 1, entries)
}

const charsOf = (live: LiveRun) => live.batches.reduce((sum, { lines }) => sum + lines.length, 0)

/** Writes down what it is told. */
function waiter(told: unknown[]): Waiter {
  return {
    wake: (next) => void told.push(next ?? 'look'),
    end: () => void told.push('end'),
    fail: (error) => void told.push(error),
  }
}

test('a run that nobody reads keeps its latest batches, and no more than its limit', () => {
  const live = new LiveRun('run-1', 0, 10_000)
  let most = 0
  for (let n = 0; n < 3000; n++) {
    live.publish(batchAfter(live.last, 1 + (n % 5)))
    most = Math.max(most, charsOf(live))
  }
  expect(most).toBeLessThanOrEqual(10_000)
  expect(charsOf(live)).toBeGreaterThan(9000)
  expect(live.batches.at(-1)?.last).toBe(live.last)
})

test('the last four batches are kept whatever their size', () => {
  const live = new LiveRun('run-1', 0, 10)
  for (let n = 0; n < 10; n++) live.publish(batchAfter(live.last, 100))
  expect(live.batches.map(({ first }) => first)).toEqual([601, 701, 801, 901])
})

test('a batch is found by each of its entries while it is kept, and by nothing else', () => {
  const live = new LiveRun('run-1', 7, 4000)
  for (let n = 0; n < 200; n++) live.publish(batchAfter(live.last, 1 + (n % 7)))
  const oldest = live.batches[0]!.first
  expect(oldest).toBeGreaterThan(8)
  for (let seq = 0; seq <= live.last + 2; seq++) {
    const found = live.find(seq)
    if (seq < oldest || seq > live.last) expect(found).toBe(undefined)
    else expect(seq >= found!.first && seq <= found!.last).toBe(true)
  }
})

test('what the store does not have yet is not forgotten, however much it is', () => {
  const live = new LiveRun('run-1', 0, 1000)
  for (let n = 0; n < 100; n++) live.publish(batchAfter(live.last, 1), { stored: false })
  expect(live.batches.length).toBe(100)
  live.settle(60)
  expect(live.batches[0]!.first).toBe(61)
  live.settle(100)
  expect(charsOf(live)).toBeLessThanOrEqual(1000)
  expect(live.batches.length).toBeGreaterThan(4)
})

test('all who wait are handed one and the same object, once', () => {
  const live = new LiveRun('run-1', 0, 10_000)
  const told: unknown[][] = Array.from({ length: 3 }, () => [])
  const [one, two, gone] = told.map(waiter) as [Waiter, Waiter, Waiter]
  for (const each of [one, two, gone]) live.wait(each)
  live.leave(gone)
  const batch = batchAfter(0, 2)
  live.publish(batch)
  expect(told).toEqual([[{ done: false, value: batch }], [{ done: false, value: batch }], []])
  expect(told[0]![0]).toBe(told[1]![0])
  live.publish(batchAfter(2, 1))
  expect(told.map(({ length }) => length)).toEqual([1, 1, 0])
})

test('who comes back while it is told to look again, goes on waiting', () => {
  const live = new LiveRun('run-1', 5, 1000)
  let told = 0
  const again: Waiter = {
    wake() {
      told++
      live.wait(again)
    },
    end: () => {},
    fail: () => {},
  }
  live.wait(again)
  live.stir()
  expect([told, live.waiting]).toEqual([1, 1])
  live.publish(batchAfter(5, 1))
  expect([told, live.waiting]).toEqual([2, 1])
})

test('who waits is told of an end, of a failure, and to look again', () => {
  const error = new RunletError('internal', { message: 'broken' })
  const cases: [(live: LiveRun) => void, told: unknown[], last: number][] = [
    [(live) => live.end(), ['end'], 5],
    [(live) => live.fail(error), [error], 5],
    [(live) => live.stir(), ['look'], 5],
    [(live) => live.advance(9), ['look'], 9],
    [(live) => live.advance(5), [], 5],
    [(live) => live.dismiss(() => true), ['end'], 5],
    [(live) => live.dismiss(() => false), [], 5],
  ]
  for (const [act, expected, last] of cases) {
    const live = new LiveRun('run-1', 5, 1000)
    const told: unknown[] = []
    live.wait(waiter(told))
    act(live)
    expect(told).toEqual(expected)
    expect(live.last).toBe(last)
    expect(live.waiting).toBe(expected.length === 0 ? 1 : 0)
  }
})

test('a run that keeps everything keeps its past in few batches, each of one epoch', () => {
  const live = new LiveRun('run-1', 0, Infinity)
  for (let n = 0; n < 1000; n++) {
    const { last } = live
    const entry = { seq: last + 1, ts: 1, event: token(last + 1) }
    live.publish(Batch.of('run-1', n < 500 ? 1 : 2, [entry]))
  }
  expect(live.batches.length).toBeLessThan(100)
  expect(live.batches.flatMap(({ entries }) => entries.map(({ seq }) => seq))).toEqual(
    Array.from({ length: 1000 }, (_, i) => i + 1),
  )
  expect(
    live.batches.filter(({ epoch, first, last }) => first <= 500 !== last <= 500 || epoch !== (first <= 500 ? 1 : 2)),
  ).toEqual([])
  for (let seq = 1; seq <= 1000; seq++) expect(live.find(seq)!.first <= seq && live.find(seq)!.last >= seq).toBe(true)
})

test('what is joined stays small enough to be handed over at once', () => {
  const live = new LiveRun('run-1', 0, Infinity)
  for (const size of [1, 400, 1, 1, 400, 400, 1, 1, 1, 400]) {
    for (let n = 0; n < 20; n++) live.publish(batchAfter(live.last, size))
  }
  const one = batchAfter(0, 400).lines.length
  expect(Math.max(...live.batches.map(({ lines }) => lines.length))).toBeLessThan(one + 2_000)
  expect(live.batches.flatMap(({ entries }) => entries.map(({ seq }) => seq))).toEqual(
    Array.from({ length: live.last }, (_, i) => i + 1),
  )
})
