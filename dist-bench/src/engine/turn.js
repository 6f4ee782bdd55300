import { runStep } from './step.js';
/**
 * Brings one user message to its end: steps until the model wants no more tools. `turn.start` and the first
 * `step.start` are written already, with whatever began the turn; `firstStep` is that step's number.
 */
export async function runTurn(run, turn, firstStep) {
    for (let step = firstStep;; step++) {
        const reason = await runStep(run, step);
        if (reason !== 'tool_calls')
            return finishReason(reason);
        if (step - firstStep + 1 >= run.limits.steps) {
            const message = `turn ${turn} stopped after ${run.limits.steps} model calls that all asked for tools; raise limits.steps if it needs more`;
            await run.journal.append([{ type: 'warning', code: 'tool_loop_limit_exceeded', message }]);
            return 'tool_limit';
        }
        await run.journal.append([{ type: 'step.start', step: step + 1, attempt: 1 }]);
    }
}
/** A model that stopped for a reason we do not know has stopped: its end mark was seen. */
function finishReason(reason) {
    return reason === 'unknown' ? 'stop' : reason;
}
