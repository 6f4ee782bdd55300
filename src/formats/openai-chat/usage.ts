import type { Usage } from '../../core/event.ts'

/** `usage` in OpenAI's words. The details stand there only where the provider told them. */
export function openaiUsage({ input_tokens, output_tokens, total_tokens, ...details }: Usage) {
  const { cached_tokens, reasoning_tokens } = details
  return {
    prompt_tokens: input_tokens,
    completion_tokens: output_tokens,
    total_tokens,
    ...(cached_tokens === undefined ? {} : { prompt_tokens_details: { cached_tokens } }),
    ...(reasoning_tokens === undefined ? {} : { completion_tokens_details: { reasoning_tokens } }),
  }
}
