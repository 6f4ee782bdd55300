import { v7 as uuidv7 } from 'uuid';
import { systemClock } from '../core/clock.js';
import { RunletError, toRunletError } from '../core/error.js';
import { emptyView, fold } from '../core/fold.js';
import { orderCheck } from '../core/order.js';
import { found, runHandle } from './handle.js';
import { openJournal } from './journal.js';
import { defaultLimits } from './limits.js';
import { prepareRun } from './prepare.js';
import { endOrphans } from './recover.js';
import { driveRun } from './run.js';
import { runInProgress } from './session.js';
import { Stop } from './stop.js';
import { callableTools } from './tools.js';
/** Puts providers, a log and tools together. Throws `invalid_request` with reason `bad_tool`. */
export function createRuntime(options) {
    const { log, providers, clock = systemClock, onDiagnostic = () => { } } = options;
    const limits = { ...defaultLimits, ...options.limits };
    const tools = callableTools(options.tools ?? []);
    const live = new Map();
    /** Sessions with a start under way, so that two requests at once do not both find the session idle. */
    const starting = new Set();
    let closing = false;
    let recovered;
    const stopListening = log.onRequest((run, request) => {
        if (request.type === 'cancel')
            live.get(run)?.stop.abort(new Stop('cancel', request.reason));
    });
    function work(prepared, epoch) {
        const { start, events } = prepared.stored;
        const begun = [start, ...events];
        const order = orderCheck();
        for (const event of begun)
            order.accept(event);
        const view = fold(emptyView, begun.map((event, i) => ({ seq: i + 1, ts: 0, event })));
        const stop = new AbortController();
        const ended = driveRun({
            id: start.run_id,
            requestId: start.request_id,
            journal: openJournal({ log, run: start.run_id, epoch, order, view }),
            signal: stop.signal,
            options: prepared.stored.request.options,
            limits,
            clock,
            report: (diagnostic) => onDiagnostic({ ...diagnostic, run_id: start.run_id }),
            ...prepared,
        }).finally(() => live.delete(start.run_id));
        live.set(start.run_id, { stop, ended });
    }
    async function begin(request) {
        const prepared = await prepareRun(request, options, tools, uuidv7);
        const created = await log.create(prepared.stored);
        switch (created.type) {
            case 'created':
                work(prepared, created.cursor.epoch);
                return handle(await found(log, prepared.stored.start.run_id), false);
            case 'existing':
                return handle(await found(log, created.run.run_id), true);
            case 'conflict':
                throw new RunletError('invalid_request', {
                    status: 422,
                    reason: 'idempotency_conflict',
                    message: `the idempotency key belongs to run ${created.run.run_id}, which was asked something else; use a new key for a new request`,
                });
        }
    }
    const handle = (stored, replayed) => runHandle(log, runtime, stored, { replayed });
    const runtime = {
        async start(request) {
            if (closing)
                throw closed();
            await (recovered ??= endOrphans(log));
            const session = request.sessionId;
            if (session === undefined)
                return begin(request);
            if (starting.has(session))
                throw runInProgress(session);
            starting.add(session);
            try {
                return await begin(request);
            }
            finally {
                starting.delete(session);
            }
        },
        find: async (run) => handle(await found(log, run), false),
        async cancel(run, { reason = 'asked for by a client' } = {}) {
            const here = live.get(run);
            if (here) {
                here.stop.abort(new Stop('cancel', reason));
                await here.ended;
            }
            else if ((await found(log, run)).header.status === 'running') {
                await cancelElsewhere(run, reason);
            }
            return (await found(log, run)).header;
        },
        list: (query) => log.list(query),
        models: ({ signal = AbortSignal.timeout(MODELS_TIMEOUT_MS) } = {}) => Promise.all(Object.entries(providers).map(async ([name, provider]) => {
            try {
                return { provider: name, models: await provider.models({ signal }) };
            }
            catch (thrown) {
                return { provider: name, models: [], error: toRunletError(thrown) };
            }
        })),
        recover: () => {
            const ended = endOrphans(log);
            recovered ??= ended;
            return ended;
        },
        async close({ waitMs = 0 } = {}) {
            closing = true;
            stopListening();
            const runs = [...live.values()];
            const ended = Promise.all(runs.map((run) => run.ended));
            if (waitMs > 0)
                await Promise.race([ended, new Promise((resolve) => void clock.after(waitMs, resolve))]);
            for (const { stop } of runs)
                stop.abort(new Stop('shutdown', 'the process is stopping'));
            await ended;
            await log.close();
        },
    };
    async function cancelElsewhere(run, reason) {
        const orphans = await log.orphans();
        if (orphans.some(({ run_id }) => run_id === run)) {
            await endOrphans(log);
            return;
        }
        await log.send(run, { type: 'cancel', reason });
        const patience = new AbortController();
        const cancelTimer = clock.after(limits.cancelMs, () => patience.abort());
        // Following to the end is the acknowledgement: the ending is in the log, whoever wrote it.
        for await (const _ of log.read(run, { follow: true, signal: patience.signal }))
            ;
        cancelTimer();
        if (patience.signal.aborted) {
            throw new RunletError('timeout', {
                reason: 'cancel_unanswered',
                message: `the process that owns run ${run} did not end it within ${limits.cancelMs / 1000} s; the request stays with it`,
            });
        }
    }
    return runtime;
}
const MODELS_TIMEOUT_MS = 5_000;
const closed = () => new RunletError('provider_unavailable', {
    reason: 'shutting_down',
    message: 'this Runlet is shutting down and takes no new runs; start it again',
});
