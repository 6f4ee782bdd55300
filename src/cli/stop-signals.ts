import { exitStatus } from './report.ts'

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

export interface StopSignals {
  /** Aborts at the first signal. */
  readonly signal: AbortSignal
  /** Gives the signals their usual effect back. */
  release(): void
}

/** Turns the first Ctrl-C (or SIGTERM, SIGHUP) into an abort; the second one ends the process at once. */
export function stopSignals(): StopSignals {
  const controller = new AbortController()
  const onSignal = () => {
    if (controller.signal.aborted) process.exit(exitStatus.cancelled)
    controller.abort()
  }
  for (const name of signals) process.on(name, onSignal)
  return {
    signal: controller.signal,
    release() {
      for (const name of signals) process.off(name, onSignal)
    },
  }
}
