/**
 * The stored form of an entry: one line of compact `gai.events.v1`. Every line begins
 * `{"type":"…","ts":N,"seq":N`, except that `start` carries `"schema":"gai.events.v1",` before it, so that formats
 * can cut and splice lines without parsing them.
 */
import { RunletError } from './error.js';
/** The name of the event vocabulary, as `start` carries it. */
export const SCHEMA = 'gai.events.v1';
/** The line of an entry, without its line feed. */
export function lineOf(entry) {
    const { event, seq, ts } = entry;
    switch (event.type) {
        // A template is six times as fast as `JSON.stringify` of the whole object, and nearly every entry is one of these.
        case 'text.delta':
        case 'reasoning.delta':
            if (entry.epoch !== undefined)
                break;
            return `{"type":"${event.type}","ts":${ts},"seq":${seq},"step":${event.step},"text":${JSON.stringify(event.text)}}`;
        case 'start': {
            const { type, ...body } = event;
            return JSON.stringify({ schema: SCHEMA, type, ts, seq, epoch: entry.epoch, ...body });
        }
        default:
    }
    const { type, ...body } = event;
    return JSON.stringify({ type, ts, seq, epoch: entry.epoch, ...body });
}
/** The entry that a stored line stands for. Throws `internal` with reason `bad_line`; the store's CRC comes first. */
export function parseLine(line) {
    try {
        const { schema: _, type, ts, seq, epoch, ...body } = JSON.parse(line);
        if (typeof type === 'string' && typeof seq === 'number' && typeof ts === 'number') {
            const event = { type, ...body };
            return epoch === undefined ? { seq, ts, event } : { seq, ts, epoch, event };
        }
    }
    catch (cause) {
        throw badLine(line, cause);
    }
    throw badLine(line);
}
function badLine(line, cause) {
    return new RunletError('internal', {
        reason: 'bad_line',
        message: `a stored line is not a gai.events.v1 event: ${line.slice(0, 80)}`,
        cause,
    });
}
