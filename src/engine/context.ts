import type { Clock } from '../core/clock.ts'
import type { RunId } from '../core/event.ts'
import type { Message } from '../core/message.ts'
import type { Caller, ModelOptions, Provider } from '../core/provider.ts'
import type { ToolSpec } from '../core/tool.ts'
import type { Inbox } from './inbox.ts'
import type { Journal } from './journal.ts'
import type { Limits } from './limits.ts'
import type { Diagnostic } from './runtime.ts'
import type { CallableTool } from './tools.ts'

/** All that the work on one run needs; handed down from `run.ts` to turn, step and tools. */
export interface RunContext {
  readonly id: RunId
  readonly caller: Caller
  /** What repeated requests share: their key, else the request's own id. */
  readonly idempotencyScope: string
  readonly journal: Journal
  /** Aborts with a `Stop` when the run shall end before its time. */
  readonly signal: AbortSignal
  /** The name that stands before the slash of the model id. */
  readonly providerName: string
  readonly provider: Provider
  readonly model: string
  readonly options: ModelOptions
  readonly tools: ReadonlyMap<string, CallableTool>
  /** Tools whose calls end the run, for the caller to run them. */
  readonly handedBack: readonly ToolSpec[]
  /** Names of the tools whose results the caller brings while the run waits. */
  readonly awaited: ReadonlySet<string>
  readonly inbox: Inbox
  /** The conversation before this run's own messages. */
  readonly history: readonly Message[]
  readonly onInterrupt: 'fail' | 'restart'
  /** What the log has of it outlives this process. */
  readonly outlives: boolean
  readonly limits: Limits
  readonly clock: Clock
  readonly report: (diagnostic: Omit<Diagnostic, 'run_id'>) => void
}
