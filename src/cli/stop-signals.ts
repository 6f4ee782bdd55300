import { exitStatus } from './report.ts'

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

export interface StopSignals {
  /** Aborts at the first signal; its reason is the signal's name. */
  readonly signal: AbortSignal
  /** Gives the signals their usual effect back. */
  release(): void
}

/** Turns the first Ctrl-C (or SIGTERM, SIGHUP) into an abort; the second one ends the process at once. */
export function stopSignals(): StopSignals {
  const controller = new AbortController()
  const onSignal = (name: NodeJS.Signals) => {
    // A terminal that closes may say so more than once.
    if (controller.signal.aborted && name !== 'SIGHUP') process.exit(exitStatus.cancelled)
    controller.abort(name)
  }
  for (const name of signals) process.on(name, onSignal)
  return {
    signal: controller.signal,
    release() {
      for (const name of signals) process.off(name, onSignal)
    },
  }
}
