import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Batch } from '../../src/core/batch.ts'
import type { RunEvent } from '../../src/core/event.ts'
import type { Gap, Log } from '../../src/core/log.ts'
import { memoryLog } from '../../src/logs/memory.ts'
import { begin, finish, tokens } from '../../src/testing/log-suite-given.ts'
import { testStores } from './stores.ts'

const { place, open } = testStores()

/** What may happen around the place where stored and live entries meet. Numbers choose among what is there. */
type Move =
  | { readonly type: 'append'; readonly size: number; readonly wait: boolean }
  | { readonly type: 'follow'; readonly from: number }
  | { readonly type: 'pull' | 'stop' | 'abort'; readonly which: number }
  /** Lets everything settle that is under way. */
  | { readonly type: 'turn' }

const size = fc.oneof({ weight: 4, arbitrary: fc.integer({ min: 1, max: 4 }) }, fc.integer({ min: 500, max: 900 }))
const which = fc.nat({ max: 100 })
const moves = fc.array(
  fc.oneof(
    { weight: 5, arbitrary: fc.record({ type: fc.constant('append' as const), size, wait: fc.boolean() }) },
    { weight: 2, arbitrary: fc.record({ type: fc.constant('follow' as const), from: which }) },
    { weight: 6, arbitrary: fc.record({ type: fc.constant('pull' as const), which }) },
    { weight: 1, arbitrary: fc.record({ type: fc.constantFrom('stop' as const, 'abort' as const), which }) },
    { weight: 1, arbitrary: fc.constant({ type: 'turn' as const }) },
  ),
  { minLength: 5, maxLength: 40 },
)

interface Reader {
  readonly from: number
  readonly iterator: AsyncIterator<Batch | Gap>
  readonly abort: AbortController
  readonly answers: Promise<IteratorResult<Batch | Gap>>[]
  stopped: boolean
}

/** Plays the moves on a run, ends it, and compares what each reader got with what was appended. */
async function play(log: Log, run_id: string, durability: 'sync' | 'os' | 'memory', script: readonly Move[]) {
  const events: RunEvent[] = await begin(log, { run_id, durability })
  const readers: Reader[] = []
  let writing: Promise<unknown> = Promise.resolve()
  let acknowledged = events.length
  for (const move of script) {
    const reader = 'which' in move ? readers[move.which % (readers.length || 1)] : undefined
    if (move.type === 'append') {
      // Appends of one run do not overlap.
      await writing
      acknowledged = events.length
      const more = tokens(move.size, events.length)
      events.push(...more)
      writing = log.append(run_id, 1, more)
      if (move.wait) {
        await writing
        acknowledged = events.length
      }
    } else if (move.type === 'follow') {
      const from = move.from % (acknowledged + 1)
      const abort = new AbortController()
      const after = { epoch: 1, seq: from }
      const iterator = log.read(run_id, { after, follow: true, signal: abort.signal })[Symbol.asyncIterator]()
      readers.push({ from, iterator, abort, answers: [], stopped: false })
    } else if (move.type === 'turn') {
      await new Promise((resolve) => void setImmediate(resolve))
    } else if (reader && move.type === 'pull') {
      reader.answers.push(reader.iterator.next())
    } else if (reader) {
      reader.stopped = true
      if (move.type === 'abort') reader.abort.abort()
      else await reader.iterator.return?.()
    }
  }
  await writing
  await log.append(run_id, 1, [finish])
  events.push(finish)
  for (const reader of readers) {
    const seen = await received(reader)
    const due = events.slice(reader.from)
    if (reader.stopped) expect(seen).toEqual(due.slice(0, seen.length))
    else expect(seen).toEqual(due)
  }
}

async function received({ answers, iterator, from }: Reader): Promise<RunEvent[]> {
  const records = (await Promise.all(answers)).flatMap(({ value }) => (value as Batch | Gap | undefined) ?? [])
  for (;;) {
    const { value, done } = await iterator.next()
    if (done) break
    records.push(value)
  }
  const entries = records.flatMap((record) => (record.type === 'gap' ? [] : record.entries))
  expect(entries.map(({ seq }) => seq)).toEqual(entries.map((_, i) => from + i + 1))
  return entries.map(({ event }) => event)
}

test('memory: whatever readers and the writer do, each reader gets each entry once', async () => {
  const log = memoryLog()
  let run = 0
  await fc.assert(
    fc.asyncProperty(moves, (script) => play(log, `run-${run++}`, 'memory', script)),
    { numRuns: 500 },
  )
})

for (const durability of ['sync', 'os', 'memory'] as const) {
  test(`sqlite, ${durability}: whatever readers and the writer do, each reader gets each entry once`, async () => {
    const log = await open(place())
    let run = 0
    await fc.assert(
      fc.asyncProperty(moves, (script) => play(log, `run-${run++}`, durability, script)),
      { numRuns: 60 },
    )
  })
}
