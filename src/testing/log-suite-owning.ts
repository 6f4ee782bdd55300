import assert from 'node:assert/strict'
import type { Cursor } from '../core/cursor.ts'
import type { RunId } from '../core/event.ts'
import type { ControlRequest, Log } from '../core/log.ts'
import type { LogCase } from './log-suite.ts'
import {
  assertRefused,
  assertWhole,
  begin,
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

export const owning: readonly LogCase[] = [
  {
    name: 'a run whose owner lives is no orphan and is not taken over',
    async run({ open }) {
      const log = await open()
      const other = await open()
      await begin(log)
      for (const asking of [log, other]) {
        assert.deepEqual(await asking.orphans(), [])
        assert.equal(await asking.takeOver('run-1'), undefined)
      }
      await log.append('run-1', 1, [token(1), finish])
      await log.close()
      assert.deepEqual(await other.orphans(), [])
      assert.equal(await other.takeOver('run-1'), undefined)
    },
  },
  {
    name: 'what a dead process stored is there, and its run goes on under the next epoch',
    async run({ open }) {
      const dead = await open()
      const events = await begin(dead)
      for (const event of tokens(3)) await dead.append('run-1', 1, [event])
      await dead.close()

      const log = await open()
      const orphans = await log.orphans()
      assert.deepEqual(
        orphans.map(({ run_id, status, cursor }) => ({ run_id, status, cursor })),
        [{ run_id: 'run-1', status: 'running', cursor: { epoch: 1, seq: 6 } }],
      )
      assert.equal(await log.takeOver('run-1'), 2)
      assert.deepEqual(await log.orphans(), [])
      await assertRefused(log.append('run-1', 1, [token('late')]), { code: 'internal', reason: 'stale_owner' })
      assert.deepEqual(await log.append('run-1', 2, [token('on'), token('and on')]), { epoch: 2, seq: 8 })
      await log.append('run-1', 2, [failure])

      const entries = await readAll(log, 'run-1', { follow: true })
      assertWhole(entries, [...events, ...tokens(3), token('on'), token('and on'), failure])
      assert.deepEqual(
        entries.flatMap(({ seq, epoch }) => (epoch === undefined ? [] : [[seq, epoch]])),
        [
          [1, 1],
          [7, 2],
        ],
      )
      assert.deepEqual((await log.find('run-1'))?.header.cursor, { epoch: 2, seq: 9 })
    },
  },
  {
    name: 'of several that take an orphan over at once, one gets it',
    async run({ open }) {
      const dead = await open()
      for (const run_id of ['run-1', 'run-2', 'run-3']) await begin(dead, { run_id })
      await dead.close()
      const logs = await Promise.all([open(), open(), open()])
      for (const run_id of ['run-1', 'run-2', 'run-3']) {
        const epochs = await Promise.all(logs.map((log) => log.takeOver(run_id)))
        assert.deepEqual(
          epochs.filter((epoch) => epoch !== undefined),
          [2],
        )
        const winner = epochs.indexOf(2)
        for (const [i, log] of logs.entries()) {
          const appending = log.append(run_id, 2, [token(i)])
          if (i === winner) assert.deepEqual(await appending, { epoch: 2, seq: 4 })
          else await assertRefused(appending, { code: 'internal', reason: 'stale_owner' })
        }
      }
    },
  },
  {
    name: 'a cursor belongs to the epoch that wrote its entry',
    async run({ open }) {
      const dead = await open()
      const events = await begin(dead)
      await dead.close()
      const log = await open()
      await log.takeOver('run-1')
      await log.append('run-1', 2, tokens(2))
      const whole = [...events, ...tokens(2)]
      const good: Cursor[] = [
        { epoch: 0, seq: 0 },
        { epoch: 1, seq: 0 },
        { epoch: 1, seq: 3 },
        { epoch: 2, seq: 4 },
        { epoch: 2, seq: 5 },
      ]
      for (const after of good) {
        assert.deepEqual(eventsOf(await readAll(log, 'run-1', { after })), whole.slice(after.seq))
      }
      const bad: [Cursor, status: number, reason: string][] = [
        [{ epoch: 2, seq: 3 }, 409, 'cursor_foreign'],
        [{ epoch: 1, seq: 4 }, 409, 'cursor_foreign'],
        [{ epoch: 0, seq: 3 }, 400, 'cursor_epoch_required'],
        [{ epoch: 2, seq: 6 }, 409, 'cursor_future'],
        [{ epoch: 3, seq: 4 }, 409, 'cursor_future'],
      ]
      for (const [after, status, reason] of bad) {
        await assertRefused(readAll(log, 'run-1', { after }), { code: 'invalid_request', reason, status })
      }
    },
  },
  {
    name: 'a follower stays on a run through the death of its owner, in the process that takes over and in any other',
    async run({ open }) {
      const dead = await open()
      const next = await open()
      const other = await open()
      const events = await begin(dead)
      const readers = [next, other].map((log) => iterate(log, 'run-1', { follow: true }))
      const seen = await Promise.all(readers.map(async (reader) => [await take(reader)]))
      const pending = readers.map(take)
      await dead.close()
      assert.equal(await next.takeOver('run-1'), 2)
      await next.append('run-1', 2, [token('on')])
      for (const [i, batch] of (await Promise.all(pending)).entries()) seen[i]!.push(batch)
      const ends = readers.map(take)
      await next.append('run-1', 2, [failure])
      for (const [i, batch] of (await Promise.all(ends)).entries()) {
        assertWhole(entriesOf([...seen[i]!, batch]), [...events, token('on'), failure])
        assert.equal((await readers[i]!.next()).done, true)
      }
    },
  },
  {
    name: 'a request reaches the owner of the run once, from its own process and from another, in order',
    async run({ open }) {
      const owner = await open()
      const other = await open()
      await begin(owner)
      await begin(other, { run_id: 'run-2' })
      const heard = listen(owner)
      const misheard = listen(other)
      const requests: ControlRequest[] = [
        { type: 'cancel', reason: 'asked for' },
        { type: 'steer', text: 'ä\u2028' },
        { type: 'answer', call_id: 'call_1', result: { ok: [1, null] }, is_error: false },
      ]
      for (const request of requests) await other.send('run-1', request)
      await heard.until(3)
      await owner.send('run-1', requests[0]!)
      await heard.until(4)
      assert.deepEqual(
        heard.all,
        [...requests, requests[0]!].map((request) => ['run-1', request]),
      )
      assert.deepEqual(misheard.all, [])
    },
  },
  {
    name: 'a request that came before anybody listened is not lost; who stopped listening hears nothing',
    async run({ open }) {
      const owner = await open()
      const other = await open()
      await begin(owner)
      await owner.send('run-1', { type: 'cancel', reason: 'from here' })
      await other.send('run-1', { type: 'cancel', reason: 'from elsewhere' })
      const heard = listen(owner)
      await heard.until(2)
      heard.stop()
      await owner.send('run-1', { type: 'cancel', reason: 'too late' })
      assert.deepEqual(heard.all.map(([, request]) => (request as { reason: string }).reason).toSorted(), [
        'from elsewhere',
        'from here',
      ])
    },
  },
  {
    name: 'a request to an orphan reaches the next owner; one to an ended run reaches nobody',
    async run({ open }) {
      const dead = await open()
      await begin(dead)
      await dead.close()
      const log = await open()
      const other = await open()
      const heard = listen(log)
      await other.send('run-1', { type: 'cancel', reason: 'to an orphan' })
      assert.deepEqual(heard.all, [])
      await log.takeOver('run-1')
      await heard.until(1)
      await log.append('run-1', 2, [finish])
      await other.send('run-1', { type: 'cancel', reason: 'too late' })
      await log.send('run-1', { type: 'cancel', reason: 'too late' })
      await begin(log, { run_id: 'run-2' })
      await other.send('run-2', { type: 'cancel', reason: 'to the next run' })
      await heard.until(2)
      assert.deepEqual(heard.all, [
        ['run-1', { type: 'cancel', reason: 'to an orphan' }],
        ['run-2', { type: 'cancel', reason: 'to the next run' }],
      ])
    },
  },
]

interface Listening {
  readonly all: [RunId, ControlRequest][]
  /** Resolves once this many were heard. */
  until(count: number): Promise<void>
  stop(): void
}

function listen(log: Log): Listening {
  const all: [RunId, ControlRequest][] = []
  let wake: (() => void) | undefined
  const stop = log.onRequest((run, request) => {
    all.push([run, request])
    wake?.()
  })
  return {
    all,
    stop,
    async until(count) {
      while (all.length < count) await new Promise<void>((resolve) => (wake = resolve))
    },
  }
}
