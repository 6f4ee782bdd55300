/**
 * The legal order of events, as a table. The engine asserts it in development, the log suite and the trace validator
 * judge with it, and PROTOCOL.md section 2 says the same in prose.
 */
import { RunletError } from './error.ts'
import type { Entry, EventType, RunEvent } from './event.ts'

/** Where a run is: nothing yet, between turns, between steps, within a step, over. */
export type Phase = 'new' | 'run' | 'turn' | 'step' | 'ended'

type Rule = Partial<Record<Phase, Phase>>

const anywhere: Rule = { run: 'run', turn: 'turn', step: 'step' }
const inStep: Rule = { step: 'step' }

/** For each event: the phases it may come in, and the phase it leads to. */
export const legalOrder = {
  start: { new: 'run' },
  'turn.start': { run: 'turn' },
  'turn.end': { turn: 'run' },
  'step.start': { turn: 'step' },
  'step.end': { step: 'turn' },
  'step.reset': inStep,
  'text.delta': inStep,
  'reasoning.delta': inStep,
  'tool.call.delta': inStep,
  'tool.call': inStep,
  'tool.progress': inStep,
  'tool.result': inStep,
  citations: inStep,
  safety: inStep,
  'audio.delta': inStep,
  'provider.fields': inStep,
  status: anywhere,
  warning: anywhere,
  // `finish` stands between turns; only `cancelled` may break a turn or a step off, as `error` may.
  finish: { run: 'ended', turn: 'ended', step: 'ended' },
  error: { run: 'ended', turn: 'ended', step: 'ended' },
} as const satisfies Record<EventType, Rule>

/** Judges the events of one run as they come. */
export interface OrderCheck {
  readonly phase: Phase
  /** Throws `internal` with reason `illegal_order` if `event` may not come now; else moves on. */
  accept(event: RunEvent): void
}

/** A check that is handed the events of one run from the first on. */
export function orderCheck(): OrderCheck {
  let phase: Phase = 'new'
  let turn = 0
  let step = 0
  let attempt = 0
  const open = new Set<string>()
  const closed = new Set<string>()

  return {
    get phase() {
      return phase
    },
    accept(event) {
      const rule: Rule = legalOrder[event.type]
      const next = rule[phase]
      if (!next) fail(event, phase === 'ended' ? 'the run has ended' : `the run is in phase "${phase}"`)
      if ('step' in event && event.type !== 'step.start' && event.step !== step) fail(event, `step ${step} is open`)
      switch (event.type) {
        case 'turn.start':
          if (event.turn !== turn + 1) fail(event, `turn ${turn + 1} is next, not ${event.turn}`)
          turn = event.turn
          break
        case 'turn.end':
          if (event.turn !== turn) fail(event, `turn ${turn} is open, not ${event.turn}`)
          break
        case 'step.start':
          if (event.step !== step + 1) fail(event, `step ${step + 1} is next, not ${event.step}`)
          step = event.step
          attempt = event.attempt
          open.clear()
          closed.clear()
          break
        case 'step.reset':
          if (event.attempt <= attempt) fail(event, `attempt ${attempt} is under way, not one before ${event.attempt}`)
          attempt = event.attempt
          open.clear()
          closed.clear()
          break
        case 'text.delta':
        case 'reasoning.delta':
          if (event.text === '') fail(event, 'its text is empty')
          break
        case 'tool.call':
          if (open.has(event.call_id) || closed.has(event.call_id)) fail(event, `call ${event.call_id} was made before`)
          open.add(event.call_id)
          break
        case 'tool.progress':
          if (!open.has(event.call_id)) fail(event, `call ${event.call_id} is not open`)
          break
        case 'tool.result':
          if (!open.delete(event.call_id)) fail(event, `call ${event.call_id} is not open`)
          closed.add(event.call_id)
          break
        case 'step.end':
          if (open.size > 0 && event.finish_reason !== 'tool_calls') fail(event, `${open.size} calls have no result`)
          break
        case 'finish':
          if (phase !== 'run' && event.finish_reason !== 'cancelled') fail(event, `a ${phase} is open`)
          break
        default:
      }
      phase = next
    },
  }
}

function fail(event: RunEvent, why: string): never {
  throw new RunletError('internal', {
    reason: 'illegal_order',
    message: `event ${event.type} may not come here: ${why}. See PROTOCOL.md, section 2`,
  })
}

/** Judges a whole log: order, seq without holes from 1, and, unless it is still running, one terminal event at the end. */
export function checkOrder(entries: readonly Entry[], options: { readonly ended: boolean }): void {
  const check = orderCheck()
  entries.forEach((entry, i) => {
    if (entry.seq !== i + 1) {
      throw new RunletError('internal', {
        reason: 'illegal_order',
        message: `entry ${i + 1} carries seq ${entry.seq}; a run counts 1, 2, 3 without holes`,
      })
    }
    check.accept(entry.event)
  })
  if (options.ended && check.phase !== 'ended') {
    throw new RunletError('internal', {
      reason: 'illegal_order',
      message: 'the log has no terminal event: the run neither finished nor failed',
    })
  }
}
