/** What the cases are made of: runs to store, and ways to look at what came back. */
import assert from 'node:assert/strict'
import { Batch } from '../core/batch.ts'
import type { ErrorCode } from '../core/error.ts'
import { isRunletError } from '../core/error.ts'
import type { Entry, RunEvent, RunId, StartEvent, Usage } from '../core/event.ts'
import type { Gap, IdempotencyClaim, Log, NewRun } from '../core/log.ts'

export const usage: Usage = { input_tokens: 3, output_tokens: 2, total_tokens: 5, accuracy: 'exact' }

export const finish = { type: 'finish', usage, finish_reason: 'stop' } as const satisfies RunEvent

export const failure = {
  type: 'error',
  error: {
    code: 'network',
    reason: 'stream_eof_before_done',
    message: 'cut off',
    temporary: true,
    retry_after_ms: 5000,
  },
} as const satisfies RunEvent

/** A piece of the answer; `n` makes it another one. */
export function token(n: number | string): RunEvent {
  return { type: 'text.delta', step: 1, text: `token ${n} ` }
}

export const tokens = (count: number, from = 0): RunEvent[] => Array.from({ length: count }, (_, i) => token(from + i))

interface RunWishes {
  readonly run_id?: RunId
  readonly session_id?: string
  readonly durability?: StartEvent['durability']
  readonly prompt?: string
  readonly events?: readonly RunEvent[]
  readonly claim?: IdempotencyClaim
}

/** A run to create: `start`, then `turn.start` and `step.start` unless other events are given. */
export function newRun(log: Log, wishes: RunWishes = {}): NewRun {
  const { run_id = 'run-1', session_id = 'session-1', durability = log.levels[0]!, prompt = 'Hello?', claim } = wishes
  const events: readonly RunEvent[] = wishes.events ?? [
    { type: 'turn.start', turn: 1, kind: 'prompt', message: { role: 'user', content: prompt } },
    { type: 'step.start', step: 1, attempt: 1 },
  ]
  return {
    start: {
      type: 'start',
      trace_id: `trace of ${run_id}`,
      request_id: `request of ${run_id}`,
      run_id,
      session_id,
      provider: 'sim',
      model: 'test-model',
      durability,
      capabilities: ['tools'],
    },
    events,
    request: {
      messages: [{ role: 'system', content: 'Be brief.' }],
      prompt,
      options: { max_tokens: 10 },
      tools: ['clock'],
    },
    ...(claim ? { claim } : {}),
  }
}

/** Creates a run and gives the events that it holds. */
export async function begin(log: Log, wishes: RunWishes = {}): Promise<RunEvent[]> {
  const run = newRun(log, wishes)
  const created = await log.create(run)
  assert.equal(created.type, 'created')
  return [run.start, ...run.events]
}

/** What a reader was given, taken apart. A gap fails the case. */
export function entriesOf(records: readonly (Batch | Gap)[]): Entry[] {
  return records.flatMap((record) => {
    assert.ok(record instanceof Batch, `a gap where none should be: ${JSON.stringify(record)}`)
    assert.deepEqual(
      record.entries.map(({ seq }) => seq),
      Array.from({ length: record.last - record.first + 1 }, (_, i) => record.first + i),
      'a batch holds the entries that it says it holds',
    )
    return record.entries
  })
}

export const seqs = (entries: readonly Entry[]) => entries.map(({ seq }) => seq)

export const eventsOf = (entries: readonly Entry[]) => entries.map(({ event }) => event)

export async function collect<T>(iterable: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const one of iterable) all.push(one)
  return all
}

/** All entries that a reading gives, until it ends. */
export async function readAll(log: Log, run: RunId, options: Parameters<Log['read']>[1] = {}): Promise<Entry[]> {
  return entriesOf(await collect(log.read(run, options)))
}

/** Compares a run as a whole: every event, with seq 1, 2, 3 … */
export function assertWhole(entries: readonly Entry[], events: readonly RunEvent[]): void {
  assert.deepEqual(
    entries.map(({ seq, event }) => ({ seq, event })),
    events.map((event, i) => ({ seq: i + 1, event })),
  )
}

interface Refusal {
  readonly code: ErrorCode
  readonly reason: string
  readonly status?: number
}

/** Fails unless the promise is rejected just so. */
export async function assertRefused(promise: Promise<unknown>, { code, reason, status }: Refusal): Promise<void> {
  const outcome = await promise.then(
    () => 'it was accepted',
    (thrown: unknown) => thrown,
  )
  assert.ok(isRunletError(outcome), `refused with ${code}/${reason}, not: ${String(outcome)}`)
  assert.deepEqual(
    { code: outcome.code, reason: outcome.reason, status: outcome.status },
    { code, reason, status: status ?? outcome.status },
  )
}

/** The next record of a reader, which must have one. */
export async function take(reader: AsyncIterator<Batch | Gap>): Promise<Batch> {
  const { value, done } = await reader.next()
  assert.ok(!done && value instanceof Batch, 'the reader has one more batch')
  return value
}

export const iterate = (log: Log, run: RunId, options: Parameters<Log['read']>[1] = {}) =>
  log.read(run, options)[Symbol.asyncIterator]()
