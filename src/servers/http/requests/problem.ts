import { STATUS_CODES } from 'node:http'
import { errorBody, type RunletError } from '../../../core/error.ts'
import type { RunId } from '../../../core/event.ts'

/** An error as problem details (RFC 9457): `detail` is for people, `code` and `reason` are for programs. */
export interface Problem {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

export function problem(error: RunletError, runId?: RunId): Problem {
  const { code, reason, message, temporary, retry_after_ms } = errorBody(error)
  return {
    status: error.status,
    headers: {
      'Content-Type': 'application/problem+json',
      'Cache-Control': 'no-store',
      ...(retry_after_ms === undefined ? {} : { 'Retry-After': String(Math.ceil(retry_after_ms / 1000)) }),
      ...(error.status === 401 ? { 'WWW-Authenticate': 'Bearer' } : {}),
    },
    body: JSON.stringify({
      type: 'about:blank',
      title: STATUS_CODES[error.status] ?? 'Error',
      status: error.status,
      detail: message,
      code,
      reason,
      temporary,
      ...(retry_after_ms === undefined ? {} : { retry_after_ms }),
      ...(runId === undefined ? {} : { run_id: runId }),
    }),
  }
}
