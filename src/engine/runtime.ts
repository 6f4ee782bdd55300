import type { Batch } from '../core/batch.ts'
import { systemClock, type Clock } from '../core/clock.ts'
import { RunletError, toRunletError } from '../core/error.ts'
import type { Durability, RunEvent, RunId, StartEvent } from '../core/event.ts'
import type { RunView } from '../core/fold.ts'
import type { Claimed, ControlRequest, Gap, ListQuery, Log, ReadOptions, RunHeader, StoredRun } from '../core/log.ts'
import type { AssistantMessage } from '../core/message.ts'
import type { ModelInfo, Provider } from '../core/provider.ts'
import type { Tool } from '../core/tool.ts'
import { found, runHandle } from './handle.ts'
import { idSource } from './id.ts'
import { defaultLimits, type Limits } from './limits.ts'
import { liveRuns } from './live.ts'
import { prepareRun } from './prepare.ts'
import { adoptOrphans, type Orphan } from './recover.ts'
import type { StartRequest } from './request.ts'
import { prepareRestart } from './restart.ts'
import { runInProgress } from './session.ts'
import { callableTools } from './tools.ts'

/** Starts, finds, cancels and lists runs. What it is handed here is all that it knows of the world. */
export interface Runtime {
  /**
   * Begins a run and returns as soon as it is stored; it lives on without readers. Throws `invalid_request`
   * (`empty_prompt`, `model_missing`, `tool_unknown`, `run_in_progress` with status 409, `idempotency_conflict` with
   * 422), `not_found` (`model_unknown`, `session_unknown`), and what the log throws.
   */
  start(request: StartRequest): Promise<Run>
  /** A run by its id, live or stored. Throws `not_found` with reason `run_unknown`. */
  find(run: RunId): Promise<Run>
  /**
   * Cancels a run, in whichever process it lives, and resolves with its header once it has ended. Idempotent: a run
   * that ended before is left as it is. Throws `not_found`, and `timeout` with reason `cancel_unanswered` when the
   * owner does not react within `limits.cancelMs`.
   */
  cancel(run: RunId, options?: { readonly reason?: string }): Promise<RunHeader>
  /**
   * Hands a run another message, or the result of a tool that its caller runs; resolves once its owner, in whichever
   * process, has it. Throws `not_found` with `run_unknown`, and as `Inbox.accept`; where the owner is another process,
   * only that the run has ended can be told.
   */
  send(run: RunId, request: RunInput): Promise<void>
  /** Calls back with the header of every run that begins or ends in this process, until called off. */
  watch(callback: (header: RunHeader) => void): () => void
  /** Newest first. */
  list(query?: ListQuery): Promise<RunHeader[]>
  /** What a request may name besides the models of the providers. */
  readonly choices: Choices
  /** Every model that the providers tell of, as `provider/model`, and what each provider answered instead. */
  models(options?: { readonly signal?: AbortSignal }): Promise<ProviderModels[]>
  /**
   * Sees to runs whose owner is dead: goes on with those that were started with `onInterrupt: 'restart'`, and ends the
   * others with `error{internal, owner_lost}`. `start` waits for the first of these by itself. Returns their headers.
   */
  recover(): Promise<RunHeader[]>
  /**
   * Takes no new runs, waits at most `waitMs` (default 0) for those of this process, and stops the others. Those that may
   * be done again are left, without an end, to the process that comes next. What is stored can still be read, so that
   * whoever follows a run sees its end.
   */
  drain(options?: { readonly waitMs?: number }): Promise<void>
  /** Drains, and closes the log. */
  close(options?: { readonly waitMs?: number }): Promise<void>
}

export interface RuntimeOptions {
  /** By the name that stands before the slash of a model id. */
  readonly providers: Readonly<Record<string, Provider>>
  readonly log: Log
  /** What models may call. Default none. */
  readonly tools?: readonly Tool[]
  /** Short names of models: `{ fast: 'openai/gpt-5-mini' }`. */
  readonly aliases?: Readonly<Record<string, string>>
  /** Where a request names no model. */
  readonly defaultModel?: string
  /** Default: the strongest level that the log can keep. */
  readonly durability?: Durability
  readonly limits?: Partial<Limits>
  /** False: runs of dead processes that may be done again are left to another one. Default true. */
  readonly restart?: boolean
  /** Default: the machine's. */
  readonly clock?: Clock
  /** Told of what no client may see: causes of internal errors, late tool output. Default: nothing is done with it. */
  readonly onDiagnostic?: (diagnostic: Diagnostic) => void
  /** Told of everything that runs of this process have written, for metrics and traces. Must neither throw nor wait. */
  readonly observe?: (appended: Appended) => void
}

