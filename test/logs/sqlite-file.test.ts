import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import type { Batch } from '../../src/core/batch.ts'
import { RunletError } from '../../src/core/error.ts'
import type { Gap, Log } from '../../src/core/log.ts'
import { loadSqlite } from '../../src/logs/sqlite/driver.ts'
import { checksum } from '../../src/logs/sqlite/rows.ts'
import { begin, collect, finish, iterate, newRun, readAll, seqs, token } from '../../src/testing/log-suite-given.ts'
import { testProcesses } from './processes.ts'
import { testStores } from './stores.ts'

const { place, open } = testStores()
const { start, startWriter } = testProcesses()

const reasonOf = (promise: Promise<unknown>) =>
  promise.then(
    () => 'accepted',
    (error: unknown) => (error instanceof RunletError ? `${error.code} ${error.reason} ${error.status}` : error),
  )

/** Runs SQL in a store from outside, as another program would. */
async function tamper(path: string, sql: string): Promise<void> {
  const { DatabaseSync } = await loadSqlite()
  const db = new DatabaseSync(path)
  db.exec(sql)
  db.close()
}

test('a new store is for its owner alone, and so is the folder that was made for it', async () => {
  const path = join(dirname(place()), 'new', 'folder', 'runs.db')
  const log = await open(path)
  await begin(log)
  const modes = ['', '-wal', '-shm', '-owners'].map((suffix) => (statSync(path + suffix).mode & 0o777).toString(8))
  expect(modes).toEqual(['600', '600', '600', '700'])
  expect((statSync(dirname(path)).mode & 0o777).toString(8)).toBe('700')
})

test('closing leaves one file, which another log opens', async () => {
  const path = place()
  const log = await open(path)
  await begin(log)
  await log.close()
  expect(statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0).toBe(0)
  expect(readdirSync(`${path}-owners`)).toEqual([])
  expect(seqs(await readAll(await open(path), 'run-1'))).toEqual([1, 2, 3])
})

test('a store of a later format is refused and not a byte of it is changed', async () => {
  const path = place()
  const log = await open(path)
  await begin(log)
  await log.close()
  await tamper(path, 'PRAGMA user_version = 2')
  const before = readFileSync(path)
  expect(await reasonOf(open(path))).toBe('unsupported store_newer 501')
  expect(readFileSync(path).equals(before)).toBe(true)
})

const strangers: [what: string, make: (path: string) => Promise<void> | void][] = [
  ['text', (path) => writeFileSync(path, 'Dear diary, today I have nothing to say.\n'.repeat(100))],
  ['a few bytes', (path) => writeFileSync(path, 'hello')],
  ['the database of another program', (path) => tamper(path, 'CREATE TABLE mine (a); INSERT INTO mine VALUES (1)')],
]

for (const [what, make] of strangers) {
  test(`a file that is ${what} is refused and left as it is`, async () => {
    const path = place()
    await make(path)
    const before = readFileSync(path)
    expect(await reasonOf(open(path))).toBe('invalid_request store_not_a_database 400')
    expect(readFileSync(path).equals(before)).toBe(true)
  })
}

/** Clients of a server read the message, so it names the file alone; its owner reads the cause, which says where it is. */
async function expectHidden(work: Promise<unknown>, path: string): Promise<void> {
  const { message, cause } = await work.then(
    () => new Error('it was taken'),
    (thrown: unknown) => thrown as Error,
  )
  expect(message).toContain(basename(path))
  expect(message).not.toContain(dirname(path))
  expect(String(cause)).toContain(path)
}

test('a file of no bytes becomes a store', async () => {
  const path = place()
  writeFileSync(path, '')
  const log = await open(path)
  await begin(log)
  expect(seqs(await readAll(log, 'run-1'))).toEqual([1, 2, 3])
})

test('a place that cannot be written is refused, and the message names it', async () => {
  const path = place()
  writeFileSync(path, '')
  const below = join(path, 'runs.db')
  expect(await reasonOf(open(below))).toBe('forbidden store_unwritable 403')
  await expect(open(below)).rejects.toThrow(below)
  mkdirSync(`${path}.folder`)
  expect(await reasonOf(open(`${path}.folder`))).toBe('forbidden store_unwritable 403')
})

test('many processes that come to a missing file at once make one store', async () => {
  const path = place()
  const children = Array.from({ length: 6 }, (_, i) => startWriter({ path, name: `run${i}`, entries: 5 }))
  expect(await Promise.all(children.map(({ ended }) => ended))).toEqual([0, 0, 0, 0, 0, 0])
  const log = await open(path)
  expect((await log.list()).length).toBe(6)
  for (let i = 0; i < 6; i++) expect(seqs(await readAll(log, `run${i}-1-0`))).toEqual([1, 2, 3, 4, 5, 6, 7])
})

