/** Why a run is being stopped from outside: the reason of its abort signal. It is not an error and never leaves the engine. */
export class Stop extends Error {
  override readonly name = 'Stop'
  override readonly cause: StopCause
  readonly reason: string

  constructor(cause: StopCause, reason: string) {
    super(`run stopped: ${reason}`)
    this.cause = cause
    this.reason = reason
  }
}

/** `cancel`: somebody asked for it. `shutdown`: the process ends. `lost`: the log belongs to another owner or failed. */
export type StopCause = 'cancel' | 'shutdown' | 'lost'
