/**
 * The one error class, its closed set of codes, and the table that says what each code means to a caller.
 *
 * Match on `code` (and `reason`, where one code has several causes), never on the message, and never with
 * `instanceof`: two copies of the package may be installed.
 */
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
};
/** The only error that Runlet throws on purpose. */
export class RunletError extends Error {
    name = 'RunletError';
    code;
    reason;
    status;
    temporary;
    retryAfterMs;
    provider;
    constructor(code, options) {
        super(options.message, options.cause === undefined ? undefined : { cause: options.cause });
        const meaning = errorCodes[code];
        this.code = code;
        this.reason = options.reason ?? code;
        this.status = options.status ?? meaning.status;
        this.temporary = options.temporary ?? meaning.temporary;
        this.retryAfterMs = options.retryAfterMs;
        this.provider = options.provider;
    }
}
/** The error as it is logged and sent: without its cause, which may hold secrets. */
export function errorBody(error) {
    const { code, reason, message, temporary } = error;
    const meaning = errorCodes[code];
    const retry_after_ms = error.retryAfterMs ?? (temporary ? meaning.retryAfterMs : undefined);
    return retry_after_ms === undefined
        ? { code, reason, message, temporary }
        : { code, reason, message, temporary, retry_after_ms };
}
/** The error that a logged body stands for. */
export function errorFromBody(body) {
    return new RunletError(body.code, {
        message: body.message,
        reason: body.reason,
        temporary: body.temporary,
        ...(body.retry_after_ms === undefined ? {} : { retryAfterMs: body.retry_after_ms }),
    });
}
/** True for errors of any copy of this package. */
export function isRunletError(value) {
    return value instanceof Error && value.name === 'RunletError' && 'code' in value && isErrorCode(value.code);
}
/** True for the thirteen codes; false for anything else, of any type. */
export function isErrorCode(value) {
    return typeof value === 'string' && Object.hasOwn(errorCodes, value);
}
/**
 * The typed error for anything that was thrown. A `RunletError` is returned as it is; everything else is
 * `internal`, with the thrown value as its cause and without its text, which may hold secrets.
 */
export function toRunletError(thrown) {
    if (isRunletError(thrown))
        return thrown;
    return new RunletError('internal', {
        reason: 'unexpected',
        temporary: false,
        message: 'something inside Runlet failed; the details are in the log of the process that ran this',
        cause: thrown,
    });
}
/** May the same request succeed later? */
export const isTransient = (error) => error.temporary;
/** Too many requests or tokens for now: wait `retryAfterMs`. */
export const isRateLimited = (error) => error.code === 'rate_limited';
/** The other side has no room for now. */
export const isOverloaded = (error) => error.code === 'overloaded';
/** A limit of time was reached, on either side. */
export const isTimeout = (error) => error.code === 'timeout';
/** The run, model, session or route is not there, or no longer. */
export const isNotFound = (error) => error.code === 'not_found';
/** A filter stopped the request or the answer. */
export const isContentFiltered = (error) => error.code === 'content_filtered';
/** The key is missing, wrong, or not allowed to do this. */
export const isAuth = (error) => error.code === 'unauthorized' || error.code === 'forbidden';
/** The other side could not be reached, or not for now. */
export const isNetwork = (error) => error.code === 'network' || error.code === 'provider_unavailable';
/** The request itself must change before it can succeed. */
export const isBadRequest = (error) => error.code === 'invalid_request' || error.code === 'context_length_exceeded' || error.code === 'unsupported';
