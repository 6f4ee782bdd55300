import { RunletError } from '../core/error.ts'
import type { StartEvent } from '../core/event.ts'
import type { NewRun } from '../core/log.ts'
import type { Message, ToolMessage, UserMessage } from '../core/message.ts'
import type { Provider } from '../core/provider.ts'
import { openInbox, type Inbox } from './inbox.ts'
import type { StartRequest } from './request.ts'
import type { RuntimeOptions } from './runtime.ts'
import { conversation, sessionPast } from './session.ts'
import { callerTools, type CallableTool } from './tools.ts'
import type { ToolSpec } from '../core/tool.ts'

/** A request that was checked and completed: what goes into the log, and what the engine needs besides. */
export interface PreparedRun {
  readonly stored: NewRun
  readonly providerName: string
  readonly provider: Provider
  readonly model: string
  readonly history: readonly Message[]
  readonly tools: ReadonlyMap<string, CallableTool>
  /** Tools whose calls end the run, for the caller to run them. */
  readonly handedBack: readonly ToolSpec[]
  /** Names of the tools whose results the caller brings while the run waits. */
  readonly awaited: ReadonlySet<string>
  readonly inbox: Inbox
  readonly onInterrupt: 'fail' | 'restart'
  readonly traceparent: string | undefined
  readonly parentSpanId: string | undefined
  readonly idempotencyScope: string
}

/** Checks a request against what the runtime has. Throws as `Runtime.start` says; nothing is stored here. */
export async function prepareRun(
  request: StartRequest,
  options: RuntimeOptions,
  tools: ReadonlyMap<string, CallableTool>,
  newId: () => string,
): Promise<PreparedRun> {
  const { given, opening } = split(request)
  const past = request.sessionId === undefined ? undefined : await sessionPast(options.log, request.sessionId)
  const { providerName, provider, model } = resolveModel(request.model ?? past?.model ?? options.defaultModel, options)
  const history = conversation(past?.messages ?? [], { given, opening, system: request.system })
  const allowed = allowedTools(request.tools ?? [], tools)
  const { callerTools: specs = [], callerResults = 'next_run' } = request
  const runId = newId()
  const inbox = openInbox(runId)
  const callers = callerTools(specs, { inbox, taken: allowed })

  const requestId = request.requestId ?? newId()
  const { levels } = options.log
  const wanted = request.durability ?? options.durability
  const start: StartEvent = {
    type: 'start',
    trace_id: request.traceId ?? requestId,
    request_id: requestId,
    run_id: runId,
    session_id: request.sessionId ?? newId(),
    provider: providerName,
    model,
    durability: wanted !== undefined && levels.includes(wanted) ? wanted : levels[0]!,
    capabilities: provider.capabilities,
  }
  const onInterrupt = request.onInterrupt ?? 'fail'
  const system: Message[] = request.system === undefined ? [] : [{ role: 'system', content: request.system }]
  return {
    stored: {
      start,
      events: [
        opening.role === 'user'
          ? { type: 'turn.start', turn: 1, kind: 'prompt', message: opening }
          : { type: 'turn.start', turn: 1, kind: 'tool_result', message: opening },
        { type: 'step.start', step: 1, attempt: 1 },
      ],
      request: {
        messages: [...system, ...given],
        prompt: lastPrompt(given, opening),
        options: request.options ?? {},
        tools: [...allowed.keys()],
        ...(specs.length > 0 ? { caller_tools: specs } : {}),
        ...(specs.length > 0 && callerResults === 'answer' ? { caller_results: callerResults } : {}),
        ...(onInterrupt === 'restart' ? { on_interrupt: onInterrupt } : {}),
      },
      ...(request.idempotency ? { claim: request.idempotency } : {}),
    },
    providerName,
    provider,
    model,
    history,
    tools: callerResults === 'answer' ? new Map([...allowed, ...callers]) : allowed,
    handedBack: callerResults === 'answer' ? [] : specs,
    awaited: new Set(callerResults === 'answer' ? callers.keys() : []),
    inbox,
    onInterrupt,
    traceparent: traceparent(start.trace_id, request.parentSpanId ?? newId()),
    parentSpanId: request.parentSpanId,
    idempotencyScope: request.idempotency?.key ?? requestId,
  }
}

/** The message that the run answers, and what the caller gave before it: either apart, or as the last of `messages`. */
function split({ prompt, messages = [] }: StartRequest): {
  readonly given: readonly Message[]
  readonly opening: UserMessage | ToolMessage
} {
  const last = messages.at(-1)
  if (prompt === undefined && last?.role === 'tool') return { given: messages.slice(0, -1), opening: last }
  const apart = prompt !== undefined
  const text = apart ? prompt : last?.role === 'user' ? last.content : ''
  if (text.trim() === '') {
    throw new RunletError('invalid_request', {
      reason: 'empty_prompt',
      message:
        'there is nothing to answer: give a prompt that is not empty, or messages that end with one from the user',
    })
  }
  return { given: apart ? messages : messages.slice(0, -1), opening: { role: 'user', content: text } }
}

/** What the user last said, for lists. */
function lastPrompt(given: readonly Message[], opening: UserMessage | ToolMessage): string {
  if (opening.role === 'user') return opening.content
  return given.findLast((message) => message.role === 'user')?.content ?? ''
}

/** For the provider's own tracing; nothing where the trace id is not one of W3C Trace Context. */
function traceparent(traceId: string, span: string): string | undefined {
  const trace = traceId.replaceAll('-', '')
  const parent = span.replaceAll('-', '').slice(-16)
  return /^[0-9a-f]{32}$/.test(trace) && /^[0-9a-f]{16}$/.test(parent) ? `00-${trace}-${parent}-01` : undefined
}

function resolveModel(
  name: string | undefined,
  { providers, aliases = {} }: RuntimeOptions,
): { providerName: string; provider: Provider; model: string } {
  const known = Object.keys(providers)
  if (name === undefined || name === '') {
    throw new RunletError('invalid_request', {
      reason: 'model_missing',
      message: `no model was named and there is no default; name one as provider/model (providers: ${list(known)}) or set default_model`,
    })
  }
  const full = Object.hasOwn(aliases, name) ? aliases[name]! : name
  const slash = full.indexOf('/')
  const providerName = slash < 0 ? '' : full.slice(0, slash)
  if (slash < 0 || slash === full.length - 1 || !Object.hasOwn(providers, providerName)) {
    const also = Object.keys(aliases).length > 0 ? `; aliases: ${list(Object.keys(aliases))}` : ''
    throw new RunletError('not_found', {
      reason: 'model_unknown',
      message: `"${full}" names no model here; write provider/model with one of these providers: ${list(known)}${also}`,
    })
  }
  return { providerName, provider: providers[providerName]!, model: full.slice(slash + 1) }
}

function allowedTools(
  names: readonly string[],
  tools: ReadonlyMap<string, CallableTool>,
): ReadonlyMap<string, CallableTool> {
  const allowed = new Map<string, CallableTool>()
  for (const name of names) {
    const tool = tools.get(name)
    if (!tool) {
      throw new RunletError('invalid_request', {
        reason: 'tool_unknown',
        message: `there is no tool "${name}"; available: ${list([...tools.keys()])}`,
      })
    }
    allowed.set(name, tool)
  }
  return allowed
}

const list = (names: readonly string[]) => names.join(', ') || 'none'
