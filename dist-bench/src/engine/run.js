import { RunletError, errorBody, toRunletError } from '../core/error.js';
import { addUsage } from '../core/event.js';
import { Stop } from './stop.js';
import { runTurn } from './turn.js';
import { estimateUsage, noUsage } from './usage.js';
/**
 * Does the work of one run, from after its first append to its terminal event. The one boundary that catches: whatever
 * a provider, a tool or a bug throws becomes the run's ending here. Never throws; when even the ending cannot be
 * written, it is reported, and whoever opens the store next ends the run.
 */
export async function driveRun(run) {
    let ending;
    try {
        const finish_reason = await runTurn(run, 1, 1);
        run.signal.throwIfAborted();
        await run.journal.append([{ type: 'turn.end', turn: 1, reason: finish_reason }]);
        ending = { type: 'finish', usage: run.journal.view.usage ?? noUsage, finish_reason };
    }
    catch (thrown) {
        ending = endingAfter(run, thrown);
    }
    try {
        await run.journal.append([ending]);
    }
    catch (cause) {
        run.report({
            level: 'error',
            code: 'ending_not_written',
            message: 'the end of the run could not be stored; it will be ended when the store is opened again',
            cause,
        });
    }
}
function endingAfter(run, thrown) {
    const usage = usageSoFar(run);
    const stop = run.signal.reason;
    if (run.signal.aborted && stop instanceof Stop && stop.cause === 'cancel') {
        return { type: 'finish', usage, finish_reason: 'cancelled' };
    }
    const error = run.signal.aborted && stop instanceof Stop ? shutdown(stop) : toRunletError(thrown);
    if (error.code === 'internal') {
        run.report({ level: 'error', code: error.reason, message: error.message, cause: error.cause ?? thrown });
    }
    return { type: 'error', error: errorBody(error), usage };
}
const shutdown = (stop) => new RunletError('internal', {
    reason: stop.cause,
    message: 'the process that made this answer was stopped before it was complete; send the request again',
});
/** What the steps that ended used, and an estimate of the one under way: a cancelled answer is paid for as well. */
function usageSoFar(run) {
    const { usage, step, messages } = run.journal.view;
    if (!step)
        return usage ?? noUsage;
    const open = estimateUsage([...run.history, ...messages.slice(0, step.base)], messages.slice(step.base));
    return addUsage(usage, open);
}
