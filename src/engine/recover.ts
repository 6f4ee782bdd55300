import { Batch } from '../core/batch.ts'
import type { Epoch } from '../core/cursor.ts'
import { RunletError, errorBody } from '../core/error.ts'
import type { Entry, RunEvent } from '../core/event.ts'
import { emptyView, fold, type RunView } from '../core/fold.ts'
import type { Log, RunHeader, StoredRun } from '../core/log.ts'
import { orderCheck, type OrderCheck } from '../core/order.ts'
import { turnReason } from './turn.ts'
import { noUsage } from './usage.ts'

/** A run whose owner is dead, taken over, and all that it has come to. */
export interface Orphan {
  readonly stored: StoredRun
  readonly epoch: Epoch
  readonly past: Past
}

/** What a run has come to. */
export interface Past {
  readonly entries: readonly Entry[]
  readonly view: RunView
  readonly order: OrderCheck
  /** The turn that was begun last, and the step. */
  readonly turn: number
  readonly step: number
  /** Names of the tools that the open step has called: they may have had their effect. */
  readonly called: readonly string[]
}

/**
 * Takes over every run whose owner is dead, so that none waits for a process that will not come back. One that was
 * complete but for its last entries is given these; one that asked for it is handed to `restart`, which returns whether
 * it goes on with it; any other ends with `owner_lost`. Without `restart` those that asked for it are left to a process
 * that has one. Returns the headers of those that were taken over.
 */
export async function adoptOrphans(log: Log, restart?: (orphan: Orphan) => Promise<boolean>): Promise<RunHeader[]> {
  const adopted: RunHeader[] = []
  for (const { run_id } of await log.orphans()) {
    const stored = await log.find(run_id)
    if (!stored) continue
    const mayRestart = stored.request.on_interrupt === 'restart'
    if (mayRestart && !restart) continue
    const epoch = await log.takeOver(run_id)
    // Another process was faster: it sees to the run.
    if (epoch === undefined) continue
    const past = await pastOf(log, run_id)
    const end = past && missingEnd(past)
    const goesOn = !end && past && mayRestart && restart ? await restart({ stored, epoch, past }) : false
    if (!goesOn) await log.append(run_id, epoch, end ?? [ownerLost()])
    const header = (await log.find(run_id))?.header
    if (header) adopted.push(header)
  }
  return adopted
}

/** Undefined where a part of it is damaged. */
async function pastOf(log: Log, run: string): Promise<Past | undefined> {
  const entries: Entry[] = []
  for await (const record of log.read(run)) {
    if (!(record instanceof Batch)) return undefined
    entries.push(...record.entries)
  }
  const order = orderCheck()
  let turn = 0
  let step = 0
  let called: string[] = []
  for (const { event } of entries) {
    order.accept(event)
    if (event.type === 'turn.start') turn = event.turn
    else if (event.type === 'tool.call') called.push(event.tool_call.name)
    else if (event.type === 'step.start' || event.type === 'step.reset') {
      step = event.step
      called = []
    }
  }
  return { entries, view: fold(emptyView, entries), order, turn, step, called }
}

/** The last entries of a run whose model had said all. Undefined if it had not. */
function missingEnd({ entries, view, order, turn }: Past): RunEvent[] | undefined {
  const finish = (finish_reason: ReturnType<typeof turnReason>): RunEvent => ({
    type: 'finish',
    usage: view.usage ?? noUsage,
    finish_reason,
  })
  const last = entries.findLast(({ event }) => event.type !== 'status' && event.type !== 'warning')?.event
  if (order.phase === 'run' && last?.type === 'turn.end')
    return [finish(last.reason === 'steered' ? 'stop' : last.reason)]
  if (order.phase !== 'turn' || last?.type !== 'step.end') return undefined
  const { finish_reason } = last
  if (finish_reason === 'tool_calls') return undefined
  return [{ type: 'turn.end', turn, reason: turnReason(finish_reason) }, finish(turnReason(finish_reason))]
}

const ownerLost = (): RunEvent => ({
  type: 'error',
  error: errorBody(
    new RunletError('internal', {
      reason: 'owner_lost',
      message:
        'the process that made this answer died before it was complete; what came until then is kept. Send the request again',
    }),
  ),
})
