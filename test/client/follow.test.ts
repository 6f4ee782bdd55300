import { expect, test } from 'vitest'
import { follow } from '../../src/client/follow.ts'
import type { FollowEnding, FollowOptions, OpenEvents } from '../../src/client/follow.ts'
import { Batch } from '../../src/core/batch.ts'
import { formatCursor } from '../../src/core/cursor.ts'
import { RunletError } from '../../src/core/error.ts'
import type { Gap } from '../../src/core/log.ts'
import { fakeClock } from '../../src/testing/fake-clock.ts'
import { batch, broken, finish, gap } from './runs.ts'

/** What one connection does: gives records, throws an error, or ends as the server ends a run that is over. */
type Connection = (Batch | Gap | Error)[]

function server(connections: Connection[]) {
  const asked: string[] = []
  const open: OpenEvents = async function* ({ after }) {
    asked.push(formatCursor(after))
    for (const record of connections[asked.length - 1] ?? [broken()]) {
      if (record instanceof Error) throw record
      yield record
    }
  }
  return { open, asked }
}

/** Everything that was handed on, as `seq` or `gap from-to`, and how it ended. */
async function watched(open: OpenEvents, options: FollowOptions = {}) {
  const clock = fakeClock()
  const seen: (number | string)[] = []
  const waits: number[] = []
  const reading = follow(open, {
    clock,
    random: () => 1,
    onRetry: ({ waitMs }) => waits.push(waitMs),
    ...options,
  })
  let ending: FollowEnding | undefined
  let error: unknown
  const done = (async () => {
    for (;;) {
      const { value, done: over } = await reading.next()
      if (over) {
        ending = value
        return
      }
      if (value instanceof Batch) seen.push(...value.entries.map(({ seq }) => seq))
      else seen.push(`gap ${value.from}-${value.to}`)
    }
  })().catch((thrown: unknown) => (error = thrown))
  for (let i = 0; i < 20; i++) await clock.advance(10_000)
  await done
  return { seen, waits, ending, error }
}

const all = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]

const cases: [name: string, connections: Connection[], seen: (number | string)[], asked: string[]][] = [
  ['an unbroken connection', [[batch(1, 4), batch(5, 10)]], all, ['0-0']],
  ['one that breaks in the middle', [[batch(1, 4), broken()], [batch(5, 10)]], all, ['0-0', '1-4']],
  ['one that breaks before anything came', [[broken()], [batch(1, 10)]], all, ['0-0', '0-0']],
  ['a server that gives more than was asked for', [[batch(1, 4), broken()], [batch(2, 10)]], all, ['0-0', '1-4']],
  ['a server that repeats what was seen', [[batch(1, 4), batch(3, 4), batch(1, 10)]], all, ['0-0']],
  ['events that did not arrive', [[batch(1, 4), batch(6, 10)], [batch(5, 10)]], all, ['0-0', '1-4']],
  [
    'another owner of the run',
    [[batch(1, 4), broken()], [batch(5, 6, { epoch: 2 }), broken()], [batch(7, 10, { epoch: 2 })]],
    all,
    ['0-0', '1-4', '2-6'],
  ],
  [
    'entries that the store lost',
    [[batch(1, 2), gap(3, 5), broken()], [batch(6, 10)]],
    [1, 2, 'gap 3-5', 6, 7, 8, 9, 10],
    ['0-0', '1-5'],
  ],
]

for (const [name, connections, seen, asked] of cases) {
  test(`each event comes once and in order: ${name}`, async () => {
    const run = server(connections)
    const result = await watched(run.open)
    expect(result.seen).toEqual(seen)
    expect(run.asked).toEqual(asked)
    expect(result.ending).toMatchObject({ type: 'ended', event: finish, cursor: { seq: 10 } })
  })
}

test('however the run is cut into two connections, the whole comes out', async () => {
  for (let cut = 0; cut <= 9; cut++) {
    const head = cut === 0 ? [] : [batch(1, cut)]
    const { seen } = await watched(server([[...head, broken()], [batch(cut + 1, 10)]]).open)
    expect(seen).toEqual(all)
  }
})

test('a run that was over before the cursor ends at once, without an event', async () => {
  const run = server([[]])
  const result = await watched(run.open, { after: { epoch: 1, seq: 10 } })
  expect(result).toMatchObject({ seen: [], ending: { type: 'ended', event: undefined } })
  expect(run.asked).toEqual(['1-10'])
})

test('it comes back at once after an event, then waits longer and longer, and gives up with the cursor', async () => {
  const run = server([[batch(1, 4), broken()]])
  const { waits, error } = await watched(run.open, { attempts: 9 })
  expect(waits).toEqual([0, 250, 500, 1000, 2000, 4000, 8000, 10_000])
  expect(error).toMatchObject({ code: 'network', reason: 'follow_lost', cause: { message: 'broken' } })
  expect((error as Error).message).toContain('after 1-4')
})

test('it waits as long as the server asks', async () => {
  const busy = new RunletError('overloaded', { message: 'busy', retryAfterMs: 3000 })
  const { waits } = await watched(server([[busy], [busy], [batch(1, 10)]]).open)
  expect(waits).toEqual([0, 3000])
})

test('what another attempt would not change is thrown at once', async () => {
  const run = server([[batch(1, 2), new RunletError('unauthorized', { message: 'no' })]])
  const { seen, error } = await watched(run.open)
  expect(seen).toEqual([1, 2])
  expect(error).toMatchObject({ code: 'unauthorized' })
  expect(run.asked).toHaveLength(1)
})

test('the caller can stop it: in the middle of a connection, and while it waits', async () => {
  for (const connections of [[[batch(1, 2), 'stop']], [[batch(1, 2), broken()]], []] as (
    | Batch
    | Error
    | 'stop'
  )[][][]) {
    const stop = new AbortController()
    const open: OpenEvents = async function* ({ signal }) {
      for (const record of connections.shift() ?? [broken()]) {
        if (record instanceof Error) throw record
        if (record === 'stop') {
          await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
        } else yield record
      }
    }
    const clock = fakeClock()
    const reading = follow(open, { clock, signal: stop.signal, random: () => 1 })
    const seen: unknown[] = []
    const ending = (async () => {
      for (;;) {
        const { value, done } = await reading.next()
        if (done) return value
        seen.push(value)
      }
    })()
    await clock.advance(100)
    stop.abort()
    expect(await ending).toMatchObject({ type: 'stopped' })
    expect(clock.pending).toBe(0)
  }
})
