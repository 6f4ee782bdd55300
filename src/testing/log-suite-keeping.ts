import assert from 'node:assert/strict'
import type { IdempotencyClaim, ListQuery } from '../core/log.ts'
import { fakeClock } from './fake-clock.ts'
import type { LogCase } from './log-suite.ts'
import {
  assertRefused,
  assertWhole,
  begin,
  eventsOf,
  finish,
  iterate,
  newRun,
  readAll,
  take,
  token,
  tokens,
} from './log-suite-given.ts'

const START_MS = 1_700_000_000_000

const claim: IdempotencyClaim = {
  key: 'key-1',
  scope: 'me POST /v1/runs',
  fingerprint: 'sha256:a',
  expires_at: START_MS + 1000,
}

export const keeping: readonly LogCase[] = [
  {
    name: 'a key leads to the run that has it: while it goes on, after its end, from another process',
    async run({ open }) {
      const clock = fakeClock(START_MS)
      const log = await open({ clock })
      const events = await begin(log, { claim })
      const again = newRun(log, { run_id: 'run-2', claim })
      for (const from of [log, await open({ clock })]) {
        const joined = { type: 'existing', run: (await log.find('run-1'))!.header }
        assert.deepEqual(await from.create(again), joined)
        assert.deepEqual(await from.claimed(claim), joined)
        const other = newRun(log, { run_id: 'run-2', claim: { ...claim, fingerprint: 'sha256:b' } })
        const refused = { type: 'conflict', run: (await log.find('run-1'))!.header }
        assert.deepEqual(await from.create(other), refused)
        assert.deepEqual(await from.claimed({ ...claim, fingerprint: 'sha256:b' }), refused)
        assert.equal(await from.find('run-2'), undefined)
      }
      await log.append('run-1', 1, [finish])
      const found = await log.create(again)
      assert.equal(found.type === 'existing' && found.run.status, 'completed')
      assertWhole(await readAll(log, 'run-1'), [...events, finish])
    },
  },
  {
    name: 'a key counts within its scope, until it expires',
    async run({ open }) {
      const clock = fakeClock(START_MS)
      const log = await open({ clock })
      await begin(log, { claim })
      await begin(log, { run_id: 'run-2', claim: { ...claim, scope: 'you POST /v1/runs' } })
      await begin(log, { run_id: 'run-3', claim: { ...claim, key: 'key-2' } })
      await clock.advance(999)
      assert.equal((await log.create(newRun(log, { run_id: 'run-4', claim }))).type, 'existing')
      await clock.advance(1)
      assert.equal(await log.claimed(claim), undefined)
      const renewed = { ...claim, fingerprint: 'sha256:c', expires_at: START_MS + 5000 }
      await begin(log, { run_id: 'run-5', claim: renewed })
      const found = await log.create(newRun(log, { run_id: 'run-6', claim: renewed }))
      assert.equal(found.type === 'existing' && found.run.run_id, 'run-5')
    },
  },
  {
    name: 'a key that was sent fifty times at once makes one run',
    async run({ open }) {
      const clock = fakeClock(START_MS)
      const logs = await Promise.all([open({ clock }), open({ clock })])
      const created = await Promise.all(
        Array.from({ length: 50 }, (_, i) => {
          const log = logs[i % 2]!
          return log.create(newRun(log, { run_id: `run-${i}`, claim }))
        }),
      )
      assert.equal(created.filter(({ type }) => type === 'created').length, 1)
      const [run, ...others] = await logs[0].list()
      assert.deepEqual(others, [])
      for (const one of created) assert.equal(one.type === 'created' || one.run.run_id === run!.run_id, true)
      assert.equal(created.filter(({ type }) => type === 'existing').length, 49)
    },
  },
  {
    name: 'lists are newest first and hold what was asked for',
    async run({ open }) {
      const clock = fakeClock(START_MS)
      const log = await open({ clock })
      for (let i = 0; i < 6; i++) {
        await begin(log, { run_id: `run-${i}`, session_id: i % 2 ? 'odd' : 'even' })
        if (i > 1) await clock.advance(10)
      }
      for (const run_id of ['run-1', 'run-2']) await log.append(run_id, 1, [finish])
      const cases: [ListQuery | undefined, ids: number[]][] = [
        [undefined, [5, 4, 3, 2, 1, 0]],
        [{ limit: 2 }, [5, 4]],
        [{ session_id: 'odd' }, [5, 3, 1]],
        [{ session_id: 'nobody' }, []],
        [{ status: 'running' }, [5, 4, 3, 0]],
        [{ status: 'completed' }, [2, 1]],
        [{ status: 'failed' }, []],
        [{ before: START_MS + 20 }, [3, 2, 1, 0]],
        [{ before: START_MS }, []],
        [{ session_id: 'even', status: 'running', before: START_MS + 40, limit: 1 }, [4]],
        // Of runs that began in the same millisecond, too, none is left out and none comes twice.
        [{ before_run: 'run-2', limit: 1 }, [1]],
        [{ before_run: 'run-1' }, [0]],
        [{ before_run: 'run-0' }, []],
        [{ before_run: 'run-5', session_id: 'even', status: 'running' }, [4, 0]],
      ]
      for (const [query, ids] of cases) {
        const listed = (await log.list(query)).map(({ run_id }) => run_id)
        assert.deepEqual(
          listed,
          ids.map((id) => `run-${id}`),
          JSON.stringify(query),
        )
      }
      for (const limit of [0, -1, 1.5, 1001, Number.NaN]) {
        const refusal = { code: 'invalid_request', reason: 'limit_out_of_range', status: 400 } as const
        await assertRefused(log.list({ limit }), refusal)
      }
      await assertRefused(log.list({ before_run: 'nope' }), { code: 'not_found', reason: 'run_unknown', status: 404 })
    },
  },
  {
    name: 'retention by age takes ended runs, and leaves what says that they were there',
    async run({ open }) {
      const clock = fakeClock(START_MS)
      const log = await open({ clock })
      const running = await begin(log, { run_id: 'running' })
      const old = await begin(log, { run_id: 'old', prompt: 'Secret?' })
      const young = await begin(log, { run_id: 'young' })
      await log.append('old', 1, [token(1), finish])
      await clock.advance(1000)
      await log.append('young', 1, [finish])
      await clock.advance(500)
      const before = (await log.find('old'))!

      assert.deepEqual(await log.prune({ maxAgeMs: 2000 }), { runs: 0, bytes: 0 })
      const pruned = await log.prune({ maxAgeMs: 1000 })
      assert.equal(pruned.runs, 1)
      assert.ok(pruned.bytes > 0)
      assert.deepEqual(await log.prune({ maxAgeMs: 1000 }), { runs: 0, bytes: 0 })

      assertWhole(await readAll(log, 'running'), running)
      assertWhole(await readAll(log, 'young'), [...young, finish])
      const expired = { code: 'not_found', reason: 'cursor_expired', status: 410 } as const
      const last = old.length + 2
      for (const after of [
        { epoch: 0, seq: 0 },
        { epoch: 1, seq: 0 },
        { epoch: 1, seq: last - 1 },
      ]) {
        await assertRefused(readAll(log, 'old', { after }), expired)
        await assertRefused(readAll(log, 'old', { after, follow: true }), expired)
      }
      // Who has seen everything misses nothing.
      assert.deepEqual(await readAll(log, 'old', { after: { epoch: 1, seq: last }, follow: true }), [])
      const future = { code: 'invalid_request', reason: 'cursor_future', status: 409 } as const
      await assertRefused(readAll(log, 'old', { after: { epoch: 1, seq: last + 1 } }), future)

      const header = { ...before.header, title: '' }
      const request = { messages: [], prompt: '', options: {}, tools: [] }
      assert.deepEqual(await log.find('old'), { header, request })
      assert.deepEqual(
        (await log.list()).map(({ run_id }) => run_id),
        ['young', 'old', 'running'],
      )
      await assertRefused(log.append('old', 1, [token(1)]), { code: 'internal', reason: 'run_ended' })
    },
  },
  {
    name: 'retention by size takes the runs that ended first, until the rest fits',
    async run({ open }) {
      const clock = fakeClock(START_MS)
      const log = await open({ clock })
      const ids = ['a', 'b', 'c', 'd']
      for (const run_id of ids) await begin(log, { run_id })
      for (const run_id of ['b', 'a', 'c']) {
        await log.append(run_id, 1, [...tokens(50), finish])
        await clock.advance(10)
      }
      const readable = async () => {
        const counts = await Promise.all(ids.map((run_id) => readAll(log, run_id).then(eventsOf, () => [])))
        return ids.filter((_, i) => counts[i]!.length > 0)
      }
      const { bytes } = await log.prune({ maxBytes: 0, maxAgeMs: 15 })
      assert.deepEqual(await readable(), ['d'])
      assert.ok(bytes > 0)

      for (const run_id of ['e', 'f', 'g']) {
        ids.push(run_id)
        await begin(log, { run_id })
        await log.append(run_id, 1, [...tokens(50), finish])
        await clock.advance(10)
      }
      assert.deepEqual(await log.prune({ maxBytes: bytes * 2 }), { runs: 0, bytes: 0 })
      // Three runs took `bytes`: half of it holds one of them beside the run that goes on.
      assert.equal((await log.prune({ maxBytes: bytes / 2 })).runs, 2)
      assert.deepEqual(await readable(), ['d', 'g'])
      assert.equal((await log.prune({ maxBytes: 0 })).runs, 1)
      assert.deepEqual(await readable(), ['d'])
    },
  },
  {
    name: 'a reader whose run is pruned under it is told so',
    async run({ open }) {
      const clock = fakeClock(START_MS)
      const log = await open({ clock })
      await begin(log)
      for (let n = 0; n < 40; n++) await log.append('run-1', 1, tokens(100, n * 100))
      await log.append('run-1', 1, [finish])
      const reader = iterate(await open({ clock }), 'run-1')
      await take(reader)
      await clock.advance(10)
      await log.prune({ maxAgeMs: 1 })
      const rest = async () => {
        while (!(await reader.next()).done);
      }
      await assertRefused(rest(), { code: 'not_found', reason: 'cursor_expired', status: 410 })
    },
  },
  {
    name: 'a key outlives the entries of its run, and is forgotten when it expires',
    async run({ open }) {
      const clock = fakeClock(START_MS)
      const log = await open({ clock })
      await begin(log, { claim })
      await log.append('run-1', 1, [finish])
      await clock.advance(100)
      assert.equal((await log.prune({ maxAgeMs: 50 })).runs, 1)
      assert.equal((await log.create(newRun(log, { run_id: 'run-2', claim }))).type, 'existing')
      await clock.advance(1000)
      await log.prune({})
      assert.equal((await log.create(newRun(log, { run_id: 'run-2', claim }))).type, 'created')
    },
  },
]
