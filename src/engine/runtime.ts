import type { Batch } from '../core/batch.ts'
import type { Clock } from '../core/clock.ts'
import type { Durability, RunId } from '../core/event.ts'
import type { RunView } from '../core/fold.ts'
import type { Gap, IdempotencyClaim, ListQuery, Log, ReadOptions, RunHeader } from '../core/log.ts'
import type { AssistantMessage, Message } from '../core/message.ts'
import type { ModelInfo, ModelOptions, Provider } from '../core/provider.ts'
import type { Tool } from '../core/tool.ts'

/** Starts, finds, cancels and lists runs. What it is handed here is all that it knows of the world. */
export interface Runtime {
  /**
   * Begins a run and returns as soon as it is stored; it lives on without readers. Throws `invalid_request`
   * (`empty_prompt`, `model_missing`, `tool_unknown`, `session_unknown`, `idempotency_conflict` with status 422),
   * `not_found` (`model_unknown`), and what the log throws.
   */
  start(request: StartRequest): Promise<Run>
  /** A run by its id, live or stored. Throws `not_found` with reason `run_unknown`. */
  find(run: RunId): Promise<Run>
  /**
   * Cancels a run, in whichever process it lives, and resolves with its header once it has ended. Idempotent: a run
   * that ended before is left as it is. Throws `not_found`, and `timeout` with reason `cancel_unanswered` when the
   * owner does not react within `limits.cancelMs`.
   */
  cancel(run: RunId, options?: { readonly reason?: string }): Promise<RunHeader>
  /** Newest first. */
  list(query?: ListQuery): Promise<RunHeader[]>
  /** Every model that the providers tell of, as `provider/model`, and what each provider answered instead. */
  models(options?: { readonly signal?: AbortSignal }): Promise<ProviderModels[]>
  /** Ends runs whose owner is dead, with `error{internal, owner_lost}`. `start` waits for the first of these by itself. */
  recover(): Promise<RunHeader[]>
  /** Cancels the runs of this process, waits for their endings, and closes the log. */
  close(): Promise<void>
}

export interface RuntimeOptions {
  /** By the name that stands before the slash of a model id. */
  readonly providers: Readonly<Record<string, Provider>>
  readonly log: Log
  /** What models may call. Default none. */
  readonly tools?: readonly Tool[]
  /** Short names of models: `{ fast: 'openai/gpt-5-mini' }`. */
  readonly aliases?: Readonly<Record<string, string>>
  /** Where a request names no model. */
  readonly defaultModel?: string
  /** Default: the strongest level that the log can keep. */
  readonly durability?: Durability
  readonly limits?: Partial<Limits>
  readonly clock?: Clock
  /** Told of what no client may see: causes of internal errors, late tool output. Default: nothing is done with it. */
  readonly onDiagnostic?: (diagnostic: Diagnostic) => void
}

/** Every wait of the engine. Milliseconds, unless the name says otherwise. */
export interface Limits {
  /** From the request to the first content of a step. Default 120,000. */
  readonly firstContentMs: number
  /** Between two pieces of content; keep-alive bytes are not content. Default 60,000. */
  readonly idleMs: number
  /** One tool call. Default 120,000. */
  readonly toolMs: number
  /** How long a cancelled provider or tool may take to let go before it is abandoned. Default 1,500. */
  readonly graceMs: number
  /** How long `cancel` waits for the owner of a run in another process. Default 5,000. */
  readonly cancelMs: number
  /** Model calls in one turn. Default 8. */
  readonly steps: number
  /** Attempts at one step. Default 3. */
  readonly attempts: number
  /** Tool calls of one step that run at once. Default 8. */
  readonly parallelTools: number
}

export interface StartRequest {
  /** `provider/model` or an alias. Default: the session's model, else `defaultModel`. */
  readonly model?: string
  /** What to answer. Required, unless `messages` ends with a user message. */
  readonly prompt?: string
  /** The conversation so far. A session's earlier runs come before it. */
  readonly messages?: readonly Message[]
  /** Instructions that go before everything else. */
  readonly system?: string
  /** Continue this conversation. Default: a new one. */
  readonly sessionId?: string
  /** Names of the tools that the model may call. Default none. */
  readonly tools?: readonly string[]
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
  /** Default: the request id. */
  readonly traceId?: string
}

/** A run as its starter or finder holds it. Any number may exist for one run. */
export interface Run {
  readonly id: RunId
  readonly sessionId: string
  /** True if `start` found it by its idempotency key instead of starting it. */
  readonly replayed: boolean
  /** What the log knows of it now. */
  header(): Promise<RunHeader>
  /** Batches of entries after a cursor; with `follow` (the default here) until the run has ended. */
  read(options?: ReadOptions): AsyncIterable<Batch | Gap>
  /** Visible text as it comes. Ends when the run completed or was cancelled; throws the run's error. */
  text(options?: { readonly signal?: AbortSignal }): AsyncIterable<string>
  /** Waits for the end; the last answer, or a throw of the run's error. A cancelled run gives what it had. */
  result(options?: { readonly signal?: AbortSignal }): Promise<AssistantMessage>
  /** The folded state of everything stored now; reading on after its `seq` misses and repeats nothing. */
  view(): Promise<RunView>
  cancel(options?: { readonly reason?: string }): Promise<RunHeader>
}

export interface ProviderModels {
  /** The name before the slash. */
  readonly provider: string
  readonly models: readonly ModelInfo[]
  /** Why there are none. */
  readonly error?: Error
}

export interface Diagnostic {
  readonly level: 'info' | 'warning' | 'error'
  readonly code: string
  readonly message: string
  readonly run_id?: RunId
  readonly cause?: unknown
}
