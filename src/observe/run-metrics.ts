import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import type { ErrorCode } from '../core/error.ts'
import { statusAfter, type RunEvent, type StartEvent, type TerminalEvent, type Usage } from '../core/event.ts'
import type { Appended } from '../engine/runtime.ts'
import { boundedLabel } from './bounded.ts'
import { boundaries } from './names.ts'

export interface RunMetricsOptions {
  readonly registry: Registry
  /** Milliseconds, from any beginning. */
  readonly now: () => number
}

/** Different models, and different tools, that get labels of their own. */
const MOST_LABELS = 200

/** What is remembered of a run while it is at work. */
interface RunState {
  readonly labels: { readonly provider: string; readonly model: string }
  readonly gap: Histogram.Internal<string>
  readonly append: Histogram.Internal<string>
  /** Undefined for a run that another process began. */
  readonly begunAt: number | undefined
  saidFirst: boolean
  step: StepState | undefined
}

/** What is remembered of a step while its model is at work. */
interface StepState {
  readonly begunAt: number
  firstAt: number | undefined
  lastAt: number
  answeredAt: number | undefined
}

/** Figures of runs, from nothing but what they have written. What arrives in one append costs two observations. */
export function runMetrics({ registry, now }: RunMetricsOptions): (appended: Appended) => void {
  const figures = runFigures(registry)
  const modelLabel = boundedLabel(MOST_LABELS)
  const toolLabel = boundedLabel(MOST_LABELS)
  const runs = new Map<string, RunState>()

  function begin({ run_id, provider, model, durability }: StartEvent, first: RunEvent | undefined): RunState {
    const labels = { provider, model: modelLabel(model) }
    const whole = first?.type === 'start'
    const run: RunState = {
      labels,
      gap: figures.gap.labels(labels),
      append: figures.append.labels({ durability }),
      begunAt: whole ? now() : undefined,
      saidFirst: !whole,
      step: undefined,
    }
    runs.set(run_id, run)
    ;(whole ? figures.started : figures.adopted).inc(labels)
    figures.running.inc(labels)
    return run
  }

  function spoke(run: RunState, at: number): void {
    if (!run.saidFirst && run.begunAt !== undefined) {
      run.saidFirst = true
      figures.firstToken.observe(run.labels, seconds(at - run.begunAt))
    }
    const { step } = run
    if (!step) return
    if (step.firstAt === undefined) step.firstAt = at
    else run.gap.observe(seconds(at - step.lastAt))
    step.lastAt = at
  }

  /** The model has said all it had to say in this step; its tools may still be at work. */
  function answered(run: RunState, at: number): void {
    const { step } = run
    if (!step || step.answeredAt !== undefined) return
    step.answeredAt = at
    figures.call.observe({ ...run.labels, outcome: 'ok' }, seconds(at - step.begunAt))
  }

  function endStep(run: RunState, usage: Usage | undefined): void {
    const { step } = run
    run.step = undefined
    if (step?.firstAt === undefined || step.answeredAt === undefined) return
    // An estimate of the tokens would make this one, too.
    if (usage?.accuracy !== 'exact' || usage.output_tokens < 2) return
    figures.perToken.observe(run.labels, seconds((step.answeredAt - step.firstAt) / (usage.output_tokens - 1)))
  }

  function providerFailed(run: RunState, code: ErrorCode): void {
    figures.errors.inc({ provider: run.labels.provider, code })
  }

  function end(run: RunState, event: TerminalEvent, at: number): void {
    const { labels, step, begunAt } = run
    if (event.type === 'error' && step && step.answeredAt === undefined) {
      figures.call.observe({ ...labels, outcome: event.error.code }, seconds(at - step.begunAt))
      // What is `internal` failed on this side: a store, a shutdown, a fault of ours.
      if (event.error.code !== 'internal') providerFailed(run, event.error.code)
    }
    const status = statusAfter(event)
    const reason = event.type === 'error' ? event.error.code : event.finish_reason
    figures.running.dec(labels)
    figures.ended.inc({ ...labels, status, reason })
    if (begunAt !== undefined) figures.duration.observe({ ...labels, status }, seconds(at - begunAt))
    if (event.usage) countTokens(labels, event.usage)
  }

  function countTokens(labels: RunState['labels'], usage: Usage): void {
    for (const [type, tokens] of [
      ['input', usage.input_tokens],
      ['output', usage.output_tokens],
    ] as const) {
      figures.tokens.inc({ ...labels, type, accuracy: usage.accuracy }, tokens)
      figures.tokensPerRun.observe({ ...labels, type }, tokens)
    }
  }

  return ({ start, events, appendMs }) => {
    const at = now()
    const run = runs.get(start.run_id) ?? begin(start, events[0])
    if (appendMs > 0) run.append.observe(seconds(appendMs))
    let silent = true
    for (const event of events) {
      switch (event.type) {
        case 'text.delta':
        case 'reasoning.delta':
        case 'tool.call.delta':
        case 'audio.delta':
          // However many came together, they were shown at one moment.
          if (silent) spoke(run, at)
          silent = false
          break
        case 'step.start':
          run.step = { begunAt: at, firstAt: undefined, lastAt: at, answeredAt: undefined }
          break
        case 'tool.call':
          answered(run, at)
          break
        case 'tool.result':
          figures.tool.observe(
            { tool: toolLabel(event.name), outcome: event.is_error ? 'error' : 'ok' },
            seconds(event.duration_ms),
          )
          break
        case 'step.end':
          answered(run, at)
          endStep(run, event.usage)
          break
        case 'step.reset':
          if (run.step) run.step.firstAt = undefined
          break
        case 'warning':
          if (event.code === 'provider_retry' && event.cause !== undefined) {
            providerFailed(run, event.cause)
            figures.retries.inc({ provider: run.labels.provider, code: event.cause })
          }
          break
        case 'finish':
        case 'error':
          runs.delete(start.run_id)
          end(run, event, at)
          break
        default:
      }
    }
  }
}

