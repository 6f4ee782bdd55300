import type { Clock } from '../core/clock.ts'
import type { Epoch } from '../core/cursor.ts'
import type { Entry, RunEvent, RunId, StartEvent } from '../core/event.ts'
import { emptyView, fold } from '../core/fold.ts'
import type { Log, RunHeader } from '../core/log.ts'
import { orderCheck } from '../core/order.ts'
import type { Inbox } from './inbox.ts'
import { openJournal } from './journal.ts'
import type { Limits } from './limits.ts'
import type { RunParts } from './prepare.ts'
import { driveRun, type RunPlace } from './run.ts'
import type { Appended, Diagnostic } from './runtime.ts'
import { Stop } from './stop.ts'

/** The runs that this process works on. */
export interface LiveRuns {
  /** Begins, or goes on with, the work on a run that is in the log. */
  work(parts: RunParts, work: Work): void
  get(run: RunId): LiveRun | undefined
  /** Calls back with the header of every run that begins or ends here, until called off. */
  watch(callback: (header: RunHeader) => void): () => void
  /** Waits at most `waitMs` for what is under way, stops the rest, and waits for its ends. */
  close(waitMs: number): Promise<void>
}

export interface LiveRun {
  readonly inbox: Inbox
  /** Settles, never rejects, when the work has ended. */
  readonly ended: Promise<void>
  cancel(reason: string): void
}

export interface Work {
  readonly start: StartEvent
  readonly epoch: Epoch
  /** What is in the log already. */
  readonly past: readonly Entry[]
  /** Where to go on with what another process began. Default: behind what the run is created with. */
  readonly place?: RunPlace
  readonly parentSpanId?: string | undefined
  readonly sampled?: boolean | undefined
}

export interface LiveRunsOptions {
  readonly log: Log
  readonly limits: Limits
  readonly clock: Clock
  readonly onDiagnostic: (diagnostic: Diagnostic) => void
  readonly observe: ((appended: Appended) => void) | undefined
}

export function liveRuns({ log, limits, clock, onDiagnostic, observe }: LiveRunsOptions): LiveRuns {
  const live = new Map<RunId, LiveRun & { readonly stop: AbortController }>()
  const watchers = new Set<(header: RunHeader) => void>()
  let stopping = false

  async function tellWatchers(run: RunId): Promise<void> {
    if (watchers.size === 0) return
    try {
      const stored = await log.find(run)
      for (const watcher of watchers) if (stored) watcher(stored.header)
    } catch (cause) {
      const message = `the state of run ${run} could not be read`
      onDiagnostic({ level: 'error', code: 'watch_failed', message, run_id: run, cause })
    }
  }

  return {
    work(parts, { start, epoch, past, place, parentSpanId, sampled }) {
      const order = orderCheck()
      for (const { event } of past) order.accept(event)
      const stop = new AbortController()
      const { run_id, request_id, trace_id } = start
      const span = {
        ...(parentSpanId === undefined ? {} : { parentSpanId }),
        ...(sampled === undefined ? {} : { sampled }),
      }
      const tell = (events: readonly RunEvent[], appendMs: number) => observe?.({ start, events, appendMs, ...span })
      // What another process began, it has told of.
      const begun = past.map(({ event }) => event)
      if (!place) tell(begun, 0)

      const view = fold(emptyView, past)
      const ended = driveRun(
        {
          id: run_id,
          outlives: log.levels[0] !== 'memory',
          journal: openJournal({ log, run: run_id, epoch, order, view, onAppended: observe && tell }),
          signal: stop.signal,
          limits,
          clock,
          report: (diagnostic) => onDiagnostic({ ...diagnostic, run_id, request_id, trace_id }),
          ...parts,
        },
        place,
      ).finally(() => live.delete(run_id))
      const cancel = (reason: string) => stop.abort(new Stop('cancel', reason))
      // It was being begun when the closing began.
      if (stopping) stop.abort(shutdown())
      live.set(run_id, { inbox: parts.inbox, stop, ended, cancel })
      void tellWatchers(run_id)
      void ended.then(() => tellWatchers(run_id))
    },
    get: (run) => live.get(run),
    watch(callback) {
      watchers.add(callback)
      return () => void watchers.delete(callback)
    },
    async close(waitMs) {
      const ended = async () => {
        // One that was being begun when the closing began comes in late.
        while (live.size > 0) await Promise.all([...live.values()].map((run) => run.ended))
      }
      if (waitMs > 0 && live.size > 0) {
        await new Promise<void>((resolve) => {
          const cancelTimer = clock.after(waitMs, resolve)
          void ended().then(() => {
            cancelTimer()
            resolve()
          })
        })
      }
      stopping = true
      for (const { stop } of live.values()) stop.abort(shutdown())
      await ended()
    },
  }
}

const shutdown = () => new Stop('shutdown', 'the process is stopping')
