import { toRunletError } from '../core/error.js';
import { sleep } from '../core/clock.js';
import { attempt } from './attempt.js';
import { retryDelayMs } from './retry.js';
import { executeCalls } from './tools.js';
import { estimateUsage } from './usage.js';
/** One model call and the tools it asked for, whose `step.start` is written. Returns why the model stopped. */
export async function runStep(run, step) {
    const before = run.journal.view.messages.length;
    const answer = await answerOf(run, step);
    const { messages } = run.journal.view;
    const usage = answer.usage ?? estimateUsage([...run.history, ...messages.slice(0, before)], messages.slice(before));
    await executeCalls(run, step, answer.calls);
    const model = answer.model === undefined || answer.model === run.model ? {} : { model: answer.model };
    await run.journal.append([{ type: 'step.end', step, ...model, finish_reason: answer.reason, usage }]);
    return answer.reason;
}
/** Tries until the model has answered, as often and as long as `retry.ts` allows. */
async function answerOf(run, step) {
    const { attempts } = run.limits;
    for (let n = 1;; n++) {
        const progress = { shown: false };
        try {
            return await attempt(run, step, progress);
        }
        catch (thrown) {
            run.signal.throwIfAborted();
            const error = toRunletError(thrown);
            const mayRepeat = !progress.shown || run.onInterrupt === 'restart';
            const delayMs = mayRepeat ? retryDelayMs(error, { attempt: n, attempts }) : undefined;
            if (delayMs === undefined)
                throw error;
            const { reason } = error;
            if (progress.shown)
                await run.journal.append([{ type: 'step.reset', step, attempt: n + 1, reason }]);
            const message = retryMessage(run.providerName, error, { attempt: n + 1, attempts, delayMs });
            await run.journal.append([{ type: 'warning', code: 'provider_retry', message }]);
            await sleep(run.clock, delayMs, run.signal);
        }
    }
}
function retryMessage(provider, error, next) {
    return `${provider}: attempt ${next.attempt} of ${next.attempts} in ${next.delayMs / 1000} s, after ${error.code} (${error.reason})`;
}
