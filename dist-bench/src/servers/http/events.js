import { parseCursor } from '../../core/cursor.js';
import { RunletError } from '../../core/error.js';
import { readFlag, readQuery } from './query.js';
import { eventFraming, readSpelling, spellingParameters } from './spelling.js';
import { streamRun } from './stream.js';
/** `GET /v1/runs/{id}/events`: the run from any place on, live. */
export const readEvents = {
    method: 'GET',
    path: '/v1/runs/:id/events',
    async handle(c, http) {
        const query = readQuery(c.req.url, ['after', 'snapshot', ...spellingParameters]);
        const spelling = readSpelling(query, eventFraming(c), http.formats);
        const snapshot = readFlag('snapshot', query.snapshot) ?? false;
        const asked = query.after === undefined ? undefined : parseCursor(query.after);
        if (asked && snapshot) {
            throw new RunletError('invalid_request', {
                reason: 'cursor_and_snapshot',
                message: 'after and snapshot=1 exclude each other: give the place to read on from, or begin with the state',
            });
        }
        // A browser that comes back repeats the URL of its first visit; how far it got stands in the header.
        const last = lastEventId(c);
        const run = await http.runtime.find(c.req.param('id') ?? '');
        c.set('runId', run.id);
        return streamRun(c, http, run, { spelling, after: last ?? asked, snapshot: snapshot && !last });
    },
};
/** Where a client that was here before got to. Empty is what some send before the first event. */
export function lastEventId(c) {
    const id = c.req.header('last-event-id');
    return id === undefined || id === '' ? undefined : parseCursor(id);
}
