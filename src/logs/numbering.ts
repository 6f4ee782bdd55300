import { Batch } from '../core/batch.ts'
import type { Epoch } from '../core/cursor.ts'
import type { Durability, Entry, RunEvent, RunId, RunStatus, TerminalEvent } from '../core/event.ts'
import { isTerminal, statusAfter } from '../core/event.ts'
import type { NewRun, RunHeader, RunRequest } from '../core/log.ts'
import { titleOf } from '../core/log.ts'
import { badLimit, emptyAppend, levelUnavailable, runEnded } from './errors.ts'

/** Where the numbering of a run stands. */
export interface Numbering {
  readonly epoch: Epoch
  /** First seq of the epoch; that entry carries the epoch. */
  readonly from: number
  /** Seq of the last entry given out. */
  readonly last: number
}

/** Events with their places, all of one time. Throws if there are none, or if one stands behind a terminal event. */
export function number(run: RunId, { epoch, from, last }: Numbering, events: readonly RunEvent[], ts: number): Batch {
  if (events.length === 0) throw emptyAppend(run)
  const entries: Entry[] = []
  for (const event of events) {
    const before = entries.at(-1)
    if (before && isTerminal(before.event)) throw runEnded(run)
    const seq = last + entries.length + 1
    entries.push(seq === from ? { seq, ts, epoch, event } : { seq, ts, event })
  }
  return Batch.of(run, epoch, entries)
}

/** How a run ended, as its header says it. */
export type RunEnd = Pick<RunHeader, 'finish_reason' | 'error' | 'usage'> & {
  readonly status: Exclude<RunStatus, 'running'>
  readonly ended_at: number
}

/** The end that a batch brings, if it brings one. */
export function endOf(batch: Batch): RunEnd | undefined {
  const { event, ts } = batch.entries.at(-1)!
  return isTerminal(event) ? endWith(event, ts) : undefined
}

function endWith(event: TerminalEvent, ended_at: number): RunEnd {
  const usage = event.usage ? { usage: event.usage } : {}
  const how = event.type === 'error' ? { error: event.error } : { finish_reason: event.finish_reason }
  return { status: statusAfter(event), ended_at, ...how, ...usage }
}

/** What a header says from the beginning and for good. */
export type RunBeginning = Omit<RunHeader, 'status' | 'cursor' | 'ended_at' | 'finish_reason' | 'error' | 'usage'>

/** Throws `unsupported` if the store cannot keep the durability that the run asks for. */
export function beginning({ start, request }: NewRun, levels: readonly Durability[], ts: number): RunBeginning {
  const { run_id, session_id, request_id, trace_id, provider, model, durability } = start
  if (!levels.includes(durability)) throw levelUnavailable(durability, levels)
  const title = titleOf(request.prompt)
  return { run_id, session_id, request_id, trace_id, provider, model, durability, created_at: ts, title }
}

/** How many runs to list. Throws unless it is 1 to 1,000. */
export function limitOf(limit = 100): number {
  if (Number.isInteger(limit) && limit >= 1 && limit <= 1000) return limit
  throw badLimit(limit)
}

/** What stands in place of a request whose run was pruned: retention takes what people said, too. */
export const forgottenRequest: RunRequest = { messages: [], prompt: '', options: {}, tools: [] }