test('a process that closes nothing can end all the same', async () => {
  const path = place()
  const code = `
    import { sqliteLog } from ${JSON.stringify(new URL('../../dist/logs/sqlite.js', import.meta.url).href)}
    const log = await sqliteLog(${JSON.stringify(path)})
    await log.create(${JSON.stringify(newRun(await open(path)))})
    await log.append('run-1', 1, [${JSON.stringify(token(1))}])
  `
  const script = join(dirname(path), 'unclosed.mjs')
  writeFileSync(script, code)
  expect(await start(script, {}).ended).toBe(0)
  expect(seqs(await readAll(await open(path), 'run-1'))).toEqual([1, 2, 3, 4])
})

/** Three runs of six batches of two entries, stored, closed, and their file given to `damage`. */
async function damaged(damage: (path: string) => Promise<void> | void): Promise<Log> {
  const path = place()
  const log = await open(path)
  for (const run_id of ['other', 'run-1', 'another']) {
    await begin(log, { run_id, events: [{ type: 'step.start', step: 1, attempt: 1 }] })
    for (let n = 2; n <= 5; n++) await log.append(run_id, 1, [token(`${run_id} ${n} a`), token(`${run_id} ${n} b`)])
    await log.append(run_id, 1, [token(`${run_id} 6 a`), finish])
  }
  await log.close()
  await damage(path)
  return open(path)
}

function shape(records: readonly (Batch | Gap)[]): string[] {
  return records.map((record) =>
    record.type === 'gap' ? `gap ${record.from}-${record.to} ${record.reason}` : `${record.first}-${record.last}`,
  )
}

/** Flips a bit of a text in the file, in the copies of it that SQLite leaves behind on its pages, too. */
function flipBit(path: string, text: string): void {
  const bytes = readFileSync(path)
  for (let at = bytes.indexOf(text); at >= 0; at = bytes.indexOf(text, at + 1)) bytes[at + 2]! ^= 0x04
  writeFileSync(path, bytes)
}

const damages: [what: string, (path: string) => Promise<void> | void, expected: string[]][] = [
  [
    'a flipped bit in the first batch',
    (path) => flipBit(path, 'request_id":"request of run-1'),
    ['gap 1-2 corrupt', '3-12'],
  ],
  ['a flipped bit in the middle', (path) => flipBit(path, 'run-1 3 a'), ['1-4', 'gap 5-6 corrupt', '7-12']],
  [
    'two flipped bits in neighbours',
    (path) => {
      flipBit(path, 'run-1 3 a')
      flipBit(path, 'run-1 4 b')
    },
    ['1-4', 'gap 5-8 corrupt', '9-12'],
  ],
  ['a flipped bit in the last batch', (path) => flipBit(path, 'run-1 6 a'), ['1-10', 'gap 11-12 corrupt']],
  [
    'a batch that is gone',
    (path) => tamper(path, 'DELETE FROM batches WHERE id = 2 << 32 | 7'),
    ['1-6', 'gap 7-8 corrupt', '9-12'],
  ],
  [
    'a batch of another run in its place',
    (path) =>
      tamper(
        path,
        'UPDATE batches SET lines = (SELECT lines FROM batches WHERE id = 1 << 32 | 7), crc = (SELECT crc FROM batches WHERE id = 1 << 32 | 7) WHERE id = 2 << 32 | 7',
      ),
    ['1-6', 'gap 7-8 corrupt', '9-12'],
  ],
  [
    'all batches gone',
    (path) => tamper(path, 'DELETE FROM batches WHERE id BETWEEN 2 << 32 AND 3 << 32'),
    ['gap 1-12 corrupt'],
  ],
]

for (const [what, damage, expected] of damages) {
  test(`${what} is never served: the reader is told, and goes on behind it`, async () => {
    const log = await damaged(damage)
    expect(shape(await collect(log.read('run-1', { follow: true })))).toEqual(expected)
    for (const run of ['other', 'another']) expect(shape(await collect(log.read(run)))).toEqual(['1-12'])
  })
}

test('a cursor inside damaged entries is told of the rest of them only', async () => {
  const log = await damaged((path) => flipBit(path, 'run-1 3 a'))
  const after = { epoch: 1, seq: 5 }
  expect(shape(await collect(log.read('run-1', { after })))).toEqual(['gap 6-6 corrupt', '7-12'])
})

