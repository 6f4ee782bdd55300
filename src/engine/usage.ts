import type { Usage } from '../core/event.ts'
import type { Message } from '../core/message.ts'
import { estimateTokens } from '../core/message.ts'

/** What a model call used, where the provider did not say. */
export function estimateUsage(asked: readonly Message[], answered: readonly Message[]): Usage {
  const input_tokens = estimateTokens(asked)
  const output_tokens = estimateTokens(answered)
  return { input_tokens, output_tokens, total_tokens: input_tokens + output_tokens, accuracy: 'estimated' }
}

/** The usage of a run that never called a model. */
export const noUsage: Usage = { input_tokens: 0, output_tokens: 0, total_tokens: 0, accuracy: 'exact' }
