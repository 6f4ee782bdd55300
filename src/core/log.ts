import type { Batch } from './batch.ts'
import type { Cursor, Epoch } from './cursor.ts'
import type { ErrorBody } from './error.ts'
import type { Durability, FinishReason, RunEvent, RunId, RunStatus, StartEvent, Usage } from './event.ts'
import type { JsonValue } from './json.ts'
import type { Message } from './message.ts'
import type { ModelOptions } from './provider.ts'
import type { ToolSpec } from './tool.ts'

/**
 * Where runs live: the only road from the engine to a reader. `testing/log-suite.ts` is the contract in cases; every
 * store passes it. All methods throw `RunletError`; after a failed write a store stops accepting and says so
 * (`internal`, reason `store_failed`, or `disk_full` with status 507).
 */
export interface Log {
  /** The durability levels that this store can keep, strongest first. */
  readonly levels: readonly Durability[]
  /** Stores a run with its first entries, and the claim of its idempotency key, as one step; or finds the run that has the key. */
  create(run: NewRun): Promise<Created>
  /** What `create` would answer to this claim where the key is taken; undefined while it is free. */
  claimed(claim: IdempotencyClaim): Promise<Claimed | undefined>
  /**
   * Adds entries at the end and resolves with the last one's place once they are as durable as the run asked for.
   * Nobody sees them before. The log gives seq and time. Appends of one run are not to overlap. A terminal event
   * ends the run; the stored header follows it in the same step. Throws `internal` with reason `stale_owner` when
   * another owner took the run over, `run_ended` after the terminal event, `not_found` with `run_unknown`.
   */
  append(run: RunId, owner: Epoch, events: readonly RunEvent[]): Promise<Cursor>
  /**
   * Batches after a cursor, in order, each entry exactly once. Without `follow` it ends at the last entry stored;
   * with it, after the terminal event. It pulls: a reader that stops asking costs a cursor. Throws as `checkCursor`
   * and `not_found` with `run_unknown`.
   */
  read(run: RunId, options?: ReadOptions): AsyncIterable<Batch | Gap>
  /** What is known of a run without its entries; undefined if the store never had it or forgot it. */
  find(run: RunId): Promise<StoredRun | undefined>
  /** Headers, newest first. */
  list(query?: ListQuery): Promise<RunHeader[]>
  /** Running runs whose owner is dead. */
  orphans(): Promise<RunHeader[]>
  /** Makes the caller the owner of an orphan and fences the one before. Undefined if somebody else was faster. */
  takeOver(run: RunId): Promise<Epoch | undefined>
  /** Leaves a request for the owner of a run, in whichever process it is. Resolves once it is stored. */
  send(run: RunId, request: ControlRequest): Promise<void>
  /** Calls back for each request to a run that this log object owns, until called off. */
  onRequest(callback: (run: RunId, request: ControlRequest) => void): () => void
  /** Forgets the entries of ended runs, oldest first, until the policy holds. Their cursors are then `cursor_expired`. */
  prune(policy: RetentionPolicy): Promise<Pruned>
  /** Ends all reads and waits for the writes under way. */
  close(): Promise<void>
}

/** Where to begin reading, and when to stop. */
export interface ReadOptions {
  /** Default: from the start. */
  readonly after?: Cursor
  /** Wait for what comes, until the terminal event. Default false. */
  readonly follow?: boolean
  /** Ends the reading, without an error, when it aborts. */
  readonly signal?: AbortSignal
}

/** Entries that a reader cannot have. It stands where they would; reading goes on behind it. */
export interface Gap {
  readonly type: 'gap'
  readonly run: RunId
  /** First and last seq that are missing. */
  readonly from: number
  readonly to: number
  /** `corrupt`: the stored bytes fail their checksum. `store_lost`: the store lost acknowledged entries. */
  readonly reason: 'corrupt' | 'store_lost'
}