/** Events that became durable together. */
export interface Appended {
  /** What holds for their run; with it came the run's first events. */
  readonly start: StartEvent
  readonly events: readonly RunEvent[]
  /** How long it took to store them. Milliseconds; 0 for the first, which are stored with the run. */
  readonly appendMs: number
  /** The span of whoever asked for the run, where it was told: 16 hexadecimal digits. */
  readonly parentSpanId?: string
  /** Whether whoever asked records its trace, where that was told. */
  readonly sampled?: boolean
}

/** What a run can be handed while it is at work. */
export type RunInput = Exclude<ControlRequest, { type: 'cancel' }>

/** A run as its starter or finder holds it. Any number may exist for one run. */
export interface Run {
  readonly id: RunId
  readonly sessionId: string
  /** True if `start` found it by its idempotency key instead of starting it. */
  readonly replayed: boolean
  /** What the log knows of it now. */
  header(): Promise<RunHeader>
  /** Batches of entries after a cursor; with `follow` (the default here) until the run has ended. */
  read(options?: ReadOptions): AsyncIterable<Batch | Gap>
  /** Visible text as it comes. Ends when the run completed or was cancelled; throws the run's error. */
  text(options?: { readonly signal?: AbortSignal }): AsyncIterable<string>
  /** Waits for the end; the last answer, or a throw of the run's error. A cancelled run gives what it had. */
  result(options?: { readonly signal?: AbortSignal }): Promise<AssistantMessage>
  /** A step of it that breaks off may be voided and done again (`step.reset`). */
  readonly mayReset: boolean
  /** The folded state of everything stored now, or up to a seq; reading on after its `seq` misses and repeats nothing. */
  view(options?: { readonly upTo?: number }): Promise<RunView>
  cancel(options?: { readonly reason?: string }): Promise<RunHeader>
  /** As `Runtime.send`. */
  send(request: RunInput): Promise<void>
}

/** Short names of models, the model of requests that name none, and tools. */
export interface Choices {
  readonly aliases: Readonly<Record<string, string>>
  readonly defaultModel?: string
  readonly tools: readonly Pick<Tool, 'name' | 'description'>[]
}

export interface ProviderModels {
  /** The name before the slash. */
  readonly provider: string
  readonly models: readonly ModelInfo[]
  /** Why there are none. */
  readonly error?: Error
}

export interface Diagnostic {
  readonly level: 'info' | 'warning' | 'error'
  readonly code: string
  readonly message: string
  readonly run_id?: RunId
  readonly request_id?: string
  readonly trace_id?: string
  readonly cause?: unknown
}

