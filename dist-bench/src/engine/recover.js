import { RunletError, errorBody } from '../core/error.js';
/** Ends every run whose owner is dead, so that none waits for a process that will not come back. Returns those ended here. */
export async function endOrphans(log) {
    const ended = [];
    for (const { run_id } of await log.orphans()) {
        const epoch = await log.takeOver(run_id);
        // Another process was faster: it ends the run.
        if (epoch === undefined)
            continue;
        await log.append(run_id, epoch, [{ type: 'error', error: errorBody(ownerLost()) }]);
        const stored = await log.find(run_id);
        if (stored)
            ended.push(stored.header);
    }
    return ended;
}
const ownerLost = () => new RunletError('internal', {
    reason: 'owner_lost',
    message: 'the process that made this answer died before it was complete; what came until then is kept. Send the request again',
});
