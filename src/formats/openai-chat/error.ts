import type { ErrorBody, ErrorCode } from '../../core/error.ts'

/** An error as OpenAI's clients know it: what stands in `error`, in a body and in a stream. */
export interface OpenaiError {
  readonly message: string
  readonly type: string
  readonly param: null
  /** Runlet's `reason`, except where OpenAI has a word of its own that clients look for. */
  readonly code: string
}

/** Says an error in OpenAI's words. Those are chosen so that our own provider, reading them, finds the same code again. */
export function openaiError({ code, reason, message }: Pick<ErrorBody, 'code' | 'reason' | 'message'>): OpenaiError {
  const word = Object.hasOwn(words, reason) ? words[reason] : undefined
  const { type, word: common } = meanings[code]
  return { message, type, param: null, code: word ?? common ?? reason }
}

/** The types, and for some codes one word, whatever the reason is. */
const meanings: Readonly<Record<ErrorCode, { readonly type: string; readonly word?: string }>> = {
  invalid_request: { type: 'invalid_request_error' },
  unauthorized: { type: 'authentication_error' },
  forbidden: { type: 'permission_error' },
  not_found: { type: 'not_found_error' },
  rate_limited: { type: 'rate_limit_error' },
  overloaded: { type: 'overloaded_error' },
  timeout: { type: 'timeout_error' },
  network: { type: 'server_error' },
  provider_unavailable: { type: 'unavailable_error' },
  context_length_exceeded: { type: 'invalid_request_error', word: 'context_length_exceeded' },
  content_filtered: { type: 'invalid_request_error', word: 'content_filter' },
  unsupported: { type: 'not_supported_error' },
  internal: { type: 'server_error' },
}

/** Reasons that OpenAI has another word for. */
const words: Readonly<Record<string, string>> = {
  token_missing: 'invalid_api_key',
  token_wrong: 'invalid_api_key',
  model_unknown: 'model_not_found',
  rate_limited: 'rate_limit_exceeded',
}

/**
 * The ending of a run that was cancelled. Runlet has no error for it, but OpenAI's clients know only answers and
 * errors, and what was cancelled is no answer.
 */
export function cancelledError(runId: string): Pick<ErrorBody, 'code' | 'reason' | 'message'> {
  return {
    code: 'invalid_request',
    reason: 'run_cancelled',
    message: `run ${runId} was cancelled before its answer was complete; GET /v1/runs/${runId} has what was said`,
  }
}