test('the checksum of a row notices every flipped bit, and every other place', () => {
  const lines = '{"type":"text.delta","ts":1763000000000,"seq":2,"step":1,"text":"ünï \u2028 \uFFFD"}\n'
  const row = { epoch: 1, first: 2, last: 2, lines }
  const right = checksum(7, row)
  const bytes = Buffer.from(lines)
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const flipped = Buffer.from(bytes)
    flipped[bit >> 3]! ^= 1 << (bit & 7)
    // Bytes that are no UTF-8 are read as U+FFFD; where that stood before, the text is the same.
    const read = flipped.toString()
    expect(read === lines || checksum(7, { ...row, lines: read }) !== right).toBe(true)
  }
  const elsewhere = [checksum(8, row), ...['epoch', 'first', 'last'].map((name) => checksum(7, { ...row, [name]: 3 }))]
  expect(elsewhere.includes(right)).toBe(false)
})

test('an orphan whose last batch is damaged is taken over behind it', async () => {
  const path = place()
  const dead = await open(path)
  await begin(dead)
  await dead.append('run-1', 1, [token('broken'), token('too')])
  await dead.close()
  flipBit(path, 'token broken')
  const log = await open(path)
  expect(await log.takeOver('run-1')).toBe(2)
  await log.append('run-1', 2, [finish])
  expect(shape(await collect(log.read('run-1')))).toEqual(['1-3', 'gap 4-5 corrupt', '6-6'])
})

test('a full disk is said once and for all: nothing is acknowledged any more, all that was can be read', async () => {
  const path = place()
  const log = await open(path, { maxFileBytes: 200_000 })
  await begin(log)
  await begin(log, { run_id: 'quiet' })
  const follower = iterate(log, 'quiet', { follow: true })
  await follower.next()
  const waiting = reasonOf(follower.next())
  let last = 3
  let refusal: unknown = 'accepted'
  while (refusal === 'accepted') {
    const appending = log.append('run-1', 1, [token('x'.repeat(3000))])
    refusal = await reasonOf(appending)
    if (refusal === 'accepted') last = (await appending).seq
  }
  const full = 'internal disk_full 507'
  expect(refusal).toBe(full)
  expect(last).toBeGreaterThan(20)
  expect(await waiting).toBe(full)
  for (const attempt of [
    log.append('run-1', 1, [token('small')]),
    log.append('quiet', 1, [token('small')]),
    log.create(newRun(log, { run_id: 'run-2' })),
    log.prune({ maxAgeMs: 0 }),
  ]) {
    expect(await reasonOf(attempt)).toBe(full)
  }
  expect(seqs(await readAll(log, 'run-1')).length).toBe(last)
  await expectHidden(log.append('run-1', 1, [token(1)]), path)
  await log.close()
  const again = await open(path)
  expect(seqs(await readAll(again, 'run-1')).length).toBe(last)
  expect((await again.orphans()).length).toBe(2)
})

test('a file that another program keeps locked refuses for now, and loses nothing', async () => {
  const path = place()
  const log = await open(path, { busyTimeoutMs: 20 })
  await begin(log)
  await begin(log, { run_id: 'loose', durability: 'memory' })
  const { DatabaseSync } = await loadSqlite()
  const other = new DatabaseSync(path)
  other.exec('BEGIN IMMEDIATE')
  // A run of durability `memory` is written behind, and waits for its turn.
  await log.append('loose', 1, [token('behind')])
  expect(await reasonOf(log.append('run-1', 1, [token('refused')]))).toBe('internal store_locked 500')
  await expectHidden(log.append('run-1', 1, [token('refused')]), path)
  expect(seqs(await readAll(log, 'run-1'))).toEqual([1, 2, 3])
  other.exec('ROLLBACK')
  other.close()
  expect(await log.append('run-1', 1, [token(1)])).toEqual({ epoch: 1, seq: 4 })
  await log.append('loose', 1, [finish])
  await log.close()
  const again = await open(path)
  expect(seqs(await readAll(again, 'run-1'))).toEqual([1, 2, 3, 4])
  expect(seqs(await readAll(again, 'loose'))).toEqual([1, 2, 3, 4, 5])
})

test('a writer that cannot begin is an error of the first write, and the log can be closed', async () => {
  const path = place()
  const log = await open(path)
  rmSync(path)
  expect(await reasonOf(begin(log))).toBe('internal store_failed 500')
  expect(await reasonOf(begin(log))).toBe('internal store_failed 500')
  await log.close()
})

test('a folder for owners that cannot be made is an error of the first write', async () => {
  const path = place()
  const log = await open(path)
  writeFileSync(`${path}-owners`, '')
  expect(await reasonOf(begin(log))).toBe('forbidden store_unwritable 403')
  await expectHidden(begin(log), `${path}-owners`)
})

test('a file that was moved away under the log stops it, since nobody would find what it writes', async () => {
  const path = place()
  const log = await open(path)
  await begin(log)
  renameSync(path, `${path}.moved`)
  expect(await reasonOf(log.append('run-1', 1, [token(1)]))).toBe('internal store_failed 500')
  rmSync(`${path}.moved`)
})
