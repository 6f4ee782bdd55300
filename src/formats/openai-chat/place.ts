import type { RunView } from '../../core/fold.ts'
import type { AssistantMessage, Message } from '../../core/message.ts'
import type { CallerCall } from './words.ts'

/** What a run says to a client of OpenAI's, or a part of it. */
export interface Said {
  readonly text: string
  readonly reasoning: string
  /** Calls that nobody answered. When their step ends they are the caller's. */
  readonly calls: readonly CallerCall[]
}

export const nothingSaid: Said = { text: '', reasoning: '', calls: [] }

/**
 * What a state of a run says: what is settled, and what the open step may still change. Where nothing can be voided
 * (`mayReset` is false), text is settled as soon as it is said; calls are not before their step ends.
 */
export function saidIn(
  { messages, step }: RunView,
  mayReset: boolean,
): { readonly settled: Said; readonly held: Said } {
  const base = step?.base ?? messages.length
  const settled = said(messages.slice(0, base))
  const open = said(messages.slice(base))
  if (mayReset) return { settled, held: open }
  return {
    settled: { ...settled, text: settled.text + open.text, reasoning: settled.reasoning + open.reasoning },
    held: { ...nothingSaid, calls: open.calls },
  }
}

function said(messages: readonly Message[]): Said {
  let text = ''
  let reasoning = ''
  const calls: CallerCall[] = []
  messages.forEach((message, i) => {
    if (message.role !== 'assistant') return
    for (const part of message.parts) {
      if (part.type === 'text') text += part.text
      else if (part.type === 'reasoning') reasoning += part.text
    }
    calls.push(...unanswered(message, messages.slice(i + 1)))
  })
  return { text, reasoning, calls }
}

/** Ids may come again in another step, so only the results right behind the message count. */
function unanswered({ parts }: AssistantMessage, behind: readonly Message[]): CallerCall[] {
  const end = behind.findIndex(({ role }) => role !== 'tool')
  const results = behind.slice(0, end < 0 ? behind.length : end)
  const answered = new Set(results.map((message) => (message.role === 'tool' ? message.call_id : '')))
  return parts.flatMap((part) => (part.type === 'tool_call' && !answered.has(part.call_id) ? [part] : []))
}
