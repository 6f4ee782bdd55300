import pLimit from 'p-limit'
import * as z from 'zod'
import { RunletError, isRunletError } from '../core/error.ts'
import type { RunEvent } from '../core/event.ts'
import type { JsonObject, JsonValue } from '../core/json.ts'
import { quoted } from '../core/quote.ts'
import type { Tool, ToolSpec } from '../core/tool.ts'
import type { Inbox } from './inbox.ts'
import type { RunContext } from './context.ts'

/** A call that the provider closed, its arguments parsed. */
export interface ToolCall {
  readonly call_id: string
  readonly name: string
  readonly input: JsonObject
}

/** A tool with the check of its input, made once. */
export interface CallableTool {
  readonly tool: Tool
  /** What is wrong with an input, in words for the model; undefined if nothing is. */
  readonly mistakes: (input: JsonObject) => string | undefined
}

/** Prepares tools for use. Throws `invalid_request` with reason `bad_tool` for a bad name, schema, or a name used twice. */
export function callableTools(tools: readonly Tool[]): Map<string, CallableTool> {
  checkNames(tools)
  return new Map(tools.map((tool) => [tool.name, { tool, mistakes: inputCheck(tool) }]))
}

function checkNames(tools: readonly ToolSpec[]): void {
  const names = new Set<string>()
  for (const { name } of tools) {
    if (!/^[\w-]{1,64}$/.test(name)) throw badTool(name, 'its name is not 1 to 64 letters, digits, _ or -')
    if (names.has(name)) throw badTool(name, 'another tool has the same name')
    names.add(name)
  }
}

/**
 * Tools that the caller runs itself: where the run waits for their results, each as one that does so; else none. Their
 * schemas are for the model alone, and may be of any dialect: a stranger's pattern, run over what a model wrote, could
 * hold the whole process up, so the caller judges its arguments itself. Throws `invalid_request` with reason `bad_tool`,
 * also for a name that one of ours has.
 */
export function callerTools(
  specs: readonly ToolSpec[],
  {
    inbox,
    taken,
    waits,
  }: { readonly inbox: Inbox; readonly taken: ReadonlyMap<string, CallableTool>; readonly waits: boolean },
): Map<string, CallableTool> {
  for (const { name } of specs) {
    if (taken.has(name)) throw badTool(name, 'the caller brings a tool of the same name; choose one of the two')
  }
  checkNames(specs)
  if (!waits) return new Map()
  const run: Tool['run'] = async (_, { callId, signal }) => {
    const { result, is_error } = await inbox.result(callId, signal)
    if (is_error) throw new Error(typeof result === 'string' ? result : JSON.stringify(result))
    return result
  }
  return new Map(specs.map((spec) => [spec.name, { tool: { ...spec, run }, mistakes: () => undefined }]))
}

function inputCheck(tool: Tool): CallableTool['mistakes'] {
  let schema: z.ZodType
  try {
    schema = z.fromJSONSchema(tool.parameters)
  } catch (cause) {
    throw badTool(tool.name, 'its parameters are not a JSON Schema that can be checked', cause)
  }
  return (input) => {
    const { error } = schema.safeParse(input)
    return error?.issues.map(({ path, message }) => `${path.join('.') || 'input'}: ${message}`).join('; ')
  }
}

function badTool(name: string, why: string, cause?: unknown): RunletError {
  return new RunletError('invalid_request', {
    reason: 'bad_tool',
    message: `tool ${quoted(name)} cannot be used: ${why}`,
    cause,
  })
}

/** How a call came out. */
interface Outcome {
  readonly result: JsonValue
  readonly is_error: boolean
  readonly duration_ms: number
}

/**
 * Runs the calls of one step, several at once, and writes their results in call order. The calls are in the log
 * already, so that a crash in between leaves a trace. Throws only the run's stop or a failure of the log.
 */
export async function executeCalls(run: RunContext, step: number, calls: readonly ToolCall[]): Promise<void> {
  if (calls.length === 0) return
  const limit = pLimit(run.limits.parallelTools)
  const outcomes: (Outcome | undefined)[] = calls.map(() => undefined)
  let written = 0
  let writing = Promise.resolve()

  const work = calls.map((call, i) =>
    limit(async () => {
      run.signal.throwIfAborted()
      outcomes[i] = run.inbox.steered ? await skip(run, call) : await execute(run, step, call)
      run.signal.throwIfAborted()
      const ready: RunEvent[] = []
      for (let outcome; (outcome = outcomes[written]); written++)
        ready.push(resultEvent(step, calls[written]!, outcome))
      if (ready.length > 0) writing = run.journal.append(ready)
      await writing
    }),
  )
  await Promise.allSettled(work)
  run.signal.throwIfAborted()
  await Promise.all(work)
}

