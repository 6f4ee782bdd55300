/**
 * The one error class, its closed set of codes, and the table that says what each code means to a caller.
 *
 * Match on `code` (and `reason`, where one code has several causes), never on the message, and never with
 * `instanceof`: two copies of the package may be installed.
 */

/** What a code means: HTTP status, exit status of the command line, whether the same request may succeed later. */
interface CodeMeaning {
  readonly status: number
  readonly exit: number
  readonly temporary: boolean
  /** How long to wait before trying again, where nobody said better. Milliseconds. */
  readonly retryAfterMs?: number
}

/** All codes there are, in the order of PROTOCOL.md, section 7. */
export const errorCodes = {
  invalid_request: { status: 400, exit: 2, temporary: false },
  unauthorized: { status: 401, exit: 1, temporary: false },
  forbidden: { status: 403, exit: 1, temporary: false },
  not_found: { status: 404, exit: 1, temporary: false },
  rate_limited: { status: 429, exit: 1, temporary: true, retryAfterMs: 60_000 },
  overloaded: { status: 503, exit: 1, temporary: true, retryAfterMs: 10_000 },
  timeout: { status: 504, exit: 1, temporary: true, retryAfterMs: 5_000 },
  network: { status: 502, exit: 1, temporary: true, retryAfterMs: 5_000 },
  provider_unavailable: { status: 503, exit: 1, temporary: true, retryAfterMs: 30_000 },
  context_length_exceeded: { status: 413, exit: 1, temporary: false },
  content_filtered: { status: 422, exit: 3, temporary: false },
  unsupported: { status: 501, exit: 1, temporary: false },
  internal: { status: 500, exit: 1, temporary: true },
} as const satisfies Record<string, CodeMeaning>

/** The thirteen published strings. */
export type ErrorCode = keyof typeof errorCodes

/** What an error tells besides its code. */
export interface RunletErrorOptions {
  /** For people: what happened, to what, and what to do. It may change; never match on it. Never a provider's raw text. */
  readonly message: string
  /** For programs: the cause within the code, for example `stream_eof_before_done`. Default: the code. */
  readonly reason?: string
  /** HTTP status, where it differs from the code's own (a cursor that expired is `not_found` with 410). */
  readonly status?: number
  /** Whether the same request may succeed later. Default: the code's own. */
  readonly temporary?: boolean
  /** How long the other side asked us to wait. Milliseconds. */
  readonly retryAfterMs?: number
  /** The provider that the error came from. */
  readonly provider?: string
  /** What was caught. It reaches logs, never a client. */
  readonly cause?: unknown
}

/** The only error that Runlet throws on purpose. */
export class RunletError extends Error {
  override readonly name = 'RunletError'
  readonly code: ErrorCode
  readonly reason: string
  readonly status: number
  readonly temporary: boolean
  readonly retryAfterMs: number | undefined
  readonly provider: string | undefined

  constructor(code: ErrorCode, options: RunletErrorOptions) {
    super(options.message, options.cause === undefined ? undefined : { cause: options.cause })
    const meaning: CodeMeaning = errorCodes[code]
    this.code = code
    this.reason = options.reason ?? code
    this.status = options.status ?? meaning.status
    this.temporary = options.temporary ?? meaning.temporary
    this.retryAfterMs = options.retryAfterMs
    this.provider = options.provider
  }
}

/** An error as it stands in a log and on the wire. Key order is the order on the wire. */
export interface ErrorBody {
  readonly code: ErrorCode
  readonly reason: string
  readonly message: string
  readonly temporary: boolean
  /** Present on temporary errors: what the provider asked for, else the code's own hint. Milliseconds. */
  readonly retry_after_ms?: number
}

/** The error as it is logged and sent: without its cause, which may hold secrets. */
export function errorBody(error: RunletError): ErrorBody {
  const { code, reason, message, temporary } = error
  const meaning: CodeMeaning = errorCodes[code]
  const retry_after_ms = error.retryAfterMs ?? (temporary ? meaning.retryAfterMs : undefined)
  return retry_after_ms === undefined
    ? { code, reason, message, temporary }
    : { code, reason, message, temporary, retry_after_ms }
}

/** The error that a logged body stands for. */
export function errorFromBody(body: ErrorBody): RunletError {
  return new RunletError(body.code, {
    message: body.message,
    reason: body.reason,
    temporary: body.temporary,
    ...(body.retry_after_ms === undefined ? {} : { retryAfterMs: body.retry_after_ms }),
  })
}

/** True for errors of any copy of this package. */
export function isRunletError(value: unknown): value is RunletError {
  return value instanceof Error && value.name === 'RunletError' && 'code' in value && isErrorCode(value.code)
}

/** True for the thirteen codes; false for anything else, of any type. */
export function isErrorCode(value: unknown): value is ErrorCode {
  return typeof value === 'string' && Object.hasOwn(errorCodes, value)
}

/**
 * The typed error for anything that was thrown. A `RunletError` is returned as it is; everything else is
 * `internal`, with the thrown value as its cause and without its text, which may hold secrets.
 */
export function toRunletError(thrown: unknown): RunletError {
  if (isRunletError(thrown)) return thrown
  return new RunletError('internal', {
    reason: 'unexpected',
    temporary: false,
    message: 'something inside Runlet failed; the details are in the log of the process that ran this',
    cause: thrown,
  })
}

/** Thrown when reading a run whose entries retention took; what its header says is all that is left. */
export const isExpired = (thrown: unknown): boolean => isRunletError(thrown) && thrown.reason === 'cursor_expired'

/** May the same request succeed later? */
export const isTransient = (error: RunletError): boolean => error.temporary
/** Too many requests or tokens for now: wait `retryAfterMs`. */
export const isRateLimited = (error: RunletError): boolean => error.code === 'rate_limited'
/** The other side has no room for now. */
export const isOverloaded = (error: RunletError): boolean => error.code === 'overloaded'
/** A limit of time was reached, on either side. */
export const isTimeout = (error: RunletError): boolean => error.code === 'timeout'
/** The run, model, session or route is not there, or no longer. */
export const isNotFound = (error: RunletError): boolean => error.code === 'not_found'
/** A filter stopped the request or the answer. */
export const isContentFiltered = (error: RunletError): boolean => error.code === 'content_filtered'
/** The key is missing, wrong, or not allowed to do this. */
export const isAuth = (error: RunletError): boolean => error.code === 'unauthorized' || error.code === 'forbidden'
/** The other side could not be reached, or not for now. */
export const isNetwork = (error: RunletError): boolean =>
  error.code === 'network' || error.code === 'provider_unavailable'
/** The request itself must change before it can succeed. */
export const isBadRequest = (error: RunletError): boolean =>
  error.code === 'invalid_request' || error.code === 'context_length_exceeded' || error.code === 'unsupported'
