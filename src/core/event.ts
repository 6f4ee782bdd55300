/**
 * `gai.events.v1`: what a log stores and what most clients read. PROTOCOL.md is the prose; `order.ts` is the legal
 * order. Records are plain JSON in snake_case, as they stand on the wire, and are never changed once handed over.
 */
import type { ErrorBody, ErrorCode } from './error.ts'
import type { JsonObject, JsonValue } from './json.ts'
import type { ToolMessage, UserMessage } from './message.ts'

/** Names a run: an opaque string that is safe in a URL. */
export type RunId = string

/** How safe an entry is before anyone sees it: after fdatasync, in the page cache, or in this process only. */
export type Durability = 'sync' | 'os' | 'memory'

/** Tokens as the provider counted them, or as Runlet estimated them where it did not say. */
export interface Usage {
  readonly input_tokens: number
  readonly output_tokens: number
  readonly total_tokens: number
  /** Part of `output_tokens`, where the provider tells. */
  readonly reasoning_tokens?: number
  /** Part of `input_tokens` that the provider had cached, where it tells. */
  readonly cached_tokens?: number
  readonly accuracy: 'exact' | 'estimated'
}

/** Why a model stopped by itself. `tool_calls`: it waits for results. `unknown`: it gave a reason that we do not know. */
export type StopReason = 'stop' | 'length' | 'tool_calls' | 'content_filter' | 'unknown'

/** How a turn, and the run, came to its end. `tool_calls`: the caller runs its own tools. `tool_limit`: too many steps. */
export type FinishReason = 'stop' | 'length' | 'tool_calls' | 'tool_limit' | 'content_filter' | 'cancelled'

/** How a turn came to its end. `steered`: a steer took over before the model was done with its tools. */
export type TurnReason = FinishReason | 'steered'

/** What began a turn: the request itself, a message that goes before all others, or one that waited. */
export type TurnKind = 'prompt' | 'steer' | 'follow_up'

/** A source that the model names for a piece of its text. */
export interface Citation {
  readonly uri: string
  readonly title?: string
  /** Character range of the text that is cited for, where the provider tells. */
  readonly start?: number
  readonly end?: number
}

/** What holds for the whole run. It opens every log, once. */
export interface StartEvent {
  readonly type: 'start'
  readonly trace_id: string
  readonly request_id: string
  readonly run_id: RunId
  readonly session_id: string
  readonly provider: string
  /** The model that was asked for; `step.end` tells what answered, where that differs. */
  readonly model: string
  readonly durability: Durability
  readonly capabilities: readonly string[]
}

/** Events that only exist inside a step, and are void after a `step.reset` of it. */
export type StepEvent =
  /** Visible text; never empty, never half a surrogate pair. Whitespace is text. */
  | { readonly type: 'text.delta'; readonly step: number; readonly text: string }
  | { readonly type: 'reasoning.delta'; readonly step: number; readonly text: string }
  /** A raw fragment of arguments, for display only. */
  | {
      readonly type: 'tool.call.delta'
      readonly step: number
      readonly call_id: string
      readonly name: string
      readonly json: string
    }
  /** A complete call, once. It is logged before the tool starts. */
  | {
      readonly type: 'tool.call'
      readonly step: number
      readonly call_id: string
      readonly tool_call: { readonly name: string; readonly input: JsonObject }
    }
  | { readonly type: 'tool.progress'; readonly step: number; readonly call_id: string; readonly text: string }
  /** The outcome of a call, once. It is logged before the model or a reader sees it. */
  | {
      readonly type: 'tool.result'
      readonly step: number
      readonly call_id: string
      readonly name: string
      readonly tool_result: JsonValue
      readonly is_error: boolean
      readonly duration_ms: number
    }
  | { readonly type: 'citations'; readonly step: number; readonly citations: readonly Citation[] }
  | {
      readonly type: 'safety'
      readonly step: number
      readonly safety: { readonly category: string; readonly action: string; readonly score?: number }
    }
  /** `chunk` is base64, `format` a media type. */
  | {
      readonly type: 'audio.delta'
      readonly step: number
      readonly audio: { readonly chunk: string; readonly format: string }
    }
  /** Fields of the provider's own that have no name here, in the shape of its API; only where a request asked to keep them. */
  | { readonly type: 'provider.fields'; readonly step: number; readonly fields: JsonObject }

