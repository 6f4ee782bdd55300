import { formatCursor } from '../../core/cursor.js';
import { RunletError, toRunletError } from '../../core/error.js';
import { readJson } from './body.js';
import { lastEventId } from './events.js';
import { fingerprint, idempotencyKey } from './idempotency.js';
import { readQuery } from './query.js';
import { prefersAsync, readSpelling, spellingParameters, startFraming } from './spelling.js';
import { readStartBody } from './start-body.js';
import { streamRun } from './stream.js';
/** `POST /v1/runs`: begins a run; the answer is its stream, or says where to find it. */
export const startRun = {
    method: 'POST',
    path: '/v1/runs',
    async handle(c, http) {
        const query = readQuery(c.req.url, spellingParameters);
        const framing = startFraming(c);
        const spelling = framing && readSpelling(query, framing, http.formats);
        const json = await readJson(c.req.raw, http.limits.maxBodyBytes);
        const { request, cancelOnDisconnect, ...body } = readStartBody(json);
        const key = idempotencyKey(c.req.raw.headers, body.idempotencyKey);
        const after = lastEventId(c);
        if (after && key === undefined)
            throw cursorWithoutKey();
        if (cancelOnDisconnect && !spelling)
            throw nothingToDisconnect();
        http.readers.checkOpen();
        const claim = key === undefined ? {} : { idempotency: claimOf(key, json, http) };
        const run = await http.runtime.start({ ...request, ...claim, ...callerIds(c) });
        c.set('runId', run.id);
        const headers = {
            'X-Run-Id': run.id,
            Location: `/v1/runs/${run.id}`,
            ...(run.replayed ? { 'Idempotency-Replayed': 'true' } : {}),
        };
        if (spelling) {
            // A request that only found the run again did not start it, and must not end it.
            const abandon = cancelOnDisconnect && !run.replayed ? { onDisconnect: () => cancel(http, run.id) } : {};
            return streamRun(c, http, run, { spelling, headers, after, ...abandon });
        }
        const { run_id, session_id, status, cursor } = await run.header();
        if (prefersAsync(c))
            headers['Preference-Applied'] = 'respond-async';
        return c.json({ run_id, session_id, status, cursor: formatCursor(cursor) }, 202, headers);
    },
};
function claimOf(key, json, { clock, limits }) {
    return {
        key,
        scope: 'http POST /v1/runs',
        fingerprint: fingerprint(json),
        expires_at: clock.now() + limits.idempotencyMs,
    };
}
/** Ids that a caller brings along, so that its traces and ours are one. */
function callerIds(c) {
    const requestId = callerId(c, 'X-Request-Id');
    const traceId = callerId(c, 'X-Trace-Id');
    return { ...(requestId === undefined ? {} : { requestId }), ...(traceId === undefined ? {} : { traceId }) };
}
function callerId(c, name) {
    const id = c.req.header(name);
    if (id === undefined || /^[\x21-\x7e]{1,128}$/.test(id))
        return id;
    throw new RunletError('invalid_request', {
        reason: 'bad_header',
        message: `${name} is not 1 to 128 visible ASCII characters`,
    });
}
function cancel({ runtime, onDiagnostic }, run) {
    runtime.cancel(run, { reason: 'the client that started it is gone' }).catch((thrown) => {
        const { message } = toRunletError(thrown);
        onDiagnostic({ level: 'error', code: 'cancel_failed', message, run_id: run, cause: thrown });
    });
}
function cursorWithoutKey() {
    // A client that repeats its POST to read on would start, and pay for, a second run.
    return new RunletError('invalid_request', {
        reason: 'cursor_without_key',
        message: 'Last-Event-ID with a POST needs an Idempotency-Key; or read on with GET /v1/runs/{id}/events',
    });
}
function nothingToDisconnect() {
    return new RunletError('invalid_request', {
        reason: 'cancel_on_disconnect_unstreamed',
        message: 'cancel_on_disconnect needs a streamed answer; accept text/event-stream or application/x-ndjson',
    });
}
