import { toRunletError } from '../../../core/error.ts'
import type { RunId } from '../../../core/event.ts'
import type { HttpContext } from '../env.ts'

/** Cancels a run whose starter is gone, where that was to be its end. Never throws. */
export function abandonRun({ runtime, onDiagnostic }: HttpContext, run: RunId): void {
  runtime.cancel(run, { reason: 'the client that started it is gone' }).catch((thrown: unknown) => {
    const { message } = toRunletError(thrown)
    onDiagnostic({ level: 'error', code: 'cancel_failed', message, run_id: run, cause: thrown })
  })
}