/** What the caller asked for: enough to build the model request again. */
export interface RunRequest {
  /** The conversation before the prompt, as the caller gave it. A session's earlier runs come before it. */
  readonly messages: readonly Message[]
  readonly prompt: string
  readonly options: ModelOptions
  /** Names of the tools that the run may use. */
  readonly tools: readonly string[]
  /** Tools that the caller runs itself. */
  readonly caller_tools?: readonly ToolSpec[]
  /** Present if the run waits for the caller's results, instead of ending with `tool_calls`. */
  readonly caller_results?: 'answer'
  /** Present if the run may void a step that broke off and do it again (`step.reset`). */
  readonly on_interrupt?: 'restart'
}

/** All that a store is told when a run begins. */
export interface NewRun {
  readonly start: StartEvent
  /** What follows `start` in the first batch. */
  readonly events: readonly RunEvent[]
  readonly request: RunRequest
  readonly claim?: IdempotencyClaim
}

/** A caller's promise that requests with one key are one request. */
export interface IdempotencyClaim {
  /** Unique within `scope`. At most 255 visible ASCII characters. */
  readonly key: string
  /** Whose key it is, for example a principal and a route. */
  readonly scope: string
  /** Digest of the request body; the same key with another one is a conflict. */
  readonly fingerprint: string
  /** Unix time in milliseconds after which the key is free again. */
  readonly expires_at: number
}

/** What came of `create`. */
export type Created = { readonly type: 'created'; readonly cursor: Cursor } | Claimed

/** Who has an idempotency key that is not free. */
export type Claimed =
  /** The key was claimed before with the same fingerprint: this is its run. */
  | { readonly type: 'existing'; readonly run: RunHeader }
  /** The key was claimed before with another fingerprint. */
  | { readonly type: 'conflict'; readonly run: RunHeader }

/** A run, as lists show it. */
export interface RunHeader {
  readonly run_id: RunId
  readonly session_id: string
  readonly request_id: string
  readonly trace_id: string
  readonly provider: string
  readonly model: string
  readonly durability: Durability
  readonly status: RunStatus
  /** Unix times in milliseconds. */
  readonly created_at: number
  readonly ended_at?: number
  /** Place of the last stored entry. */
  readonly cursor: Cursor
  readonly finish_reason?: FinishReason
  readonly error?: ErrorBody
  readonly usage?: Usage
  /** First line of the prompt, at most 80 characters, for lists. */
  readonly title: string
}

/** What a store knows of a run besides its entries. */
export interface StoredRun {
  readonly header: RunHeader
  readonly request: RunRequest
}

/** Which runs to list; all conditions hold together. */
export interface ListQuery {
  readonly session_id?: string
  readonly status?: RunStatus
  /** Runs created before this Unix time in milliseconds. */
  readonly before?: number
  /** Runs that are listed behind this one: the next page. Throws `not_found` with reason `run_unknown`. */
  readonly before_run?: RunId
  /** Default 100, at most 1,000. */
  readonly limit?: number
}

/** What anyone may ask the owner of a run to do. */
export type ControlRequest =
  | { readonly type: 'cancel'; readonly reason: string }
  /** A message of the user: before everything that waits, or behind it. */
  | { readonly type: 'steer' | 'follow_up'; readonly text: string }
  /** The outcome of a call of a tool that the caller runs itself. */
  | { readonly type: 'answer'; readonly call_id: string; readonly result: JsonValue; readonly is_error: boolean }

/** How much of the past to keep. What is absent sets no limit. */
export interface RetentionPolicy {
  /** Ended runs older than this go. Milliseconds since their end. */
  readonly maxAgeMs?: number
  /** Ended runs go, oldest first, until all entries take at most this. Bytes. */
  readonly maxBytes?: number
}

/** What a pruning removed. */
export interface Pruned {
  readonly runs: number
  readonly bytes: number
}

/** First line of a prompt, for lists: at most 80 characters. */
export function titleOf(prompt: string): string {
  const line = prompt.trimStart().split('\n', 1)[0]!.trimEnd()
  // Cut off, never through, a surrogate pair.
  return line.length <= 80 ? line : `${line.slice(0, 79).replace(/[\uD800-\uDBFF]$/, '')}…`
}
