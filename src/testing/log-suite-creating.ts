import assert from 'node:assert/strict'
import type { Durability, RunEvent, TerminalEvent } from '../core/event.ts'
import type { RunHeader } from '../core/log.ts'
import { checkOrder } from '../core/order.ts'
import { fakeClock } from './fake-clock.ts'
import type { LogCase } from './log-suite.ts'
import { randomEvents, seededRandom } from './random-run.ts'
import {
  assertRefused,
  assertWhole,
  begin,
  eventsOf,
  failure,
  finish,
  newRun,
  readAll,
  seqs,
  token,
  tokens,
  usage,
} from './log-suite-given.ts'

const START_MS = 1_700_000_000_000

export const creating: readonly LogCase[] = [
  {
    name: 'a created run is there at once: its entries, its header, its request',
    async run({ open }) {
      const log = await open({ clock: fakeClock(START_MS) })
      const run = newRun(log, { prompt: '  What is\n a log?' })
      assert.deepEqual(await log.create(run), { type: 'created', cursor: { epoch: 1, seq: 3 } })
      const { provider, model, trace_id, request_id, run_id, session_id, durability } = run.start
      const header: RunHeader = {
        run_id,
        session_id,
        request_id,
        trace_id,
        provider,
        model,
        durability,
        created_at: START_MS,
        status: 'running',
        cursor: { epoch: 1, seq: 3 },
        title: 'What is',
      }
      assert.deepEqual(await log.find(run_id), { header, request: run.request })
      assert.deepEqual(await log.list(), [header])
      assert.deepEqual(await readAll(log, run_id), [
        { seq: 1, ts: START_MS, epoch: 1, event: run.start },
        { seq: 2, ts: START_MS, event: run.events[0] },
        { seq: 3, ts: START_MS, event: run.events[1] },
      ])
    },
  },
  {
    name: 'an id is given to one run only',
    async run({ open }) {
      const log = await open()
      const events = await begin(log)
      await assertRefused(log.create(newRun(log, { prompt: 'another' })), {
        code: 'invalid_request',
        reason: 'run_exists',
        status: 409,
      })
      assertWhole(await readAll(log, 'run-1'), events)
    },
  },
  {
    name: 'a durability is kept or refused, never pretended',
    async run({ open }) {
      const log = await open()
      for (const durability of ['sync', 'os', 'memory'] satisfies Durability[]) {
        const run = newRun(log, { run_id: durability, durability })
        if (log.levels.includes(durability)) {
          assert.equal((await log.create(run)).type, 'created')
          assert.equal((await log.find(durability))?.header.durability, durability)
        } else {
          await assertRefused(log.create(run), { code: 'unsupported', reason: 'durability_unavailable' })
          assert.equal(await log.find(durability), undefined)
        }
      }
    },
  },
  {
    name: 'at every level that it has, a log gives back what it was given',
    async run({ open }) {
      const log = await open()
      for (const durability of log.levels) {
        const events = await begin(log, { run_id: durability, durability })
        for (const event of tokens(20)) {
          await log.append(durability, 1, [event])
          events.push(event)
          assert.equal((await log.find(durability))?.header.cursor.seq, events.length)
        }
        assertWhole(await readAll(log, durability), events)
        await log.append(durability, 1, [finish])
        assertWhole(await readAll(log, durability, { follow: true }), [...events, finish])
        assert.equal((await log.find(durability))?.header.status, 'completed')
      }
    },
  },
  {
    name: 'entries count on over appends of any size, each with the time of its append',
    async run({ open }) {
      const clock = fakeClock(START_MS)
      const log = await open({ clock })
      const events = await begin(log)
      const times = events.map(() => START_MS)
      for (const size of [1, 2, 5, 1, 3]) {
        await clock.advance(10)
        const more = tokens(size, events.length)
        assert.deepEqual(await log.append('run-1', 1, more), { epoch: 1, seq: events.length + size })
        events.push(...more)
        times.push(...more.map(() => clock.now()))
      }
      const entries = await readAll(log, 'run-1')
      assertWhole(entries, events)
      assert.deepEqual(
        entries.map(({ ts }) => ts),
        times,
      )
      assert.deepEqual((await log.find('run-1'))?.header.cursor, { epoch: 1, seq: events.length })
    },
  },
  {
    name: 'runs that are written at once do not mix',
    async run({ open }) {
      const log = await open()
      const ids = Array.from({ length: 50 }, (_, i) => `run-${i}`)
      await Promise.all(
        ids.map(async (run_id) => {
          await begin(log, { run_id })
          for (let n = 0; n < 20; n++) await log.append(run_id, 1, [token(`${n} of ${run_id}`)])
        }),
      )
      for (const run_id of ids) {
        const run = newRun(log, { run_id })
        const said = Array.from({ length: 20 }, (_, n) => token(`${n} of ${run_id}`))
        assertWhole(await readAll(log, run_id), [run.start, ...run.events, ...said])
      }
    },
  },
  {
    name: 'text that breaks framers comes back as it was',
    async run({ open }) {
      const log = await open()
      const texts = [
        '\u2028\u2029\u0085',
        '\0',
        '\r\n\r',
        '👩‍👩‍👧‍👦',
        '\uFEFFx',
        '"\\',
        'ü'.repeat(100),
        '\ud800 alone',
        'x\n',
      ]
      const events = await begin(log)
      for (const text of texts) {
        const event: RunEvent = { type: 'text.delta', step: 1, text }
        await log.append('run-1', 1, [event])
        events.push(event)
      }
      const batch: RunEvent[] = texts.map((text) => ({ type: 'reasoning.delta', step: 1, text }))
      await log.append('run-1', 1, batch)
      assertWhole(await readAll(log, 'run-1'), [...events, ...batch])
    },
  },
  {
    name: 'large events and large batches come back as they were',
    async run({ open }) {
      const log = await open()
      const events = await begin(log)
      const large: RunEvent[] = [token('ä'.repeat(1_000_000)), token('x'.repeat(70_000)), token('small')]
      for (const event of large) await log.append('run-1', 1, [event])
      const many = tokens(5000)
      await log.append('run-1', 1, many)
      assertWhole(await readAll(log, 'run-1'), [...events, ...large, ...many])
    },
  },
  {
    name: 'whatever a run holds, however it is cut into appends, is read back',
    async run({ open }) {
      const log = await open()
      for (let seed = 1; seed <= 20; seed++) {
        const random = seededRandom(seed)
        const [start, ...events] = randomEvents(random) as [ReturnType<typeof newRun>['start'], ...RunEvent[]]
        const durability = log.levels[0]!
        const run = { ...newRun(log), start: { ...start, durability, run_id: `run-${seed}` }, events: [] }
        await log.create(run)
        const rest = [...events]
        while (rest.length > 0) await log.append(`run-${seed}`, 1, rest.splice(0, 1 + Math.floor(random() * 4)))
        const entries = await readAll(log, `run-${seed}`, { follow: true })
        assertWhole(entries, [run.start, ...events])
        checkOrder(entries, { ended: true })
      }
    },
  },
  ...endings(),
  {
    name: 'a run may end with its first entries',
    async run({ open }) {
      const log = await open()
      const run = newRun(log, { events: [failure] })
      assert.deepEqual(await log.create(run), { type: 'created', cursor: { epoch: 1, seq: 2 } })
      assert.equal((await log.find('run-1'))?.header.status, 'failed')
      assertWhole(await readAll(log, 'run-1', { follow: true }), [run.start, failure])
      await assertRefused(log.append('run-1', 1, [token(1)]), { code: 'internal', reason: 'run_ended' })
    },
  },
  {
    name: 'nothing follows the terminal event, in a later append or in the same one',
    async run({ open }) {
      const log = await open()
      const events = await begin(log)
      await assertRefused(log.append('run-1', 1, [finish, token(1)]), { code: 'internal', reason: 'run_ended' })
      assertWhole(await readAll(log, 'run-1'), events)
      await log.append('run-1', 1, [token(1), finish])
      await assertRefused(log.append('run-1', 1, [token(2)]), { code: 'internal', reason: 'run_ended' })
      await assertRefused(log.append('run-1', 1, [failure]), { code: 'internal', reason: 'run_ended' })
      assertWhole(await readAll(log, 'run-1'), [...events, token(1), finish])
    },
  },
  {
    name: 'an append carries at least one event',
    async run({ open }) {
      const log = await open()
      await begin(log)
      await assertRefused(log.append('run-1', 1, []), { code: 'internal', reason: 'empty_append' })
      assert.deepEqual(seqs(await readAll(log, 'run-1')), [1, 2, 3])
    },
  },
  {
    name: 'an epoch that is not the run’s own is refused',
    async run({ open }) {
      const log = await open()
      const events = await begin(log)
      for (const epoch of [0, 2]) {
        await assertRefused(log.append('run-1', epoch, [token(1)]), { code: 'internal', reason: 'stale_owner' })
      }
      await log.append('run-1', 1, [token(2)])
      assert.deepEqual(eventsOf(await readAll(log, 'run-1')), [...events, token(2)])
    },
  },
  {
    name: 'a run that is not there is not_found, whatever is asked of it',
    async run({ open }) {
      const log = await open()
      const unknown = { code: 'not_found', reason: 'run_unknown', status: 404 } as const
      assert.equal(await log.find('nobody'), undefined)
      await assertRefused(readAll(log, 'nobody'), unknown)
      await assertRefused(readAll(log, 'nobody', { follow: true }), unknown)
      await assertRefused(log.append('nobody', 1, [token(1)]), unknown)
      await assertRefused(log.send('nobody', { type: 'cancel', reason: 'x' }), unknown)
      await assertRefused(log.takeOver('nobody'), unknown)
    },
  },
]

/** One case for each way to end: the header follows in the same step. */
function endings(): LogCase[] {
  const ways: [TerminalEvent, Partial<RunHeader>][] = [
    [finish, { status: 'completed', finish_reason: 'stop', usage }],
    [
      { ...finish, finish_reason: 'cancelled' },
      { status: 'cancelled', finish_reason: 'cancelled', usage },
    ],
    [failure, { status: 'failed', error: failure.error }],
    [
      { ...failure, usage },
      { status: 'failed', error: failure.error, usage },
    ],
  ]
  return ways.map(([event, end], i) => ({
    name: `the header tells how a run ended: ${end.status}${end.usage ? ', with usage' : ''} (${i + 1})`,
    async run({ open }) {
      const clock = fakeClock(START_MS)
      const log = await open({ clock })
      await begin(log)
      const before = (await log.find('run-1'))!.header
      await clock.advance(500)
      await log.append('run-1', 1, [token(1), event])
      const after = { ...before, ...end, ended_at: START_MS + 500, cursor: { epoch: 1, seq: 5 } }
      assert.deepEqual((await log.find('run-1'))?.header, after)
      assert.deepEqual(await log.list(), [after])
    },
  }))
}
