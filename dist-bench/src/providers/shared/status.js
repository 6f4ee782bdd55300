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
};
/** The code for any status: other 4xx are `invalid_request`, everything else is `internal`. */
export function codeOfStatus(status) {
    const known = statusCodes;
    return known[status] ?? (status >= 400 && status < 500 ? 'invalid_request' : 'internal');
}
