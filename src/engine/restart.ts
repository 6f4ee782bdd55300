import type { Message, ToolMessage, UserMessage } from '../core/message.ts'
import { callerOf, toolParts, type RunParts } from './prepare.ts'
import type { Orphan, Past } from './recover.ts'
import type { RunPlace } from './run.ts'
import type { RuntimeOptions } from './runtime.ts'
import { conversation, sessionPast } from './session.ts'
import type { CallableTool } from './tools.ts'

/** How a run goes on that another process began. */
export interface Restart {
  readonly parts: RunParts
  readonly place: RunPlace
}

/**
 * Prepares to go on with a run whose owner died. What its open step had said is void. Undefined where that cannot be:
 * its provider or a tool of it is not here, or a tool that must not run twice had been called.
 */
export async function prepareRestart(
  { stored: { header, request }, past }: Orphan,
  options: RuntimeOptions,
  tools: ReadonlyMap<string, CallableTool>,
  newId: () => string,
): Promise<Restart | undefined> {
  const { run_id, session_id, provider: providerName, model } = header
  const { start } = past.view
  const provider = Object.hasOwn(options.providers, providerName) ? options.providers[providerName] : undefined
  const place = placeOf(past)
  if (!provider || !place || !start || request.tools.some((name) => !tools.has(name))) return undefined
  // Whether they had their effect is unknown.
  if (past.called.some((name) => tools.get(name)?.tool.idempotent !== true)) return undefined

  const before = await sessionPast(options.log, session_id, { before: run_id })
  // A run begins with the message that it answers.
  const opening = past.view.messages[0] as UserMessage | ToolMessage
  const history: readonly Message[] = conversation(before.messages, { given: request.messages, opening })
  return {
    parts: {
      providerName,
      provider,
      model,
      history,
      ...toolParts(run_id, request, tools),
      options: request.options,
      onInterrupt: 'restart',
      caller: callerOf({ type: 'start', ...start }, newId()),
      idempotencyScope: header.request_id,
    },
    place,
  }
}

function placeOf({ order, turn, step, view }: Past): RunPlace | undefined {
  if (order.phase === 'step') {
    const attempt = (view.step?.attempt ?? 1) + 1
    return { turn, step, opening: [{ type: 'step.reset', step, attempt, reason: 'owner_lost' }] }
  }
  if (order.phase !== 'turn') return undefined
  return { turn, step: step + 1, opening: [{ type: 'step.start', step: step + 1, attempt: 1 }] }
}
