import type { FinishReason, StopReason, TurnReason } from '../core/event.ts'
import type { RunContext } from './context.ts'
import { runStep } from './step.ts'

/** How a turn ended, and the last of its steps. */
export interface TurnEnd {
  readonly reason: TurnReason
  readonly step: number
}

/**
 * Brings one user message to its end: steps until the model wants no more tools, or something else has to be said
 * first. `turn.start` and the first `step.start` are written already, with whatever began the turn; `firstStep` is that
 * step's number.
 */
export async function runTurn(run: RunContext, turn: number, firstStep: number): Promise<TurnEnd> {
  for (let step = firstStep; ; step++) {
    const { reason, open } = await runStep(run, step)
    if (reason !== 'tool_calls') return { reason: turnReason(reason), step }
    if (open) return { reason: 'tool_calls', step }
    if (run.inbox.steered) return { reason: 'steered', step }
    if (step - firstStep + 1 >= run.limits.steps) {
      const message = `turn ${turn} stopped after ${run.limits.steps} model calls that all asked for tools; raise limits.steps if it needs more`
      await run.journal.append([{ type: 'warning', code: 'tool_loop_limit_exceeded', message }])
      return { reason: 'tool_limit', step }
    }
    await run.journal.append([{ type: 'step.start', step: step + 1, attempt: 1 }])
  }
}

/** A model that stopped for a reason we do not know has stopped: its end mark was seen. */
export function turnReason(reason: Exclude<StopReason, 'tool_calls'>): FinishReason {
  return reason === 'unknown' ? 'stop' : reason
}