/** How a run ends. Exactly one of these is the last entry of every run that is not running. */
export type TerminalEvent =
  | { readonly type: 'finish'; readonly usage: Usage; readonly finish_reason: FinishReason }
  | { readonly type: 'error'; readonly error: ErrorBody; readonly usage?: Usage }

/** Everything that a log can hold. */
export type RunEvent =
  /** First, once. */
  | StartEvent
  | { readonly type: 'turn.start'; readonly turn: number; readonly kind: TurnKind; readonly message: UserMessage }
  /** A turn that goes on where a caller's own tools left off: `message` is the last of their results. */
  | {
      readonly type: 'turn.start'
      readonly turn: number
      readonly kind: 'tool_result'
      readonly message: ToolMessage
    }
  | { readonly type: 'turn.end'; readonly turn: number; readonly reason: TurnReason }
  | { readonly type: 'step.start'; readonly step: number; readonly attempt: number }
  | {
      readonly type: 'step.end'
      readonly step: number
      readonly model?: string
      readonly finish_reason: StopReason
      readonly usage?: Usage
    }
  /** Everything since this step's `step.start` is void; readers forget it. */
  | { readonly type: 'step.reset'; readonly step: number; readonly attempt: number; readonly reason: string }
  | StepEvent
  | {
      readonly type: 'status' | 'warning'
      readonly code: string
      readonly message: string
      /** The code of the error that it tells of, where there is one. */
      readonly cause?: ErrorCode
    }
  | TerminalEvent

/** The names of all events. */
export type EventType = RunEvent['type']

/** An event with its place and time in a run's log. */
export interface Entry {
  /** 1, 2, 3 … per run, without holes. */
  readonly seq: number
  /** Unix time in milliseconds, from the clock of the process that appended it. */
  readonly ts: number
  /** On the first entry of each epoch, so that a reader of lines can build cursors. */
  readonly epoch?: number
  readonly event: RunEvent
}

/** Whether a run is over with this event. */
export function isTerminal(event: RunEvent): event is TerminalEvent {
  return event.type === 'finish' || event.type === 'error'
}

/** `completed` is every `finish` but a cancel; `failed` is every `error`. */
export type RunStatus = 'running' | 'completed' | 'failed' | 'cancelled'

/** The state of a run whose terminal event is `event`. */
export function statusAfter(event: TerminalEvent): Exclude<RunStatus, 'running'> {
  if (event.type === 'error') return 'failed'
  return event.finish_reason === 'cancelled' ? 'cancelled' : 'completed'
}

/** In the order on the wire. */
const counts = ['input_tokens', 'output_tokens', 'total_tokens', 'reasoning_tokens', 'cached_tokens'] as const

/** The sum of what several steps used. `estimated` is contagious. Its numbers are finite, whatever those of `a` and `b` are. */
export function addUsage(a: Usage | undefined, b: Usage | undefined): Usage | undefined {
  if (!a && !b) return undefined
  const sums: Partial<Record<(typeof counts)[number], number>> = {}
  for (const name of counts) {
    if (a?.[name] === undefined && b?.[name] === undefined) continue
    sums[name] = Math.min(tokens(a?.[name]) + tokens(b?.[name]), Number.MAX_SAFE_INTEGER)
  }
  const accuracy = [a, b].some((usage) => usage?.accuracy === 'estimated') ? 'estimated' : 'exact'
  return { ...(sums as Omit<Usage, 'accuracy'>), accuracy }
}

/** JSON knows neither NaN nor Infinity: a log would hold null instead. */
const tokens = (count: number = 0): number => Math.max(0, count) || 0
