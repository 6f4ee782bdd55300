import { formatCursor } from '../../core/cursor.js';
import { RunletError } from '../../core/error.js';
import { lastAnswer, outputText } from '../../core/fold.js';
import { readJson } from './body.js';
import { readCount, readQuery, readWord } from './query.js';
const statuses = ['running', 'completed', 'failed', 'cancelled'];
/** `GET /v1/runs`: headers, newest first. */
export const listRuns = {
    method: 'GET',
    path: '/v1/runs',
    async handle(c, { runtime }) {
        const query = readQuery(c.req.url, ['session_id', 'status', 'limit', 'before']);
        const status = readWord('status', query.status, statuses);
        const limit = readCount('limit', query.limit, 1);
        const before = readCount('before', query.before, 0);
        const runs = await runtime.list({
            ...(query.session_id === undefined ? {} : { session_id: query.session_id }),
            ...(status === undefined ? {} : { status }),
            ...(limit === undefined ? {} : { limit: Math.min(limit, MOST) }),
            ...(before === undefined ? {} : { before }),
        });
        return c.json({ runs: runs.map(runJson) });
    },
};
/** What `ListQuery` gives at most. */
const MOST = 1_000;
/** `GET /v1/runs/{id}`: a run, with what it has said so far. */
export const showRun = {
    method: 'GET',
    path: '/v1/runs/:id',
    async handle(c, { runtime }) {
        readQuery(c.req.url, []);
        const run = await runtime.find(c.req.param('id') ?? '');
        c.set('runId', run.id);
        // The state first: a header that is newer than it says `running` too seldom, never too long.
        const view = await run.view();
        const message = lastAnswer(view);
        return c.json({
            ...runJson(await run.header()),
            output_text: outputText(view),
            ...(message === undefined ? {} : { message }),
        });
    },
};
/** `POST /v1/runs/{id}/cancel`: ends a run, and answers with how it ended; again and again the same. */
export const cancelRun = {
    method: 'POST',
    path: '/v1/runs/:id/cancel',
    async handle(c, { runtime, limits }) {
        readQuery(c.req.url, []);
        const body = await readJson(c.req.raw, limits.maxBodyBytes, {});
        return c.json(runJson(await runtime.cancel(c.req.param('id') ?? '', readReason(body))));
    },
};
/** `GET /v1/sessions/{id}`: the runs of a conversation, oldest first. */
export const showSession = {
    method: 'GET',
    path: '/v1/sessions/:id',
    async handle(c, { runtime }) {
        readQuery(c.req.url, []);
        const session_id = c.req.param('id') ?? '';
        const runs = await runtime.list({ session_id, limit: MOST });
        const first = runs.at(-1);
        if (!first) {
            throw new RunletError('not_found', {
                reason: 'session_unknown',
                message: `there is no session ${JSON.stringify(session_id.slice(0, 100))} in this store`,
            });
        }
        return c.json({
            session_id,
            title: first.title,
            created_at: first.created_at,
            runs: runs.toReversed().map(runJson),
        });
    },
};
/** A header as it stands on the wire. */
export function runJson({ cursor, ...header }) {
    return { ...header, cursor: formatCursor(cursor) };
}
function readReason(body) {
    const { reason, ...rest } = body;
    const [unknown] = Object.keys(rest);
    if (unknown === undefined && reason === undefined)
        return {};
    if (unknown === undefined && typeof reason === 'string' && reason.length <= 200)
        return { reason };
    throw new RunletError('invalid_request', {
        reason: unknown === undefined ? 'body_invalid' : 'unknown_member',
        message: 'the body of a cancel holds nothing but "reason", a text of at most 200 characters; it may be left away',
    });
}
