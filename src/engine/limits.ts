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
  /** Text and reasoning of one step. Characters. Default 16 Mi: a model that never comes to an end is stopped. */
  readonly answerChars: number
  /** Tool calls of one step that run at once. Default 8. */
  readonly parallelTools: number
}
export const defaultLimits: Limits = {
  firstContentMs: 120_000,
  idleMs: 60_000,
  toolMs: 120_000,
  graceMs: 1_500,
  cancelMs: 5_000,
  steps: 8,
  attempts: 3,
  answerChars: 16 << 20,
  parallelTools: 8,
}
