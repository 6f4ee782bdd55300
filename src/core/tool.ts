import type { JsonObject, JsonSchema, JsonValue } from './json.ts'

/** What a model is told of a tool. */
export interface ToolSpec {
  /** Letters, digits, `_` and `-`, at most 64. */
  readonly name: string
  /** For the model: what it does and when to use it. */
  readonly description: string
  /** JSON Schema of the input, of type `object`. */
  readonly parameters: JsonSchema
  /** Have the provider hold the model to the schema, where its API can (OpenAI's `strict`). Default: the API's own. */
  readonly strict?: boolean
}

/**
 * Something a model may call. A throw is a result that the model sees, not the end of the run.
 *
 * ```ts
 * const clock: Tool = {
 *   name: 'current_time', description: 'The current time, ISO 8601, UTC.',
 *   parameters: { type: 'object', properties: {}, additionalProperties: false },
 *   run: async () => new Date().toISOString(),
 * }
 * ```
 */
export interface Tool extends ToolSpec {
  /** True if running it twice does no more than running it once: then it may be repeated after a crash. Default false. */
  readonly idempotent?: boolean
  /** Longest run. Milliseconds. Default: the engine's `toolMs`, 120,000. */
  readonly timeoutMs?: number
  /** `input` has been checked against `parameters`. */
  run(input: JsonObject, context: ToolContext): Promise<JsonValue>
}

/** What a tool may know of the call, and how it talks back. */
export interface ToolContext {
  /** Aborts when the run is cancelled or the time is up. A tool that ignores it is abandoned after a grace. */
  readonly signal: AbortSignal
  readonly runId: string
  readonly callId: string
  readonly requestId: string
  /** 1 for the first execution of this call; more only for idempotent tools, after a crash. */
  readonly attempt: number
  /** The idempotency key of the request that began the run, else its request id: what repeated requests share. */
  readonly idempotencyScope: string
  /** Stable over all attempts of this call: the key to hand to a service that removes duplicates. */
  readonly idempotencyKey: string
  /** Shows a line of progress to everyone who watches. Empty text is ignored; after the end it does nothing. */
  readonly progress: (text: string) => void
}
