/** Whether a run is over with this event. */
export function isTerminal(event) {
    return event.type === 'finish' || event.type === 'error';
}
/** The state of a run whose terminal event is `event`. */
export function statusAfter(event) {
    if (event.type === 'error')
        return 'failed';
    return event.finish_reason === 'cancelled' ? 'cancelled' : 'completed';
}
/** The sum of what several steps used. `estimated` is contagious. */
export function addUsage(a, b) {
    if (!a || !b)
        return a ?? b;
    const reasoning_tokens = sum(a.reasoning_tokens, b.reasoning_tokens);
    const cached_tokens = sum(a.cached_tokens, b.cached_tokens);
    return {
        input_tokens: a.input_tokens + b.input_tokens,
        output_tokens: a.output_tokens + b.output_tokens,
        total_tokens: a.total_tokens + b.total_tokens,
        ...(reasoning_tokens === undefined ? {} : { reasoning_tokens }),
        ...(cached_tokens === undefined ? {} : { cached_tokens }),
        accuracy: a.accuracy === 'exact' && b.accuracy === 'exact' ? 'exact' : 'estimated',
    };
}
function sum(a, b) {
    return a === undefined && b === undefined ? undefined : (a ?? 0) + (b ?? 0);
}
