import type { ErrorCode } from './error.ts'
import type { Citation, StopReason, Usage } from './event.ts'
import type { JsonObject } from './json.ts'
import type { Message } from './message.ts'
import type { ToolSpec } from './tool.ts'

/**
 * One thing a model said, in the order it said it: `start`, then anything, then exactly one `done`, or a throw. Only
 * `status` and `warning` may stand before `start`: what a wrapper tells while it waits. `testing/provider-suite.ts`
 * holds the order.
 */
export type ProviderEvent =
  /** The provider accepted the request. `model` is the id it reports, which may differ from the one asked for. */
  | { readonly type: 'start'; readonly model: string }
  /** A fragment of visible text; never empty, never half a surrogate pair. Whitespace is text. */
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'reasoning'; readonly text: string }
  /** A fragment of a call's arguments, for display. */
  | { readonly type: 'tool_call_delta'; readonly call_id: string; readonly name: string; readonly json: string }
  /** A call that the provider closed, its arguments parsed strictly as an object. In index order. */
  | { readonly type: 'tool_call'; readonly call_id: string; readonly name: string; readonly input: JsonObject }
  | { readonly type: 'citations'; readonly citations: readonly Citation[] }
  | { readonly type: 'safety'; readonly category: string; readonly action: string; readonly score?: number }
  /** `chunk` is base64, `format` a media type. */
  | { readonly type: 'audio'; readonly chunk: string; readonly format: string }
  /** What the provider said besides, in the shape of its own API; only where `keep_fields` asked for it. */
  | { readonly type: 'fields'; readonly fields: JsonObject }
  | {
      readonly type: 'status' | 'warning'
      readonly code: string
      readonly message: string
      /** The code of the error that it tells of, where there is one. */
      readonly cause?: ErrorCode
    }
  /** Always last, exactly once. */
  | { readonly type: 'done'; readonly reason: StopReason; readonly usage?: Usage }

/** What makes an answer worth keeping: from here on a second attempt would repeat it. */
export function isContent({ type }: ProviderEvent): boolean {
  return type !== 'start' && type !== 'status' && type !== 'warning' && type !== 'fields' && type !== 'done'
}

/** One model call. */
export interface ModelRequest {
  /** The provider's own id of the model, without Runlet's prefix. */
  readonly model: string
  readonly messages: readonly Message[]
  readonly tools: readonly ToolSpec[]
  readonly options: ModelOptions
}

/** What a caller may set. Absent means the provider's default. */
export interface ModelOptions {
  readonly temperature?: number
  readonly top_p?: number
  /** Most tokens of the answer. */
  readonly max_tokens?: number
  readonly stop?: readonly string[]
  readonly reasoning_effort?: 'none' | 'minimal' | 'low' | 'medium' | 'high'
  /** Whether the model may, must or must not call tools, or which one it must call. Default: it may. */
  readonly tool_choice?: 'auto' | 'none' | 'required' | { readonly name: string }
  /** Members of the provider's own request that have no name here; APIs that do not know them leave them out. */
  readonly provider_options?: JsonObject
  /** Ask for the provider's own fields (`fields` events), for clients that read them. Default false. */
  readonly keep_fields?: boolean
}

/** On whose behalf a model is called: for wrappers that count, queue or tell. */
export interface Caller {
  readonly runId: string
  readonly sessionId: string
  readonly requestId: string
  /** The trace that the call belongs to, as W3C Trace Context spells it, for the provider's own tracing. */
  readonly traceparent?: string
}

/** How a model is called. */
export interface CallOptions {
  readonly signal: AbortSignal
  readonly caller?: Caller
  /** Told, before the first event, what the provider says is left of its own limits; never called where it says nothing. */
  readonly onLimits?: (limits: ProviderLimits) => void
}

/** What a provider says is left of its limits, per kind; what it does not tell is absent. */
export interface ProviderLimits {
  readonly requests?: Allowance
  readonly tokens?: Allowance
}

/** What is left of one limit. */
export interface Allowance {
  readonly remaining: number
  /** Until the limit is whole again. Milliseconds. */
  readonly resetMs: number
  /** The whole limit, where it comes back bit by bit until then. Absent: it comes back at once. */
  readonly refillsTo?: number
}

/** What a provider can do besides text: call tools, show reasoning, count tokens, continue a broken stream by itself. */
export type Capability = 'tools' | 'reasoning' | 'usage' | 'resume'

/** One model API. `stream` may throw at any time; it never retries, and knows nothing of runs. */
export interface Provider {
  /** The API's name, for example `openai-chat`. */
  readonly api: string
  readonly capabilities: readonly Capability[]
  /**
   * Calls the model once. Yields all events of one network read as one array, never an empty one. Throws
   * `RunletError`; end of bytes before the provider's own end mark is `network` with `stream_eof_before_done`. When
   * the signal aborts, or the consumer stops, the connection is closed at once. Wrappers hand `options` on as they are.
   */
  stream(request: ModelRequest, options: CallOptions): AsyncIterable<readonly ProviderEvent[]>
  /** The models that can be asked for now. Throws when the provider cannot be reached or refuses the key. */
  models(options: { readonly signal: AbortSignal }): Promise<ModelInfo[]>
}

/** A model as its provider lists it. */
export interface ModelInfo {
  readonly id: string
  /** Unix time in milliseconds, where the provider tells. */
  readonly created_at?: number
}