/** Puts providers, a log and tools together. Throws `invalid_request` with reason `bad_tool`. */
export function createRuntime(options: RuntimeOptions): Runtime {
  const { log, providers, clock = systemClock, onDiagnostic = () => {} } = options
  const limits: Limits = { ...defaultLimits, ...options.limits }
  const tools = callableTools(options.tools ?? [])
  const newId = idSource(clock)
  const live = liveRuns({ log, limits, clock, onDiagnostic, observe: options.observe })
  /** Sessions with a start under way, so that two requests at once do not both find the session idle. */
  const starting = new Map<string, Promise<unknown>>()
  /** Starts under way. */
  const beginning = new Set<Promise<unknown>>()
  let closing = false
  let recovered: Promise<unknown> | undefined
  const stopListening = log.onRequest((run, request) => {
    const here = live.get(run)
    if (request.type === 'cancel') return here?.cancel(request.reason)
    try {
      here?.inbox.accept(request)
    } catch (thrown) {
      // Whoever sent it is another process, and has gone on.
      const { reason, message } = toRunletError(thrown)
      onDiagnostic({ level: 'info', code: reason, message, run_id: run })
    }
  })

  /** One that failed is no reason for every start to fail. */
  async function attended<T>(recovery: Promise<T>): Promise<T> {
    try {
      return await recovery
    } catch (error) {
      recovered = undefined
      throw error
    }
  }

  async function restart(orphan: Orphan): Promise<boolean> {
    const prepared = await prepareRestart(orphan, options, tools, newId)
    const { start } = orphan.past.view
    if (!prepared || !start) return false
    live.work(prepared.parts, {
      start: { type: 'start', ...start },
      epoch: orphan.epoch,
      past: orphan.past.entries,
      place: prepared.place,
    })
    return true
  }

  const recover = () => adoptOrphans(log, options.restart === false ? undefined : restart)

  /** Begins a run that a closing waits for: what is in the log has to be worked on, or ended. */
  function begin(request: StartRequest): Promise<Run> {
    if (closing) throw closed()
    const begun = create(request).finally(() => beginning.delete(begun))
    beginning.add(begun)
    return begun
  }

  async function create(request: StartRequest): Promise<Run> {
    // Before the request is judged: a repeated one joins its run, which may be what keeps its session busy.
    const taken = request.idempotency && (await log.claimed(request.idempotency))
    if (taken) return joined(taken)
    const prepared = await prepareRun(request, options, tools, newId)
    const created = await log.create(prepared.stored)
    if (created.type !== 'created') return joined(created)
    const { start, events } = prepared.stored
    live.work(prepared.parts, {
      start,
      epoch: created.cursor.epoch,
      past: [start, ...events].map((event, i) => ({ seq: i + 1, ts: 0, event })),
      parentSpanId: request.parentSpanId,
      sampled: request.sampled,
    })
    return handle(await found(log, start.run_id), false)
  }

  async function joined({ type, run }: Claimed): Promise<Run> {
    if (type === 'existing') return handle(await found(log, run.run_id), true)
    throw new RunletError('invalid_request', {
      status: 422,
      reason: 'idempotency_conflict',
      message: `the idempotency key belongs to run ${run.run_id}, which was asked something else; use a new key for a new request`,
    })
  }

  const handle = (stored: StoredRun, replayed: boolean) => runHandle(log, runtime, stored, { replayed })

  const runtime: Runtime = {
    async start(request) {
      if (closing) throw closed()
      await (recovered ??= attended(recover()))
      const session = request.sessionId
      if (session === undefined) return begin(request)
      // The start under way may be of the very same request, which is then to be joined.
      while (request.idempotency && starting.has(session)) await starting.get(session)?.catch(() => {})
      if (starting.has(session)) throw runInProgress(session)
      const begun = begin(request).finally(() => starting.delete(session))
      starting.set(session, begun)
      return begun
    },
    find: async (run) => handle(await found(log, run), false),
    async cancel(run, { reason = 'asked for by a client' } = {}) {
      const here = live.get(run)
      if (here) {
        here.cancel(reason)
        await here.ended
      } else if ((await found(log, run)).header.status === 'running') {
        await cancelElsewhere(run, reason)
      }
      return (await found(log, run)).header
    },
    async send(run, request) {
      const here = live.get(run)
      if (here) return here.inbox.accept(request)
      if ((await found(log, run)).header.status !== 'running') throw notRunning(run)
      await log.send(run, request)
    },
    watch: (callback) => live.watch(callback),
    list: (query) => log.list(query),
    choices: {
      aliases: options.aliases ?? {},
      ...(options.defaultModel === undefined ? {} : { defaultModel: options.defaultModel }),
      tools: (options.tools ?? []).map(({ name, description }) => ({ name, description })),
    },
    models: ({ signal = AbortSignal.timeout(MODELS_TIMEOUT_MS) } = {}) =>
      Promise.all(
        Object.entries(providers).map(async ([name, provider]): Promise<ProviderModels> => {
          try {
            return { provider: name, models: await provider.models({ signal }) }
          } catch (thrown) {
            return { provider: name, models: [], error: toRunletError(thrown) }
          }
        }),
      ),
    recover: () => {
      const adopted = recover()
      recovered ??= attended(adopted)
      return adopted
    },
    async drain({ waitMs = 0 } = {}) {
      closing = true
      await Promise.allSettled(beginning)
      await live.close(waitMs)
    },
    async close(how) {
      await runtime.drain(how)
      stopListening()
      await log.close()
    },
  }

  async function cancelElsewhere(run: RunId, reason: string): Promise<void> {
    const orphans = await log.orphans()
    if (orphans.some(({ run_id }) => run_id === run)) {
      // Where it goes on after all, it can be told to stop.
      await recover()
      const here = live.get(run)
      here?.cancel(reason)
      await here?.ended
      return
    }
    await log.send(run, { type: 'cancel', reason })
    const patience = new AbortController()
    const cancelTimer = clock.after(limits.cancelMs, () => patience.abort())
    // Following to the end is the acknowledgement: the ending is in the log, whoever wrote it.
    for await (const _ of log.read(run, { follow: true, signal: patience.signal }));
    cancelTimer()
    if (patience.signal.aborted) {
      throw new RunletError('timeout', {
        reason: 'cancel_unanswered',
        message: `the process that owns run ${run} did not end it within ${limits.cancelMs / 1000} s; the request stays with it`,
      })
    }
  }

  return runtime
}

const MODELS_TIMEOUT_MS = 5_000

const notRunning = (run: RunId) =>
  new RunletError('invalid_request', {
    status: 409,
    reason: 'no_active_run',
    message: `run ${run} has ended, so it takes nothing more; start another run in its session`,
  })

const closed = () =>
  new RunletError('provider_unavailable', {
    reason: 'shutting_down',
    message: 'this Runlet is shutting down and takes no new runs; ask again when it is back',
    retryAfterMs: 5_000,
  })
