import { rmSync } from 'node:fs'
import { expect, test } from 'vitest'
import { openLog } from '../../src/logs/index.ts'
import {
  collect,
  eventsOf,
  finish,
  iterate,
  begin,
  readAll,
  seqs,
  take,
  token,
} from '../../src/testing/log-suite-given.ts'
import { testProcesses } from './processes.ts'
import { testStores } from './stores.ts'

const { place, open } = testStores()
const { start, startWriter } = testProcesses()

const reasonOf = (promise: Promise<unknown>) =>
  promise.then(
    () => 'accepted',
    (error: { reason?: string }) => error.reason,
  )

test('readers that wait for the same run are handed one and the same batch', async () => {
  const log = await open(place())
  await begin(log)
  const readers = Array.from({ length: 10 }, () => iterate(log, 'run-1', { follow: true }))
  await Promise.all(readers.map(take))
  const next = readers.map(take)
  await log.append('run-1', 1, [token(1)])
  expect(new Set(await Promise.all(next)).size).toBe(1)
})

test('an owner that was taken for dead is fenced: nothing of it is stored, and the rest of its group is', async () => {
  const path = place()
  const first = await open(path)
  const second = await open(path)
  const events = await begin(first)
  const others = ['other-1', 'other-2']
  for (const run_id of others) await begin(first, { run_id })
  const reader = iterate(first, 'run-1', { follow: true })
  const seen = [await take(reader)]
  const waiting = take(reader)

  // What a broken lock service would do: the locks are gone while their owner lives.
  rmSync(`${path}-owners`, { recursive: true })
  expect(await second.takeOver('run-1')).toBe(2)
  const appends = ['other-1', 'run-1', 'other-2'].map((run) => reasonOf(first.append(run, 1, [token('late')])))
  expect(await Promise.all(appends)).toEqual(['accepted', 'stale_owner', 'accepted'])
  expect(await reasonOf(first.append('run-1', 1, [token('later')]))).toBe('stale_owner')

  await second.append('run-1', 2, [token('on'), finish])
  seen.push(await waiting)
  expect(eventsOf(seen.flatMap(({ entries }) => entries))).toEqual([...events, token('on'), finish])
  expect((await reader.next()).done).toBe(true)
  expect(eventsOf(await readAll(first, 'run-1', { follow: true }))).toEqual([...events, token('on'), finish])
  for (const run of others) expect(seqs(await readAll(second, run))).toEqual([1, 2, 3, 4])
})

test('readers who saw what a fenced owner had not stored yet are told that it is void', async () => {
  const path = place()
  const first = await open(path)
  const second = await open(path)
  await begin(first, { durability: 'memory' })
  const reader = iterate(first, 'run-1', { follow: true })
  await take(reader)
  rmSync(`${path}-owners`, { recursive: true })
  await second.takeOver('run-1')
  await first.append('run-1', 1, [token('void')])
  expect((await take(reader)).last).toBe(4)
  expect(await reasonOf(reader.next())).toBe('stale_owner')
})

test('a process follows live what another one appends, and reaches its owner', async () => {
  const path = place()
  const log = await open(path)
  await begin(log)
  const request = { type: 'cancel', reason: 'from a child' }
  const heard = new Promise((resolve) => void log.onRequest((run, asked) => resolve([run, asked])))
  const follower = start('follower.js', { path, run: 'run-1', after: { epoch: 1, seq: 2 }, send: request })
  expect(await heard).toEqual(['run-1', request])
  await follower.printed(1)
  for (let n = 1; n <= 20; n++) {
    await log.append('run-1', 1, [token(n)])
    // The one line says that the last entry went live, not that it was found in the store at the end.
    await follower.printed(1 + n)
  }
  await log.append('run-1', 1, [finish])
  expect(await follower.ended).toBe(0)
  const texts = Array.from({ length: 20 }, (_, i) => `${i + 4} token ${i + 1} `)
  expect(follower.lines).toEqual(['3 step.start', ...texts, '24 finish'])
})

test('two processes own runs in one file at once, and a third follows both', async () => {
  const path = place()
  const log = await open(path)
  const settings = { path, runs: 4, entries: 50, end: true, options: { busyTimeoutMs: 20_000 } }
  const children = ['a', 'b'].map((name) => startWriter({ ...settings, name }))
  await Promise.all(children.map((child) => child.printed(50)))
  const runs = ['a', 'b'].flatMap((name) => Array.from({ length: 4 }, (_, i) => `${name}-1-${i}`))
  const read = await Promise.all(runs.map((run) => readAll(log, run, { follow: true })))
  expect(await Promise.all(children.map(({ ended }) => ended))).toEqual([0, 0])
  for (const [i, entries] of read.entries()) {
    expect(seqs(entries)).toEqual(Array.from({ length: 53 }, (_, n) => n + 1))
    expect(entries.slice(2, 52).map(({ event }) => 'text' in event && event.text)).toEqual(
      Array.from({ length: 50 }, (_, n) => `${runs[i]} ${n + 1}`),
    )
  }
})

const specs: [spec: (path: string) => string, expected: string[]][] = [
  [() => 'memory:', ['memory']],
  [(path) => path, ['sync', 'os', 'memory']],
  [(path) => `sqlite:${path}`, ['sync', 'os', 'memory']],
  [(path) => `SQLite:${path}`, ['sync', 'os', 'memory']],
]

for (const [spec, levels] of specs) {
  test(`a store is opened by its name: ${spec('PATH')}`, async () => {
    const log = await openLog(spec(place()))
    expect(log.levels).toEqual(levels)
    await begin(log)
    expect((await collect(log.read('run-1'))).length).toBe(1)
    await log.close()
  })
}

test('a store that there is not is refused, and the message tells those there are', async () => {
  for (const spec of ['postgres://localhost/x', 'constructor:', 'sqlite3:runs.db']) {
    expect(await reasonOf(openLog(spec))).toBe('store_unknown')
  }
  await expect(openLog('postgres://localhost/x')).rejects.toThrow(/memory, sqlite/)
})
