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
  const retry_after_ms = retryAfterMs(error)
  return retry_after_ms === undefined
    ? { code, reason, message, temporary }
    : { code, reason, message, temporary, retry_after_ms }
}

/** The error that a logged or sent body stands for. Its code may be one of plan G's, or of a later version of Runlet. */
export function errorFromBody(body: Omit<ErrorBody, 'code'> & { readonly code: string }): RunletError {
  return new RunletError(errorCodeOf(body.code) ?? 'internal', {
    message: body.message,
    reason: body.reason,
    temporary: body.temporary,
    ...(body.retry_after_ms === undefined ? {} : { retryAfterMs: body.retry_after_ms }),
  })
}

/** True for errors of any copy of this package, and of any realm. Never throws, whatever `value` does when it is touched. */
export function isRunletError(value: unknown): value is RunletError {
  try {
    if (!isError(value) || value.name !== 'RunletError') return false
    const { code, reason, message, status, temporary } = value as Partial<Record<keyof RunletError, unknown>>
    return (
      isErrorCode(code) &&
      typeof reason === 'string' &&
      typeof message === 'string' &&
      typeof status === 'number' &&
      typeof temporary === 'boolean'
    )
  } catch {
    return false
  }
}

/** True for the thirteen codes; false for anything else, of any type. */
export function isErrorCode(value: unknown): value is ErrorCode {
  return typeof value === 'string' && Object.hasOwn(errorCodes, value)
}

/** The code of this name, in other implementations' spelling too (`safety_blocked`); undefined if there is none. */
export function errorCodeOf(name: unknown): ErrorCode | undefined {
  if (isErrorCode(name)) return name
  return typeof name === 'string' && Object.hasOwn(otherNames, name) ? otherNames[name] : undefined
}

/** What implementations of the same taxonomy call a code. */
const otherNames: Readonly<Record<string, ErrorCode>> = { safety_blocked: 'content_filtered' }

/**
 * The typed error for anything that was thrown. A `RunletError` is returned as it is. A connection that failed, told by
 * the `code` that Node and undici give such errors, is `network` or `timeout`, and so is a timeout of the platform;
 * everything else is `internal`. The thrown value is the cause, and its text is nowhere else: it may hold secrets.
 */
export function toRunletError(thrown: unknown): RunletError {
  if (isRunletError(thrown)) return thrown
  const { code, reason, what, temporary } = meaningOf(thrown)
  return new RunletError(code, {
    reason,
    temporary,
    message: `${what}; the details are in the log of the process that ran this`,
    cause: thrown,
  })
}

interface Meaning {
  readonly code: ErrorCode
  readonly reason: string
  readonly what: string
  readonly temporary: boolean
}

const unexpected: Meaning = {
  code: 'internal',
  reason: 'unexpected',
  what: 'something inside Runlet failed',
  temporary: false,
}
const connectionFailed: Meaning = {
  code: 'network',
  reason: 'connection_failed',
  what: 'a connection to another machine or program failed',
  temporary: true,
}
const timedOut: Meaning = {
  code: 'timeout',
  reason: 'timed_out',
  what: 'something took longer than it was given',
  temporary: true,
}

/** By the `code` of an error of Node or undici, and by the name of a `DOMException`. */
const meanings: Readonly<Record<string, Meaning>> = {
  ECONNREFUSED: connectionFailed,
  ECONNRESET: connectionFailed,
  ECONNABORTED: connectionFailed,
  ENOTFOUND: connectionFailed,
  EAI_AGAIN: connectionFailed,
  EHOSTUNREACH: connectionFailed,
  ENETUNREACH: connectionFailed,
  UND_ERR_SOCKET: connectionFailed,
  ETIMEDOUT: timedOut,
  UND_ERR_CONNECT_TIMEOUT: timedOut,
  UND_ERR_HEADERS_TIMEOUT: timedOut,
  UND_ERR_BODY_TIMEOUT: timedOut,
  TimeoutError: timedOut,
}

/** `fetch` hides what happened in a cause, so a few of those are looked at. */
function meaningOf(thrown: unknown): Meaning {
  let error = thrown
  try {
    for (let depth = 0; depth < 4 && isError(error); depth++) {
      const names = [(error as { code?: unknown }).code, error.name].map(String)
      const known = names.find((name) => Object.hasOwn(meanings, name))
      if (known !== undefined) return meanings[known]!
      error = error.cause
    }
  } catch {
    // A thrown value may do anything when it is touched.
  }
  return unexpected
}

/** Errors of other realms are no instances of our `Error`. */
function isError(value: unknown): value is Error {
  return value instanceof Error || Object.prototype.toString.call(value) === '[object Error]'
}

/** What an HTTP status of a model API means, where its body says nothing more exact. */
export const statusCodes = {
  400: 'invalid_request',
  401: 'unauthorized',
  402: 'forbidden',
  403: 'forbidden',
  404: 'not_found',
  405: 'unsupported',
  408: 'timeout',
  409: 'overloaded',
  413: 'context_length_exceeded',
  422: 'invalid_request',
  425: 'overloaded',
  429: 'rate_limited',
  451: 'content_filtered',
  500: 'internal',
  501: 'unsupported',
  502: 'network',
  503: 'provider_unavailable',
  504: 'timeout',
  // Cloudflare, in front of most hosted APIs: the origin answered badly, not at all, or too late.
  520: 'network',
  521: 'provider_unavailable',
  522: 'timeout',
  523: 'network',
  524: 'timeout',
  // Anthropic, and those who copy it.
  529: 'overloaded',
} as const satisfies Readonly<Record<number, ErrorCode>>

/** The code for any status: other 4xx are `invalid_request`, everything else is `internal`. */
export function codeOfStatus(status: number): ErrorCode {
  const known: Readonly<Record<number, ErrorCode>> = statusCodes
  return known[status] ?? (status >= 400 && status < 500 ? 'invalid_request' : 'internal')
}

/** The typed error for an HTTP answer of which only the status is known, for providers of one's own. */
export function errorFromStatus(status: number, options: Partial<RunletErrorOptions> = {}): RunletError {
  return new RunletError(codeOfStatus(status), {
    reason: `http_${status}`,
    message: `the other side answered with HTTP ${status}`,
    ...options,
  })
}

/** How long to wait before the same request: what the other side asked for, else the code's own hint; undefined if waiting does not help. Milliseconds. */
export function retryAfterMs(error: RunletError): number | undefined {
  const meaning: CodeMeaning = errorCodes[error.code]
  return error.retryAfterMs ?? (error.temporary ? meaning.retryAfterMs : undefined)
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
