import { errorBody, type ErrorCode, type RunletError } from '../../../core/error.ts'
import type { RunId } from '../../../core/event.ts'
import { openaiError } from '../../../formats/openai-chat/error.ts'
import type { Problem } from '../requests/problem.ts'

/** Where OpenAI answers with another status than we do; its clients tell errors apart by it. */
const statuses: Partial<Record<ErrorCode, number>> = {
  context_length_exceeded: 400,
  content_filtered: 400,
  unsupported: 400,
}

/**
 * An error as OpenAI's clients expect it. They would repeat every 408, 409, 429 and 5xx; `X-Should-Retry`, which they
 * obey, tells them which of these have a better chance another time.
 */
export function openaiProblem(error: RunletError, runId?: RunId): Problem {
  const { temporary, retry_after_ms } = errorBody(error)
  const status = statuses[error.code] ?? error.status
  return {
    status,
    headers: {
      'Content-Type': 'application/json',
      'Cache-Control': 'no-store',
      'X-Should-Retry': String(temporary),
      // The second is OpenAI's own, and is looked at first.
      ...(retry_after_ms === undefined
        ? {}
        : { 'Retry-After': String(Math.ceil(retry_after_ms / 1000)), 'Retry-After-Ms': String(retry_after_ms) }),
      ...(status === 401 ? { 'WWW-Authenticate': 'Bearer' } : {}),
      ...(runId === undefined ? {} : { 'X-Run-Id': runId, Location: `/v1/runs/${runId}` }),
    },
    body: JSON.stringify({ error: openaiError(error) }),
  }
}
