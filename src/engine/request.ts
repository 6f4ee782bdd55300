import type { Durability } from '../core/event.ts'
import type { IdempotencyClaim } from '../core/log.ts'
import type { Message } from '../core/message.ts'
import type { ModelOptions } from '../core/provider.ts'
import type { ToolSpec } from '../core/tool.ts'

/** What `runtime.start` is asked for. */
export interface StartRequest {
  /** `provider/model` or an alias. Default: the session's model, else `defaultModel`. */
  readonly model?: string
  /** What to answer. Required, unless `messages` ends with a user message, or with results of the caller's tools. */
  readonly prompt?: string
  /** The conversation so far. A session's earlier runs come before it. */
  readonly messages?: readonly Message[]
  /** Instructions that go before everything else. */
  readonly system?: string
  /** Continue this conversation. Default: a new one. */
  readonly sessionId?: string
  /** Names of the tools that the model may call. Default none. */
  readonly tools?: readonly string[]
  /** Tools that the caller runs itself. The model may call them beside the runtime's own. */
  readonly callerTools?: readonly ToolSpec[]
  /**
   * What a call of a caller's tool leads to. `next_run` (default): the run ends with `tool_calls`, and the results come
   * with the messages of another. `answer`: the run waits, as for any tool, until `Runtime.send` brings the result.
   */
  readonly callerResults?: 'next_run' | 'answer'
  readonly options?: ModelOptions
  readonly durability?: Durability
  /**
   * When the stream breaks off after content: end with the error, or void what came (`step.reset`) and try again.
   * Default `fail`.
   */
  readonly onInterrupt?: 'fail' | 'restart'
  readonly idempotency?: IdempotencyClaim
  /** Default: a UUIDv7. */
  readonly requestId?: string
  /** 32 hexadecimal digits where it comes from W3C Trace Context. Default: the request id. */
  readonly traceId?: string
  /** The span, in `traceId`, of whoever asks: 16 hexadecimal digits. */
  readonly parentSpanId?: string
  /** Whether whoever asks records that trace; providers are told the same. Default true. */
  readonly sampled?: boolean
}
