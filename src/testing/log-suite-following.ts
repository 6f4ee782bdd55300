import assert from 'node:assert/strict'
import type { RunEvent } from '../core/event.ts'
import type { Log } from '../core/log.ts'
import type { LogCase } from './log-suite.ts'
import {
  assertRefused,
  assertWhole,
  begin,
  collect,
  entriesOf,
  eventsOf,
  failure,
  finish,
  iterate,
  readAll,
  take,
  token,
  tokens,
} from './log-suite-given.ts'

const DONE = { done: true, value: undefined }

export const following: readonly LogCase[] = [
  {
    name: 'a follower sees each entry once, wherever in the run it begins, here and in another process',
    async run({ open }) {
      const log = await open()
      const elsewhere = await open()
      const events = await begin(log)
      const readings: [from: number, Promise<RunEvent[]>][] = []
      for (let n = 0; n < 12; n++) {
        for (const from of [log, elsewhere]) {
          for (const seq of [0, events.length]) {
            const after = { epoch: 1, seq }
            readings.push([seq, readAll(from, 'run-1', { after, follow: true }).then(eventsOf)])
          }
        }
        const more = tokens(1 + (n % 3), n * 10)
        await log.append('run-1', 1, more)
        events.push(...more)
      }
      await log.append('run-1', 1, [finish])
      events.push(finish)
      for (const [seq, reading] of readings) assert.deepEqual(await reading, events.slice(seq))
    },
  },
  {
    name: 'whatever way appends and pulls fall together, nothing is lost and nothing comes twice',
    async run({ open }) {
      const log = await open()
      const steps = 8
      for (let schedule = 0; schedule < 2 ** steps; schedule++) {
        await interleave(log, `run-${schedule}`, (step) => ((schedule >> step) & 1) === 1, steps)
      }
    },
  },
  {
    name: 'a follower that is far behind catches up exactly and goes on live',
    async run({ open }) {
      const log = await open()
      const events = await begin(log)
      const reader = iterate(log, 'run-1', { follow: true })
      const records = [await take(reader)]
      for (let n = 0; n < 300; n++) {
        const more = tokens(10, n * 10)
        await log.append('run-1', 1, more)
        events.push(...more)
      }
      while (records.at(-1)!.last < events.length) records.push(await take(reader))
      const next = take(reader)
      await log.append('run-1', 1, [token('live')])
      records.push(await next)
      await log.append('run-1', 1, [finish])
      records.push(await take(reader))
      assertWhole(entriesOf(records), [...events, token('live'), finish])
      assert.deepEqual(await reader.next(), DONE)
    },
  },
  {
    name: 'readers that never read hold up nobody',
    async run({ open }) {
      const log = await open()
      const events = await begin(log)
      const idle = Array.from({ length: 100 }, () => iterate(log, 'run-1', { follow: true }))
      await Promise.all(idle.map(take))
      for (let n = 0; n < 100; n++) await log.append('run-1', 1, [token(n)])
      await log.append('run-1', 1, [finish])
      const rest = await collect({ [Symbol.asyncIterator]: () => idle[0]! })
      assert.deepEqual(eventsOf(entriesOf(rest)), [...tokens(100), finish])
      assertWhole(await readAll(log, 'run-1'), [...events, ...tokens(100), finish])
    },
  },
  {
    name: 'a thousand followers are all served',
    async run({ open }) {
      const log = await open()
      const events = await begin(log)
      const readings = Array.from({ length: 1000 }, () => readAll(log, 'run-1', { follow: true }))
      for (let n = 0; n < 5; n++) await log.append('run-1', 1, [token(n)])
      await log.append('run-1', 1, [finish])
      for (const entries of await Promise.all(readings)) assertWhole(entries, [...events, ...tokens(5), finish])
    },
  },
  {
    name: 'the terminal event ends all followers, and following an ended run ends with it',
    async run({ open }) {
      const log = await open()
      const events = await begin(log)
      const reader = iterate(log, 'run-1', { follow: true })
      const first = await take(reader)
      const waiting = reader.next()
      await log.append('run-1', 1, [failure])
      const { value } = await waiting
      assertWhole(entriesOf([first, value!]), [...events, failure])
      assert.deepEqual(await reader.next(), DONE)
      assertWhole(await readAll(log, 'run-1', { follow: true }), [...events, failure])
      assert.deepEqual(await readAll(log, 'run-1', { after: { epoch: 1, seq: 4 }, follow: true }), [])
    },
  },
  {
    name: 'an abort ends a reading at once and without an error: before it begins, between batches, while it waits',
    async run({ open }) {
      const log = await open()
      const elsewhere = await open()
      await begin(log)
      for (const from of [log, elsewhere]) {
        assert.deepEqual(await readAll(from, 'run-1', { signal: AbortSignal.abort(), follow: true }), [])

        const between = new AbortController()
        const reader = iterate(from, 'run-1', { signal: between.signal, follow: true })
        await take(reader)
        between.abort()
        assert.deepEqual(await reader.next(), DONE)

        const waiting = new AbortController()
        const other = iterate(from, 'run-1', { signal: waiting.signal, follow: true })
        await take(other)
        const next = other.next()
        waiting.abort()
        assert.deepEqual(await next, DONE)
        assert.deepEqual(await other.next(), DONE)
      }
    },
  },
  {
    name: 'return ends a reader that waits',
    async run({ open }) {
      const log = await open()
      const elsewhere = await open()
      await begin(log)
      for (const from of [log, elsewhere]) {
        const reader = iterate(from, 'run-1', { follow: true })
        await take(reader)
        const next = reader.next()
        assert.deepEqual(await reader.return?.(), DONE)
        assert.deepEqual(await next, DONE)
      }
      await log.append('run-1', 1, [token(1)])
    },
  },
  {
    name: 'closing the log ends all reading; nothing is written after it',
    async run({ open }) {
      const log = await open()
      await begin(log)
      const waiting = iterate(log, 'run-1', { follow: true })
      await take(waiting)
      const next = waiting.next()
      const between = iterate(log, 'run-1', { follow: true })
      const written = log.append('run-1', 1, [token(1)])
      await log.close()
      assert.deepEqual(await written, { epoch: 1, seq: 4 })
      const { value } = await next
      assert.ok(value === undefined || value.type === 'batch', 'the last batch, or the end')
      assert.deepEqual(await between.next(), DONE)
      const closed = { code: 'internal', reason: 'store_closed' } as const
      await assertRefused(log.append('run-1', 1, [token(2)]), closed)
      await assertRefused(log.create({} as never), closed)
      await log.close()
    },
  },
]

/**
 * One schedule: at each step either an append, or a pull if none is under way. A pull is not waited for until the run
 * has ended, so that every state of the seam between what is stored and what comes live is met by some schedule.
 */
async function interleave(log: Log, run_id: string, pulls: (step: number) => boolean, steps: number): Promise<void> {
  const events = await begin(log, { run_id })
  const reader = iterate(log, run_id, { follow: true })
  const answers: ReturnType<typeof reader.next>[] = []
  for (let step = 0; step < steps; step++) {
    if (pulls(step)) {
      answers.push(reader.next())
    } else {
      const more = tokens(1 + (step % 2), step * 10)
      await log.append(run_id, 1, more)
      events.push(...more)
    }
  }
  await log.append(run_id, 1, [finish])
  const before = await Promise.all(answers)
  const rest = await collect({ [Symbol.asyncIterator]: () => reader })
  const records = [...before.flatMap(({ value }) => value ?? []), ...rest]
  assertWhole(entriesOf(records), [...events, finish])
}
