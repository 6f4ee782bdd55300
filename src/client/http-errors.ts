/** What went wrong between a client and a Runlet server, as typed errors. */
import { isErrorCode, isRunletError, RunletError } from '../core/error.ts'
import type { ErrorCode } from '../core/error.ts'
import { isRecord, type JsonRecord } from '../wire/json.ts'

/** The error for a connection that could not be made, or that broke: `network`, reason `server_unreachable`. */
export function unreachable(baseUrl: string, cause: unknown): RunletError {
  return new RunletError('network', {
    reason: 'server_unreachable',
    message: `the Runlet server at ${baseUrl} cannot be reached; check that it runs ("runlet serve" starts one)`,
    cause,
  })
}

/**
 * The error as it is, if it is typed, as all are that a connection can meet: then anything else is a fault of ours. Core's
 * `toRunletError` also knows what Node's own errors mean, which no page needs to load.
 */
export function typedError(thrown: unknown): RunletError {
  if (isRunletError(thrown)) return thrown
  const message = 'something inside the client failed; see the cause of this error'
  return new RunletError('internal', { reason: 'unexpected', temporary: false, message, cause: thrown })
}

/** The error that a refused request stands for: what the server said, if it is one of ours. */
export async function refusalOf(response: Response, baseUrl: string): Promise<RunletError> {
  const { status } = response
  let problem: JsonRecord = {}
  try {
    const body: unknown = await response.json()
    if (isRecord(body)) problem = body
  } catch {
    // Not an answer of a Runlet server; its status says enough.
  }
  const { code, reason, detail, temporary, retry_after_ms } = problem
  const typed = isErrorCode(code) && typeof detail === 'string'
  return new RunletError(typed ? code : codeOf(status), {
    status,
    message: typed ? detail : `${baseUrl} answered with status ${status}, and not as a Runlet server does`,
    reason: typeof reason === 'string' ? reason : 'not_runlet',
    temporary: typeof temporary === 'boolean' ? temporary : undefined,
    retryAfterMs: typeof retry_after_ms === 'number' ? retry_after_ms : undefined,
  })
}

function codeOf(status: number): ErrorCode {
  if (status === 401) return 'unauthorized'
  if (status === 403 || status === 421) return 'forbidden'
  if (status === 404) return 'not_found'
  if (status === 429) return 'rate_limited'
  if (status === 504) return 'timeout'
  return status >= 500 ? 'network' : 'invalid_request'
}
