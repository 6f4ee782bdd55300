/** What went wrong between a client and a Runlet server, as typed errors. */
import { isErrorCode, isRunletError, RunletError } from '../core/error.ts'
import type { ErrorBody, ErrorCode } from '../core/error.ts'
import type { RunId } from '../core/event.ts'
import { isRecord } from '../wire/json.ts'

/**
 * The error for a connection that could not be made, or that broke: `network`, reason `server_unreachable`. A browser
 * does not say which of the two it was: a server that is gone, or one that does not let this page call.
 */
export function unreachable(baseUrl: string, cause: unknown): RunletError {
  const page = (globalThis.location as Location | undefined)?.origin
  const foreign = page && !`${baseUrl}/`.startsWith(`${page}/`)
  const refused = foreign ? `, or does not let pages of ${page} call (runlet serve --origin ${page})` : ''
  return networkError(
    'server_unreachable',
    `the Runlet server at ${baseUrl} cannot be reached${refused}; check that it runs ("runlet serve" starts one)`,
    cause,
  )
}

/** The address without a slash at its end. Throws `invalid_request` with reason `bad_base_url`: types bind no page. */
export function checkedBaseUrl(given: string | URL = 'missing'): string {
  const baseUrl = String(given).replace(/\/+$/, '')
  if (/^https?:\/\/./i.test(baseUrl)) return baseUrl
  throw misused('bad_base_url', `baseUrl is ${baseUrl}; give for example http://127.0.0.1:7411`)
}

/** Throws `invalid_request` with reason `bad_run_id` for what `start` resolves with, of which the id is a part. */
export function checkedRun(run: RunId): RunId {
  if (typeof run === 'string') return run
  throw misused('bad_run_id', 'give the id of a run, a string')
}

/** The caller's own mistake. */
export const misused = (reason: string, message: string) => new RunletError('invalid_request', { reason, message })

/** What broke between the two, and may work later. */
export const networkError = (reason: string, message: string, cause?: unknown) =>
  new RunletError('network', { reason, message, cause })

/**
 * The error as it is, if it is typed, as all are that a connection can meet: then anything else is a fault of ours. Core's
 * `toRunletError` also knows what Node's own errors mean, which no page needs to load.
 */
export function typedError(thrown: unknown): RunletError {
  if (isRunletError(thrown)) return thrown
  const message = 'the client failed; see the cause'
  return new RunletError('internal', { reason: 'unexpected', temporary: false, message, cause: thrown })
}

/** The error that a refused request stands for: what the server said, if it is one of ours. */
export async function refusalOf(response: Response, baseUrl: string): Promise<RunletError> {
  const { status } = response
  // Where it is no answer of a Runlet server, its status says enough.
  const problem: unknown = await response.json().catch(() => {})
  if (isRecord(problem) && isErrorCode(problem['code']) && typeof problem['detail'] === 'string') {
    return errorOf({ ...(problem as unknown as WireError), status, message: problem['detail'] })
  }
  return new RunletError(codeOf(status), {
    status,
    message: `${baseUrl} answered with status ${status}, and not as a Runlet server does`,
    reason: 'not_runlet',
  })
}

/** An error that is told of within a stream, or between threads. */
export type WireError = ErrorBody & { readonly status: number }

/** The error that was told of, its status included. */
export function errorOf(body: WireError): RunletError {
  const { code, message, reason, temporary, status, retry_after_ms } = body
  return new RunletError(isErrorCode(code) ? code : 'internal', {
    message,
    reason,
    temporary,
    status,
    retryAfterMs: retry_after_ms,
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
