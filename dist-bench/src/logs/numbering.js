import { Batch } from '../core/batch.js';
import { isTerminal, statusAfter } from '../core/event.js';
import { titleOf } from '../core/log.js';
import { badLimit, emptyAppend, levelUnavailable, runEnded } from './errors.js';
/** Events with their places, all of one time. Throws if there are none, or if one stands behind a terminal event. */
export function number(run, { epoch, from, last }, events, ts) {
    if (events.length === 0)
        throw emptyAppend(run);
    const entries = [];
    for (const event of events) {
        const before = entries.at(-1);
        if (before && isTerminal(before.event))
            throw runEnded(run);
        const seq = last + entries.length + 1;
        entries.push(seq === from ? { seq, ts, epoch, event } : { seq, ts, event });
    }
    return Batch.of(run, epoch, entries);
}
/** The end that a batch brings, if it brings one. */
export function endOf(batch) {
    const { event, ts } = batch.entries.at(-1);
    return isTerminal(event) ? endWith(event, ts) : undefined;
}
function endWith(event, ended_at) {
    const usage = event.usage ? { usage: event.usage } : {};
    const how = event.type === 'error' ? { error: event.error } : { finish_reason: event.finish_reason };
    return { status: statusAfter(event), ended_at, ...how, ...usage };
}
/** Throws `unsupported` if the store cannot keep the durability that the run asks for. */
export function beginning({ start, request }, levels, ts) {
    const { run_id, session_id, request_id, trace_id, provider, model, durability } = start;
    if (!levels.includes(durability))
        throw levelUnavailable(durability, levels);
    const title = titleOf(request.prompt);
    return { run_id, session_id, request_id, trace_id, provider, model, durability, created_at: ts, title };
}
/** How many runs to list. Throws unless it is 1 to 1,000. */
export function limitOf(limit = 100) {
    if (Number.isInteger(limit) && limit >= 1 && limit <= 1000)
        return limit;
    throw badLimit(limit);
}
/** What stands in place of a request whose run was pruned: retention takes what people said, too. */
export const forgottenRequest = { messages: [], prompt: '', options: {}, tools: [] };
