/**
 * The one way from entries to messages: engine, live client, resumed client, history and tests all use it, so that
 * they cannot differ. Pure: a view is never changed, and folding in pieces gives what folding at once gives.
 */
import type { ErrorBody } from './error.ts'
import type { Entry, FinishReason, RunEvent, RunStatus, StartEvent, Usage } from './event.ts'
import { addUsage, isTerminal, statusAfter } from './event.ts'
import type { AssistantMessage, AssistantPart, Message } from './message.ts'
import { textOf } from './message.ts'

/** A run as someone who read its log up to `seq` knows it. */
export interface RunView {
  /** Seq of the last entry folded in; 0 before the first. */
  readonly seq: number
  readonly status: RunStatus
  /** What the `start` event said. */
  readonly start?: Omit<StartEvent, 'type'>
  /** The run's own messages: each turn's user message, one assistant message per step, one message per tool result. */
  readonly messages: readonly Message[]
  /** Sum over the steps that have ended; the terminal event's own once it is there. */
  readonly usage?: Usage
  readonly finish_reason?: FinishReason
  readonly error?: ErrorBody
  /** The step under way: what `step.reset` goes back to, and whether its assistant message has begun. */
  readonly step?: OpenStep
}

interface OpenStep {
  readonly step: number
  readonly attempt: number
  /** Number of messages before the step. */
  readonly base: number
}

/** The view of a run of which nothing is known yet: what folding begins with. */
export const emptyView: RunView = { seq: 0, status: 'running', messages: [] }

/** The view after some more entries. Entries that the view has already are passed over. */
export function fold(view: RunView, entries: readonly Entry[]): RunView {
  let next = view
  for (let i = 0; i < entries.length; i++) {
    const entry = entries[i]!
    if (entry.seq <= next.seq) continue
    const { event } = entry
    if (event.type === 'text.delta' || event.type === 'reasoning.delta') {
      // Deltas come in long rows; one copy of the message per row, not per delta.
      let text = event.text
      let last = entry
      for (let more = entries[i + 1]; more?.event.type === event.type; more = entries[++i + 1]) {
        text += more.event.text
        last = more
      }
      next = { ...addText(next, event.type === 'text.delta' ? 'text' : 'reasoning', text), seq: last.seq }
    } else {
      next = { ...apply(next, event), seq: entry.seq }
    }
  }
  return next
}

function apply(view: RunView, event: RunEvent): RunView {
  if (isTerminal(event)) return end(view, event)
  switch (event.type) {
    case 'start': {
      const { type: _, ...start } = event
      return { ...view, start }
    }
    case 'turn.start':
      return { ...view, messages: [...view.messages, event.message] }
    case 'step.start':
      return { ...view, step: { step: event.step, attempt: event.attempt, base: view.messages.length } }
    case 'step.reset': {
      const base = view.step?.base ?? view.messages.length
      return {
        ...view,
        messages: view.messages.slice(0, base),
        step: { step: event.step, attempt: event.attempt, base },
      }
    }
    case 'step.end': {
      const { step: _, ...rest } = view
      const usage = addUsage(view.usage, event.usage)
      return usage ? { ...rest, usage } : rest
    }
    case 'tool.call': {
      const { name, input } = event.tool_call
      return addPart(view, { type: 'tool_call', call_id: event.call_id, name, input })
    }
    case 'tool.result': {
      const { call_id, name, tool_result: content, is_error } = event
      return { ...view, messages: [...view.messages, { role: 'tool', call_id, name, content, is_error }] }
    }
    default:
      return view
  }
}

function end(view: RunView, event: Extract<RunEvent, { type: 'finish' | 'error' }>): RunView {
  const { step: _, ...rest } = view
  const usage = event.usage ?? view.usage
  return {
    ...rest,
    status: statusAfter(event),
    ...(usage ? { usage } : {}),
    ...(event.type === 'finish' ? { finish_reason: event.finish_reason } : { error: event.error }),
  }
}

function addText(view: RunView, type: 'text' | 'reasoning', text: string): RunView {
  const last = stepMessage(view)?.parts.at(-1)
  if (last?.type !== type) return addPart(view, { type, text })
  return withParts(view, (parts) => [...parts.slice(0, -1), { type, text: last.text + text }])
}

const addPart = (view: RunView, part: AssistantPart): RunView => withParts(view, (parts) => [...parts, part])

/** Changes the assistant message of the step under way, which begins with its first part. */
function withParts(view: RunView, change: (parts: readonly AssistantPart[]) => AssistantPart[]): RunView {
  const message = stepMessage(view)
  const changed: AssistantMessage = { role: 'assistant', parts: change(message?.parts ?? []) }
  if (!message) return { ...view, messages: [...view.messages, changed] }
  const at = view.step!.base
  return { ...view, messages: view.messages.map((other, i) => (i === at ? changed : other)) }
}

/** The assistant message of the step under way: the first message after the step's start. */
function stepMessage(view: RunView): AssistantMessage | undefined {
  const message = view.step && view.messages[view.step.base]
  return message?.role === 'assistant' ? message : undefined
}

/** The visible answer of a run: the text of its assistant messages, joined. */
export function outputText(view: RunView): string {
  return view.messages.reduce((text, message) => (message.role === 'assistant' ? text + textOf(message) : text), '')
}

/** The last thing the model said in this run; undefined if it said nothing. */
export function lastAnswer(view: RunView): AssistantMessage | undefined {
  return view.messages.findLast((message) => message.role === 'assistant')
}
