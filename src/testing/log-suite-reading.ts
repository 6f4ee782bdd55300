import assert from 'node:assert/strict'
import type { Cursor } from '../core/cursor.ts'
import { START } from '../core/cursor.ts'
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
  finish,
  iterate,
  readAll,
  take,
  token,
  tokens,
} from './log-suite-given.ts'

export const reading: readonly LogCase[] = [
  {
    name: 'from every cursor, what was read before and what comes after are the whole, while the run goes on and after',
    async run({ open }) {
      const log = await open()
      const events = await severalAppends(log)
      for (const ended of [false, true]) {
        if (ended) await log.append('run-1', 1, [finish])
        const whole = ended ? [...events, finish] : events
        const all = await readAll(log, 'run-1')
        assertWhole(all, whole)
        for (let seq = 0; seq <= whole.length; seq++) {
          for (const epoch of [1, 0]) {
            const rest = await readAll(log, 'run-1', { after: { epoch, seq }, follow: ended })
            assert.deepEqual([...all.slice(0, seq), ...rest], all)
          }
        }
      }
    },
  },
  {
    name: 'from every cursor, another process reads the same',
    async run({ open }) {
      const writer = await open()
      const events = await severalAppends(writer)
      const reader = await open()
      for (let seq = 0; seq <= events.length; seq++) {
        assert.deepEqual(eventsOf(await readAll(reader, 'run-1', { after: { epoch: 1, seq } })), events.slice(seq))
      }
    },
  },
  {
    name: 'a place that the run does not have is an error, never a guess',
    async run({ open }) {
      const log = await open()
      const count = (await severalAppends(log)).length
      const future = { code: 'invalid_request', reason: 'cursor_future', status: 409 } as const
      const refusals: [Cursor, typeof future][] = [
        [{ epoch: 1, seq: count + 1 }, future],
        [{ epoch: 0, seq: count + 1 }, future],
        [{ epoch: 1, seq: 2 ** 40 }, future],
        [{ epoch: 2, seq: 1 }, future],
        [{ epoch: 2, seq: 0 }, future],
      ]
      for (const follow of [false, true]) {
        for (const [after, refusal] of refusals) await assertRefused(readAll(log, 'run-1', { after, follow }), refusal)
      }
      assert.equal((await readAll(log, 'run-1', { after: START })).length, count)
    },
  },
  {
    name: 'without follow a reading ends at the last entry that was stored when it began',
    async run({ open }) {
      const log = await open()
      const events = await begin(log)
      const reader = iterate(log, 'run-1')
      const first = await take(reader)
      await log.append('run-1', 1, [token(1)])
      const rest = await collect({ [Symbol.asyncIterator]: () => reader })
      assertWhole(entriesOf([first, ...rest]), events)
      assertWhole(await readAll(log, 'run-1'), [...events, token(1)])
    },
  },
  {
    name: 'a long run is read exactly, and so is any part of it',
    async run({ open }) {
      const log = await open()
      const events = await begin(log)
      for (let n = 0; n < 300; n++) {
        const more = tokens(1 + (n % 40), n * 100)
        await log.append('run-1', 1, more)
        events.push(...more)
      }
      assertWhole(await readAll(log, 'run-1'), events)
      for (let seq = 1; seq < events.length; seq += 911) {
        const rest = await readAll(log, 'run-1', { after: { epoch: 1, seq } })
        assert.deepEqual(eventsOf(rest), events.slice(seq))
      }
    },
  },
  {
    name: 'a reader that stops is done, and another one begins where it was',
    async run({ open }) {
      const log = await open()
      const events = await severalAppends(log)
      const reader = iterate(log, 'run-1')
      const first = await take(reader)
      assert.deepEqual(await reader.return?.(), { done: true, value: undefined })
      assert.deepEqual(await reader.next(), { done: true, value: undefined })
      const rest = await readAll(log, 'run-1', { after: { epoch: 1, seq: first.last } })
      assertWhole([...first.entries, ...rest], events)
    },
  },
  {
    name: 'calls of next that do not wait for each other are answered in order',
    async run({ open }) {
      const log = await open()
      const events = await begin(log)
      const reader = iterate(log, 'run-1', { follow: true })
      const calls = Array.from({ length: 4 }, () => reader.next())
      for (let n = 0; n < 2; n++) await log.append('run-1', 1, [token(n)])
      await log.append('run-1', 1, [finish])
      const answers = await Promise.all(calls)
      assertWhole(entriesOf(answers.flatMap(({ value }) => value ?? [])), [...events, token(0), token(1), finish])
      assert.equal((await reader.next()).done, true)
    },
  },
]

/** A run that goes on, with batches of 3, 1, 4, 1, 7 and 2 entries. */
async function severalAppends(log: Log): Promise<RunEvent[]> {
  const events = await begin(log)
  for (const size of [1, 4, 1, 7, 2]) {
    const more = tokens(size, events.length)
    await log.append('run-1', 1, more)
    events.push(...more)
  }
  return events
}
