import { RunletError } from '../../core/error.js';
/**
 * The query parameters of a request, each at most once. One that is not known is refused: a misspelt `after` would
 * otherwise be an answer from the start. Throws `invalid_request` with reason `unknown_parameter` or
 * `repeated_parameter`.
 */
export function readQuery(url, known) {
    const query = {};
    for (const [name, value] of new URL(url).searchParams) {
        if (!isOneOf(name, known)) {
            const those = known.length === 0 ? 'there are none' : `known are ${known.join(', ')}`;
            throw bad('unknown_parameter', `there is no query parameter ${JSON.stringify(name.slice(0, 40))}; ${those}`);
        }
        if (query[name] !== undefined)
            throw bad('repeated_parameter', `the query parameter "${name}" is given twice`);
        query[name] = value;
    }
    return query;
}
/** Reads `1`, `true`, `0` or `false`. Throws `invalid_request` with reason `bad_parameter`. */
export function readFlag(name, value) {
    if (value === undefined)
        return undefined;
    if (value === '1' || value === 'true')
        return true;
    if (value === '0' || value === 'false')
        return false;
    throw badParameter(name, value, '1 or 0');
}
/** Reads a whole number of at least `least`. Throws `invalid_request` with reason `bad_parameter`. */
export function readCount(name, value, least) {
    if (value === undefined)
        return undefined;
    const count = /^\d{1,15}$/.test(value) ? Number(value) : NaN;
    if (count >= least)
        return count;
    throw badParameter(name, value, `a whole number from ${least} on`);
}
/** Reads one of some words. Throws `invalid_request` with reason `bad_parameter`. */
export function readWord(name, value, words) {
    if (value === undefined || isOneOf(value, words))
        return value;
    throw badParameter(name, value, `one of ${words.join(', ')}`);
}
const isOneOf = (word, words) => words.includes(word);
function badParameter(name, value, wanted) {
    return bad('bad_parameter', `the query parameter "${name}" is ${JSON.stringify(value.slice(0, 40))}; give ${wanted}`);
}
function bad(reason, message) {
    return new RunletError('invalid_request', { reason, message });
}