function resultEvent(step: number, { call_id, name }: ToolCall, outcome: Outcome): RunEvent {
  const { result: tool_result, is_error, duration_ms } = outcome
  return { type: 'tool.result', step, call_id, name, tool_result, is_error, duration_ms }
}

/** The user has said something else: what was not begun is left. */
async function skip(run: RunContext, call: ToolCall): Promise<Outcome> {
  const message = `${call.name} (${call.call_id}) is not run, because the user has said something else meanwhile`
  await run.journal.append([{ type: 'warning', code: 'tool_execution_skipped', message }])
  return { result: 'Skipped due to queued user message.', is_error: true, duration_ms: 0 }
}

async function execute(run: RunContext, step: number, call: ToolCall): Promise<Outcome> {
  const begun = run.clock.now()
  const outcome = (result: JsonValue, is_error: boolean): Outcome => ({
    result,
    is_error,
    duration_ms: run.clock.now() - begun,
  })
  const callable = run.tools.get(call.name)
  if (!callable) {
    const known = [...run.tools.keys()].join(', ') || 'none'
    return outcome(`there is no tool ${quoted(call.name)}; available: ${known}`, true)
  }
  const mistakes = callable.mistakes(call.input)
  if (mistakes) return outcome(`the arguments do not fit the tool's schema: ${mistakes}`, true)
  try {
    return outcome(await bounded(run, step, call, callable.tool), false)
  } catch (thrown) {
    run.signal.throwIfAborted()
    return outcome(failureText(run, call, thrown), true)
  }
}

/** Runs a tool until it settles, its time is up, or the run is stopped and the grace is over. */
function bounded(run: RunContext, step: number, call: ToolCall, tool: Tool): Promise<JsonValue> {
  const { clock, limits, signal } = run
  const timeoutMs = tool.timeoutMs ?? limits.toolMs
  const abort = new AbortController()
  let over = false

  return new Promise<JsonValue>((resolve, reject) => {
    let cancelTimer = clock.after(timeoutMs, () => {
      const error = new RunletError('timeout', {
        reason: 'tool_timeout',
        message: `${tool.name} did not finish within ${timeoutMs / 1000} s`,
      })
      abort.abort(error)
      abandonAfterGrace(error)
    })
    const onStop = () => {
      cancelTimer()
      abort.abort(signal.reason)
      abandonAfterGrace(signal.reason)
    }
    const settle = (finish: () => void) => {
      if (over) return
      over = true
      cancelTimer()
      signal.removeEventListener('abort', onStop)
      finish()
    }
    function abandonAfterGrace(reason: unknown): void {
      cancelTimer = clock.after(limits.graceMs, () => {
        settle(() => reject(reason))
        run.report({
          level: 'warning',
          code: 'tool_resists',
          message: `tool ${tool.name} did not stop within ${limits.graceMs} ms of being told to; what it still does is ignored`,
        })
      })
    }
    signal.addEventListener('abort', onStop, { once: true })

    const context = {
      signal: abort.signal,
      runId: run.id,
      callId: call.call_id,
      requestId: run.caller.requestId,
      attempt: 1,
      idempotencyScope: run.idempotencyScope,
      idempotencyKey: `${run.id}/${step}/${call.call_id}`,
      progress: (text: string) => {
        if (over || text === '' || signal.aborted) return
        // A failure to write is met by whoever writes the result.
        run.journal.append([{ type: 'tool.progress', step, call_id: call.call_id, text }]).catch(() => {})
      },
    }
    // In a promise chain, so that a tool that throws at once is treated as one that rejects.
    Promise.resolve()
      .then(() => tool.run(call.input, context))
      .then(
        (result) => settle(() => resolve(jsonResult(tool, result))),
        (error: unknown) => settle(() => reject(abort.signal.aborted ? abort.signal.reason : error)),
      )
      .catch(reject)
  })
}

/** What a tool gave, as JSON; `undefined` counts as null. Throws where it cannot be written down. */
function jsonResult(tool: Tool, result: unknown): JsonValue {
  if (typeof result === 'string') return result
  const text = result === undefined ? 'null' : JSON.stringify(result)
  if (text === undefined) throw new TypeError(`${tool.name} returned a ${typeof result}, which is not JSON`)
  return JSON.parse(text)
}

/** What the model is told. A tool's own message goes to the model, as tool results do; it is not a client's error. */
function failureText(run: RunContext, call: ToolCall, thrown: unknown): string {
  if (isRunletError(thrown)) return thrown.message
  run.report({ level: 'info', code: 'tool_failed', message: `tool ${call.name} failed`, cause: thrown })
  return thrown instanceof Error ? thrown.message : String(thrown)
}
