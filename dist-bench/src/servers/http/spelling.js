import { RunletError } from '../../core/error.js';
import { nearest } from '../../core/near.js';
import { negotiate } from './accept.js';
import { readFlag } from './query.js';
/** The query parameters that choose a spelling. */
export const spellingParameters = ['format', 'compact'];
const streamTypes = {
    'text/event-stream': 'sse',
    'application/x-ndjson': 'ndjson',
    'application/ndjson': 'ndjson',
    'application/jsonl': 'ndjson',
};
/** The framing that a reader of events asks for; SSE where it takes anything. Throws as `negotiate`. */
export function eventFraming(c) {
    return negotiate(c.req.header('accept'), { types: streamTypes, fallback: 'sse' });
}
/** The framing that a starter of a run asks for; undefined if it wants no stream. Throws as `negotiate`. */
export function startFraming(c) {
    if (prefersAsync(c))
        return undefined;
    const types = { ...streamTypes, 'application/json': undefined };
    return negotiate(c.req.header('accept'), { types, fallback: undefined });
}
/** `Prefer: respond-async` (RFC 7240): start it, and do not stream. */
export function prefersAsync(c) {
    const preferences = (c.req.header('prefer') ?? '').split(',').map((preference) => preference.trim().toLowerCase());
    return preferences.includes('respond-async');
}
/** Throws `invalid_request` with reason `unknown_format`, `bad_parameter`, or 406 with `not_acceptable`. */
export function readSpelling({ format: name = 'gai', compact }, framing, formats) {
    const format = Object.hasOwn(formats, name) ? formats[name] : undefined;
    if (!format) {
        const meant = nearest(name, Object.keys(formats));
        throw new RunletError('invalid_request', {
            reason: 'unknown_format',
            message: `there is no format ${JSON.stringify(name.slice(0, 40))}; ${meant === undefined ? `known are ${Object.keys(formats).join(', ')}` : `did you mean "${meant}"?`}`,
        });
    }
    if (!format.framings.includes(framing)) {
        throw new RunletError('invalid_request', {
            status: 406,
            reason: 'not_acceptable',
            message: `the format ${name} does not come as ${framing}; it comes as ${format.framings.join(', ')}`,
        });
    }
    const short = readFlag('compact', compact);
    return { format, framing, ...(short === undefined ? {} : { compact: short }) };
}
