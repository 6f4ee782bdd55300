import { Batch } from '../core/batch.ts'
import { RunletError, isExpired } from '../core/error.ts'
import type { RunId } from '../core/event.ts'
import { emptyView, fold, type RunView } from '../core/fold.ts'
import type { Log } from '../core/log.ts'
import type { Message, SystemMessage, ToolMessage } from '../core/message.ts'
import { quoted } from '../core/quote.ts'

/** What the next run of a session needs to know of the ones before. */
export interface SessionPast {
  /** All messages so far; calls that were never answered are open. */
  readonly messages: readonly Message[]
  /** The model of the last run, as `provider/model`. */
  readonly model: string
}

/**
 * Folds a session from the log. Runs that failed before the model said anything are left out, so that a prompt that is
 * sent again does not stand there twice. With `before`, only what came before that run of it. Throws `not_found` with
 * reason `session_unknown`, and `invalid_request` 409 with reason `run_in_progress` while a run of the session is going
 * on.
 */
export async function sessionPast(
  log: Log,
  sessionId: string,
  { before }: { readonly before?: RunId } = {},
): Promise<SessionPast> {
  const all = (await log.list({ session_id: sessionId, limit: 1000 })).toReversed()
  const headers =
    before === undefined
      ? all
      : all.slice(
          0,
          all.findIndex(({ run_id }) => run_id === before),
        )
  const last = all.at(-1)
  if (!last) {
    throw new RunletError('not_found', {
      reason: 'session_unknown',
      message: `there is no session ${quoted(sessionId)} in this store; leave the session out to begin a new one`,
    })
  }
  const live = headers.find(({ status }) => status === 'running')
  if (live) throw runInProgress(sessionId)

  const messages: Message[] = []
  for (const { run_id } of headers) {
    const stored = await log.find(run_id)
    const view = await keptView(log, run_id)
    if (!view) continue
    const silent = view.status === 'failed' && !view.messages.some(({ role }) => role === 'assistant')
    if (stored && !silent) messages.push(...stored.request.messages, ...view.messages)
  }
  return { messages, model: `${last.provider}/${last.model}` }
}

export function runInProgress(sessionId: string): RunletError {
  return new RunletError('invalid_request', {
    status: 409,
    reason: 'run_in_progress',
    message: `session ${sessionId} has a run that is still going on; wait for its end, or cancel it`,
  })
}

/** The view of a run, unless retention took it: what is forgotten is no part of the conversation any more. */
async function keptView(log: Log, run: string): Promise<RunView | undefined> {
  try {
    return await storedView(log, run)
  } catch (error) {
    if (isExpired(error)) return undefined
    throw error
  }
}

/** Everything that the log holds of a run now, or up to a seq, folded. */
export async function storedView(log: Log, run: string, upTo = Infinity): Promise<RunView> {
  let view = emptyView
  for await (const record of log.read(run)) {
    if (!(record instanceof Batch)) continue
    view = fold(view, record.last <= upTo ? record.entries : record.entries.filter(({ seq }) => seq <= upTo))
    if (record.last >= upTo) break
  }
  return view
}

/**
 * One conversation: the last system message first, everything else in order. `opening` is what comes behind it: a call
 * of the past that neither it nor `given` answers is answered here.
 */
export function conversation(
  past: readonly Message[],
  {
    given,
    opening,
    system,
  }: { readonly given: readonly Message[]; readonly opening: Message; readonly system?: string | undefined },
): Message[] {
  const all = [...answered(past, [...given, opening]), ...given]
  const instructions: SystemMessage | undefined =
    system === undefined ? all.findLast((message) => message.role === 'system') : { role: 'system', content: system }
  const rest = all.filter(({ role }) => role !== 'system')
  return instructions ? [instructions, ...rest] : rest
}

/**
 * The messages with a result behind each tool call that has none, also not in what `follows`. The run was stopped while
 * the tool ran, so nobody knows what it did; models refuse a conversation with an open call.
 */
function answered(messages: readonly Message[], follows: readonly Message[]): Message[] {
  const all = [...messages, ...follows]
  const results = new Set(all.flatMap((message) => (message.role === 'tool' ? [message.call_id] : [])))
  return messages.flatMap((message): Message[] => {
    if (message.role !== 'assistant') return [message]
    const open = message.parts.flatMap((part): ToolMessage[] =>
      part.type === 'tool_call' && !results.has(part.call_id)
        ? [{ role: 'tool', call_id: part.call_id, name: part.name, content: UNKNOWN_OUTCOME, is_error: true }]
        : [],
    )
    return [message, ...open]
  })
}

const UNKNOWN_OUTCOME = 'the run was stopped while this tool was at work; whether it had an effect is unknown'
