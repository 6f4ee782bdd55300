import { RunletError, errorBody, toRunletError } from '../core/error.ts'
import { addUsage, type FinishReason, type RunEvent, type TerminalEvent, type Usage } from '../core/event.ts'
import type { RunContext } from './context.ts'
import { Stop } from './stop.ts'
import { runTurn } from './turn.ts'
import { estimateUsage, noUsage } from './usage.ts'

/**
 * Does the work of one run, from after its first append to its terminal event. The one boundary that catches: whatever
 * a provider, a tool or a bug throws becomes the run's ending here. Never throws; when even the ending cannot be
 * written, it is reported, and whoever opens the store next ends the run.
 */
export async function driveRun(run: RunContext, place: RunPlace = beginning): Promise<void> {
  let ending: TerminalEvent
  try {
    if (place.opening.length > 0) await run.journal.append(place.opening)
    const finish_reason = await runTurns(run, place)
    ending = { type: 'finish', usage: run.journal.view.usage ?? noUsage, finish_reason }
  } catch (thrown) {
    if (isHandedOver(run)) return
    ending = endingAfter(run, thrown)
  }
  await tellUnanswered(run)
  try {
    await run.journal.append([ending])
  } catch (cause) {
    run.report({
      level: 'error',
      code: 'ending_not_written',
      message: 'the end of the run could not be stored; it will be ended when the store is opened again',
      cause,
    })
  }
}

/** Where the work on a run begins. */
export interface RunPlace {
  readonly turn: number
  readonly step: number
  /** What is to be written before; the step is then open. */
  readonly opening: readonly RunEvent[]
}

/** Behind what a run is created with. */
const beginning: RunPlace = { turn: 1, step: 1, opening: [] }

/**
 * A run that may be done again goes on in the process that comes after this one, which finds it without an owner. What
 * waits in its inbox is not in the log, so it is lost with this process.
 */
function isHandedOver(run: RunContext): boolean {
  const stop: unknown = run.signal.reason
  if (!run.signal.aborted || !(stop instanceof Stop) || stop.cause !== 'shutdown') return false
  if (run.onInterrupt !== 'restart' || !run.outlives) return false
  run.report({
    level: 'info',
    code: 'handed_over',
    message: 'the next process that opens this store goes on with the run',
  })
  return true
}

/** The turn that is open, and one for each message that came meanwhile. */
async function runTurns(run: RunContext, place: RunPlace): Promise<FinishReason> {
  let firstStep = place.step
  for (let turn = place.turn; ; turn++) {
    const { reason, step } = await runTurn(run, turn, firstStep)
    run.signal.throwIfAborted()
    const end: RunEvent = { type: 'turn.end', turn, reason }
    // Calls that wait for the caller's results leave nothing that another message could follow.
    const next = reason === 'tool_calls' ? undefined : run.inbox.next()
    if (!next) {
      await run.journal.append([end])
      // A turn ends as `steered` only for a steer that waits.
      return reason === 'steered' ? 'stop' : reason
    }
    firstStep = step + 1
    await run.journal.append([
      end,
      { type: 'turn.start', turn: turn + 1, kind: next.kind, message: { role: 'user', content: next.text } },
      { type: 'step.start', step: firstStep, attempt: 1 },
    ])
  }
}

/** Nothing that was taken disappears silently. Never throws: the ending comes behind it. */
async function tellUnanswered(run: RunContext): Promise<void> {
  const left = run.inbox.close()
  if (left.length === 0) return
  const message = `${left.length} queued ${left.length === 1 ? 'message was' : 'messages were'} not answered, because the run ended; send ${left.length === 1 ? 'it' : 'them'} again`
  await run.journal.append([{ type: 'warning', code: 'messages_unanswered', message }]).catch(() => {})
}

function endingAfter(run: RunContext, thrown: unknown): TerminalEvent {
  const usage = usageSoFar(run)
  const stop: unknown = run.signal.reason
  if (run.signal.aborted && stop instanceof Stop && stop.cause === 'cancel') {
    return { type: 'finish', usage, finish_reason: 'cancelled' }
  }
  if (run.signal.aborted && stop instanceof Stop) {
    const error = shutdown(stop)
    run.report({ level: 'info', code: error.reason, message: error.message })
    return { type: 'error', error: errorBody(error), usage }
  }
  const error = toRunletError(thrown)
  const level = error.code === 'internal' ? 'error' : 'warning'
  run.report({ level, code: error.reason, message: error.message, cause: error.cause })
  return { type: 'error', error: errorBody(error), usage }
}

const shutdown = (stop: Stop) =>
  new RunletError('internal', {
    reason: stop.cause,
    message: 'the process that made this answer was stopped before it was complete; send the request again',
  })

/** What the steps that ended used, and an estimate of the one under way: a cancelled answer is paid for as well. */
function usageSoFar(run: RunContext): Usage {
  const { usage, step, messages } = run.journal.view
  if (!step) return usage ?? noUsage
  const open = estimateUsage([...run.history, ...messages.slice(0, step.base)], messages.slice(step.base))
  return addUsage(usage, open)!
}
