import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import { ANY_EPOCH, START } from '../../core/cursor.js';
import { nodeSink } from './node-sink.js';
import { webSink } from './web-sink.js';
/** Answers with a run as it goes on. What is wrong with the cursor is thrown before anything is sent. */
export async function streamRun(c, http, run, options) {
    http.readers.checkOpen();
    const { format, framing, compact } = options.spelling;
    const stop = new AbortController();
    const place = options.snapshot ? await snapshotOf(run) : { cursor: options.after ?? START, view: undefined };
    const header = await run.header();
    const opened = await openRecords(run, place.cursor, header, stop.signal);
    // An `EventSource` comes back after every end; this is the way to tell it that there is no more.
    if (framing === 'sse' && header.status !== 'running' && place.cursor.seq === header.cursor.seq && !place.view) {
        return c.body(null, 204, { 'Cache-Control': 'no-store', ...options.headers });
    }
    const encoder = format.open(header, { framing, ...(compact === undefined ? {} : { compact }) });
    const headers = {
        'Content-Type': encoder.contentType,
        'Cache-Control': 'no-cache, no-transform',
        'X-Accel-Buffering': 'no',
        ...options.headers,
    };
    if (c.req.method === 'HEAD') {
        stop.abort();
        return c.body(null, 200, headers);
    }
    const reading = {
        ...opened,
        run,
        encoder,
        stop,
        snapshot: place.view,
        cursor: {
            epoch: place.cursor.epoch === ANY_EPOCH ? header.cursor.epoch : place.cursor.epoch,
            seq: place.cursor.seq,
        },
        live: header.cursor.seq,
        onDisconnect: options.onDisconnect,
    };
    return respond(c, http, reading, headers);
}
/**
 * Straight to Node's response where there is one: an idle reader then costs FIGURES, and the headers leave at once.
 * Elsewhere a web stream.
 */
function respond(c, { readers, limits }, reading, headers) {
    const response = c.env?.outgoing;
    if (response && 'writableNeedDrain' in response) {
        response.writeHead(200, { ...Object.fromEntries(c.res.headers), ...headers });
        // Otherwise they leave together with the first bytes, which are there already.
        if (!reading.first && reading.encoder.start().length === 0)
            response.flushHeaders();
        readers.add(reading, nodeSink(response, limits.maxPendingBytes));
        return RESPONSE_ALREADY_SENT;
    }
    const { sink, body } = webSink(limits.maxPendingBytes);
    readers.add(reading, sink);
    return c.body(body, 200, headers);
}
/**
 * Begins to read, and throws what is wrong with the cursor. Behind the last entry, the next one may take as long as
 * the model does: there a reading that does not wait judges the cursor.
 */
async function openRecords(run, after, header, signal) {
    const records = run.read({ after, follow: true, signal })[Symbol.asyncIterator]();
    if (after.seq < header.cursor.seq)
        return { records, first: await records.next() };
    for await (const _ of run.read({ after, follow: false, signal }))
        break;
    return { records };
}
/** The folded state and its place. A place needs its epoch, so the owner must not change while the state is read. */
async function snapshotOf(run) {
    for (;;) {
        const before = await run.header();
        const view = await run.view();
        const { cursor } = await run.header();
        if (cursor.epoch === before.cursor.epoch)
            return { view, cursor: { epoch: cursor.epoch, seq: view.seq } };
    }
}
