/**
 * Names of OpenTelemetry's conventions for generative AI, and their boundaries. Status of all of them: Development.
 * https://github.com/open-telemetry/semantic-conventions-genai
 */

/** Attributes of spans. */
export const genAi = {
  operation: 'gen_ai.operation.name',
  provider: 'gen_ai.provider.name',
  conversation: 'gen_ai.conversation.id',
  requestModel: 'gen_ai.request.model',
  requestStream: 'gen_ai.request.stream',
  responseModel: 'gen_ai.response.model',
  finishReasons: 'gen_ai.response.finish_reasons',
  firstChunk: 'gen_ai.response.time_to_first_chunk',
  inputTokens: 'gen_ai.usage.input_tokens',
  outputTokens: 'gen_ai.usage.output_tokens',
  cachedTokens: 'gen_ai.usage.cache_read.input_tokens',
  reasoningTokens: 'gen_ai.usage.reasoning.output_tokens',
  toolName: 'gen_ai.tool.name',
  toolCall: 'gen_ai.tool.call.id',
  toolType: 'gen_ai.tool.type',
  errorType: 'error.type',
} as const

/** Values of `gen_ai.operation.name`. */
export const operations = { run: 'invoke_agent', step: 'chat', tool: 'execute_tool' } as const

/** What has no name there. */
export const runlet = {
  run: 'runlet.run.id',
  request: 'runlet.request.id',
  trace: 'runlet.trace.id',
  reason: 'runlet.error.reason',
} as const

const doubling = Array.from({ length: 14 }, (_, i) => 2 ** i / 100)

/** Boundaries of histograms, upper ends. Seconds, or tokens. */
export const boundaries = {
  /** `gen_ai.client.operation.duration`, `gen_ai.server.request.duration`, `gen_ai.client.operation.time_per_output_chunk`. */
  duration: doubling,
  /** `gen_ai.server.time_to_first_token`. */
  firstToken: [0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10],
  /** `gen_ai.server.time_per_output_token`. */
  perToken: [0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5],
  /** `gen_ai.client.token.usage`. */
  tokens: Array.from({ length: 14 }, (_, i) => 4 ** i),
  /** Ours: storing takes microseconds in memory, milliseconds on a disk. */
  append: [0.00001, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 5],
  /** Ours. */
  request: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
} as const
