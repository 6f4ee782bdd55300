import { toRunletError, type RunletError } from '../core/error.ts'
import { sleep } from '../core/clock.ts'
import type { StopReason } from '../core/event.ts'
import { attempt, type Answer, type Progress } from './attempt.ts'
import type { RunContext } from './context.ts'
import { retryDelayMs } from '../core/retry.ts'
import { executeCalls } from './tools.ts'
import { estimateUsage } from './usage.ts'

/** How a step ended. `open`: calls wait for the caller's results, so that the run cannot go on. */
export interface StepEnd {
  readonly reason: StopReason
  readonly open: boolean
}

/** One model call and the tools it asked for, whose `step.start` is written. */
export async function runStep(run: RunContext, step: number): Promise<StepEnd> {
  const before = run.journal.view.messages.length
  const answer = await answerOf(run, step)
  const { messages } = run.journal.view
  const usage = answer.usage ?? estimateUsage([...run.history, ...messages.slice(0, before)], messages.slice(before))
  const callers = new Set(run.handedBack.map(({ name }) => name))
  const own = answer.calls.filter(({ name }) => !callers.has(name))
  await executeCalls(run, step, own)
  const model = answer.model === undefined || answer.model === run.model ? {} : { model: answer.model }
  await run.journal.append([{ type: 'step.end', step, ...model, finish_reason: answer.reason, usage }])
  return { reason: answer.reason, open: own.length < answer.calls.length }
}

/** Tries until the model has answered, as often and as long as `retry.ts` allows. */
async function answerOf(run: RunContext, step: number): Promise<Answer> {
  const { attempts } = run.limits
  // A run that another process began has made attempts there.
  const before = (run.journal.view.step?.attempt ?? 1) - 1
  for (let n = 1; ; n++) {
    const progress: Progress = { shown: false }
    try {
      return await attempt(run, step, progress)
    } catch (thrown) {
      run.signal.throwIfAborted()
      const error = toRunletError(thrown)
      const mayRepeat = !progress.shown || run.onInterrupt === 'restart'
      const delayMs = mayRepeat ? retryDelayMs(error, { attempt: n, attempts }) : undefined
      if (delayMs === undefined) throw error
      const { reason } = error
      if (progress.shown) await run.journal.append([{ type: 'step.reset', step, attempt: before + n + 1, reason }])
      const message = retryMessage(run.providerName, error, { attempt: n + 1, attempts, delayMs })
      await run.journal.append([{ type: 'warning', code: 'provider_retry', message, cause: error.code }])
      await sleep(run.clock, delayMs, run.signal)
    }
  }
}

function retryMessage(
  provider: string,
  error: RunletError,
  next: { readonly attempt: number; readonly attempts: number; readonly delayMs: number },
): string {
  return `${provider}: attempt ${next.attempt} of ${next.attempts} in ${next.delayMs / 1000} s, after ${error.code} (${error.reason})`
}
