import { RunletError } from '../core/error.ts'
import type { StartEvent } from '../core/event.ts'
import type { NewRun, RunRequest } from '../core/log.ts'
import type { Message, ToolMessage, UserMessage } from '../core/message.ts'
import type { Caller, ModelOptions, Provider } from '../core/provider.ts'
import { quoted } from '../core/quote.ts'
import type { ToolSpec } from '../core/tool.ts'
import { openInbox, type Inbox } from './inbox.ts'
import type { StartRequest } from './request.ts'
import type { RuntimeOptions } from './runtime.ts'
import { conversation, sessionPast } from './session.ts'
import { callerTools, type CallableTool } from './tools.ts'

/** What the engine works with on one run, besides its log. */
export interface RunParts {
  readonly providerName: string
  readonly provider: Provider
  readonly model: string
  readonly history: readonly Message[]
  readonly tools: ReadonlyMap<string, CallableTool>
  readonly handedBack: readonly ToolSpec[]
  readonly awaited: ReadonlySet<string>
  readonly inbox: Inbox
  readonly options: ModelOptions
  readonly onInterrupt: 'fail' | 'restart'
  readonly caller: Caller
  readonly idempotencyScope: string
}

/** A request that was checked and completed. */
export interface PreparedRun {
  readonly stored: NewRun
  readonly parts: RunParts
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
  const { tools: names = [], callerTools: specs = [], callerResults = 'next_run', onInterrupt = 'fail' } = request
  const runId = newId()
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
  const system: Message[] = request.system === undefined ? [] : [{ role: 'system', content: request.system }]
  const stored: RunRequest = {
    messages: [...system, ...given],
    prompt: lastPrompt(given, opening),
    options: request.options ?? {},
    tools: [...new Set(names)],
    ...(specs.length > 0 ? { caller_tools: specs } : {}),
    ...(specs.length > 0 && callerResults === 'answer' ? { caller_results: callerResults } : {}),
    ...(onInterrupt === 'restart' ? { on_interrupt: onInterrupt } : {}),
  }
  return {
    stored: {
      start,
      events: [
        opening.role === 'user'
          ? { type: 'turn.start', turn: 1, kind: 'prompt', message: opening }
          : { type: 'turn.start', turn: 1, kind: 'tool_result', message: opening },
        { type: 'step.start', step: 1, attempt: 1 },
      ],
      request: stored,
      ...(request.idempotency ? { claim: request.idempotency } : {}),
    },
    parts: {
      providerName,
      provider,
      model,
      history,
      ...toolParts(runId, stored, tools),
      options: stored.options,
      onInterrupt,
      caller: callerOf(start, request.parentSpanId ?? newId(), request.sampled),
      idempotencyScope: request.idempotency?.key ?? requestId,
    },
  }
}

/** Which tools a run has, and who runs them. Throws `invalid_request` with reason `tool_unknown` or `bad_tool`. */
export function toolParts(
  run: string,
  { tools: names, caller_tools: specs = [], caller_results }: RunRequest,
  tools: ReadonlyMap<string, CallableTool>,
): Pick<RunParts, 'tools' | 'handedBack' | 'awaited' | 'inbox'> {
  const inbox = openInbox(run)
  const allowed = allowedTools(names, tools)
  const waits = caller_results === 'answer'
  const callers = callerTools(specs, { inbox, taken: allowed, waits })
  const handedBack = waits ? [] : specs
  return { inbox, tools: new Map([...allowed, ...callers]), handedBack, awaited: new Set(callers.keys()) }
}

/** On whose behalf a run calls its model. The trace is told where its id is one of W3C Trace Context, as ours are. */
export function callerOf(
  { run_id, session_id, request_id, trace_id }: StartEvent,
  span: string,
  sampled = true,
): Caller {
  const trace = trace_id.replaceAll('-', '')
  const parent = span.replaceAll('-', '').slice(-16)
  const traced = /^[0-9a-f]{32}$/.test(trace) && /^[0-9a-f]{16}$/.test(parent)
  return {
    runId: run_id,
    sessionId: session_id,
    requestId: request_id,
    ...(traced ? { traceparent: `00-${trace}-${parent}-${sampled ? '01' : '00'}` } : {}),
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

/** Throws `invalid_request` with reason `model_missing`, and `not_found` with reason `model_unknown`. */
export function resolveModel(
  name: string | undefined,
  { providers, aliases = {} }: Pick<RuntimeOptions, 'providers' | 'aliases'>,
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
      message: `${quoted(full)} names no model here; write provider/model with one of these providers: ${list(known)}${also}`,
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
        message: `there is no tool ${quoted(name)}; available: ${list([...tools.keys()])}`,
      })
    }
    allowed.set(name, tool)
  }
  return allowed
}

const list = (names: readonly string[]) => names.join(', ') || 'none'