const seconds = (ms: number) => ms / 1000

function runFigures(registry: Registry) {
  const registers = [registry]
  const about = ['provider', 'model']
  return {
    started: new Counter({
      name: 'runlet_runs_started_total',
      help: 'Runs begun by this process.',
      labelNames: about,
      registers,
    }),
    adopted: new Counter({
      name: 'runlet_runs_adopted_total',
      help: 'Runs that another process began and this one went on with.',
      labelNames: about,
      registers,
    }),
    ended: new Counter({
      name: 'runlet_runs_ended_total',
      help: 'Runs ended, by status and by finish reason or error code.',
      labelNames: [...about, 'status', 'reason'],
      registers,
    }),
    running: new Gauge({
      name: 'runlet_runs_running',
      help: 'Runs that this process is working on.',
      labelNames: about,
      registers,
    }),
    duration: new Histogram({
      name: 'runlet_run_duration_seconds',
      help: 'From the beginning of a run to its end.',
      labelNames: [...about, 'status'],
      buckets: [...boundaries.duration],
      registers,
    }),
    firstToken: new Histogram({
      name: 'runlet_time_to_first_token_seconds',
      help: 'From the beginning of a run to the first content that a reader could see.',
      labelNames: about,
      buckets: [...boundaries.firstToken],
      registers,
    }),
    gap: new Histogram({
      name: 'runlet_inter_token_gap_seconds',
      help: 'Between two arrivals of content within a step, as readers could see them.',
      labelNames: about,
      buckets: [...boundaries.duration],
      registers,
    }),
    perToken: new Histogram({
      name: 'runlet_time_per_output_token_seconds',
      help: 'Time of a step after its first token, per further token, where the provider counted them.',
      labelNames: about,
      buckets: [...boundaries.perToken],
      registers,
    }),
    call: new Histogram({
      name: 'runlet_model_call_duration_seconds',
      help: 'From the beginning of a step to the end of the model answer, retries included.',
      labelNames: [...about, 'outcome'],
      buckets: [...boundaries.duration],
      registers,
    }),
    tokens: new Counter({
      name: 'runlet_tokens_total',
      help: 'Tokens of ended runs, counted by the provider (exact) or by Runlet (estimated).',
      labelNames: [...about, 'type', 'accuracy'],
      registers,
    }),
    tokensPerRun: new Histogram({
      name: 'runlet_run_tokens',
      help: 'Tokens of one run.',
      labelNames: [...about, 'type'],
      buckets: [...boundaries.tokens],
      registers,
    }),
    tool: new Histogram({
      name: 'runlet_tool_duration_seconds',
      help: 'Execution of a tool.',
      labelNames: ['tool', 'outcome'],
      buckets: [...boundaries.duration],
      registers,
    }),
    errors: new Counter({
      name: 'runlet_provider_errors_total',
      help: 'Model calls that failed, whether they were tried again or not.',
      labelNames: ['provider', 'code'],
      registers,
    }),
    retries: new Counter({
      name: 'runlet_provider_retries_total',
      help: 'Model calls that failed and were tried again.',
      labelNames: ['provider', 'code'],
      registers,
    }),
    append: new Histogram({
      name: 'runlet_append_duration_seconds',
      help: 'Until an append to the store was as durable as its run asked for.',
      labelNames: ['durability'],
      buckets: [...boundaries.append],
      registers,
    }),
  }
}
