/**
 * What a simulated model says: a list of steps. A script is spelled for whichever API asks. In a folder it is a file
 * `NAME.script.json`:
 *
 * ```json
 * { "description": "Thinks, looks at the clock, stops.", "tokens_per_second": 30, "steps": [
 *     { "reasoning": "The user wants the time." },
 *     { "pause_ms": 500 },
 *     { "text": "Let me look." },
 *     { "tool_call": { "name": "current_time", "input": {} } },
 *     { "finish": "tool_calls" } ] }
 * ```
 */
import * as z from 'zod'
import { RunletError } from '../core/error.ts'
import type { JsonObject } from '../core/json.ts'
import type { ToolSpec } from '../core/tool.ts'
import { parseJson } from '../wire/json.ts'

export interface Script {
  /** One line for lists. */
  readonly description?: string
  /** Pace where nobody asks for another. Default: as fast as the socket takes it. */
  readonly tokens_per_second?: number
  readonly steps: readonly Step[]
}

export type Step =
  /** Visible text. A string is cut into words, one frame each; a list is sent as it is, one frame per element. */
  | { readonly text: string | readonly string[] }
  | { readonly reasoning: string | readonly string[] }
  /** OpenAI's separate channel for a refusal; plain text on APIs that have none. */
  | { readonly refusal: string }
  | { readonly tool_call: { readonly name: string; readonly input: JsonObject; readonly id?: string } }
  /** Overrides what the simulator counted; anywhere in the list. */
  | { readonly usage: ScriptUsage }
  /** Ends the answer. Default: `tool_calls` after a call, else `stop`. */
  | { readonly finish: ScriptFinish }
  /** Silence before the next step. Skipped when the pace is "as fast as possible" by request. */
  | { readonly pause_ms: number }

export type ScriptFinish = 'stop' | 'length' | 'tool_calls' | 'content_filter'

export interface ScriptUsage {
  readonly input_tokens: number
  readonly output_tokens: number
  /** Part of `output_tokens`. */
  readonly reasoning_tokens?: number
  /** Part of `input_tokens`. */
  readonly cached_tokens?: number
}

/** What a request says, whatever API it came over: all that a script may depend on. */
export interface Ask {
  /** The API it came over, in words. */
  readonly api: string
  /** Text of the last user message. */
  readonly prompt: string
  readonly messages: readonly AskMessage[]
  /** What the request offers; empty if it forbids calls. */
  readonly tools: readonly ToolSpec[]
  /** The answer ends with `length` after so many tokens. */
  readonly maxTokens?: number
  /** False if the request wants no reasoning. */
  readonly think: boolean
}

export interface AskMessage {
  readonly role: 'system' | 'user' | 'assistant' | 'tool'
  readonly text: string
  /** Of a tool message: the tool, where the API tells. */
  readonly name?: string
}

/** Makes the script for one request. The same request gives the same script: what it makes may be kept. */
export type ScriptSource = (ask: Ask) => Script

/** Tool results that the model has not answered yet. */
export function freshResults(ask: Ask): readonly AskMessage[] {
  const start = ask.messages.findLastIndex(({ role }) => role !== 'tool') + 1
  return ask.messages.slice(start)
}

const text = z.union([z.string(), z.array(z.string().min(1))])
const count = z.int().min(0)
const scriptSchema = z.strictObject({
  description: z.string().optional(),
  tokens_per_second: z.number().positive().optional(),
  steps: z.array(
    z.union([
      z.strictObject({ text }),
      z.strictObject({ reasoning: text }),
      z.strictObject({ refusal: z.string() }),
      z.strictObject({
        tool_call: z.strictObject({
          name: z.string().min(1),
          input: z.record(z.string(), z.json()),
          id: z.string().min(1).optional(),
        }),
      }),
      z.strictObject({
        usage: z.strictObject({
          input_tokens: count,
          output_tokens: count,
          reasoning_tokens: count.optional(),
          cached_tokens: count.optional(),
        }),
      }),
      z.strictObject({ finish: z.enum(['stop', 'length', 'tool_calls', 'content_filter']) }),
      z.strictObject({ pause_ms: z.number().min(0).max(3_600_000) }),
    ]),
  ),
})

/** Largest script file. */
const MAX_BYTES = 16 * 1024 * 1024

/** Reads a script file. Throws `invalid_request` with reason `bad_script`, naming the file and the place in it. */
export function parseScript(json: string, file: string): Script {
  let value: unknown
  try {
    value = parseJson(json, { maxBytes: MAX_BYTES })
  } catch (cause) {
    throw badScript(file, 'it is not JSON', cause)
  }
  const { data, error } = scriptSchema.safeParse(value)
  if (error) {
    const { path, message } = error.issues[0]!
    throw badScript(file, `at ${path.join('.') || 'the top'}: ${message}`, error)
  }
  return data
}

function badScript(file: string, why: string, cause: unknown): RunletError {
  return new RunletError('invalid_request', {
    reason: 'bad_script',
    message: `${file} is not a script for the simulator: ${why}. A step is one of text, reasoning, refusal, tool_call, usage, finish, pause_ms`,
    cause,
  })
}
