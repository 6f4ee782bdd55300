import type * as openTelemetry from '@opentelemetry/api'
import type { Context, Span, Tracer } from '@opentelemetry/api'
import type { RunEvent, TerminalEvent, Usage } from '../core/event.ts'
import type { CallOptions, Provider } from '../core/provider.ts'
import type { Appended } from '../engine/runtime.ts'
import { genAi, operations, runlet } from './names.ts'

type Api = typeof openTelemetry

export interface SpansOptions {
  /** Default: the tracer `runlet` of the provider that was registered with the API. */
  readonly tracer?: Tracer
  /** Unix time in milliseconds, with fractions. Default: the machine's. */
  readonly now?: () => number
}

/** Spans of runs, named as OpenTelemetry's conventions for generative AI have it. They hold no content. */
export interface Spans {
  /** For `createRuntime`. Neither throws nor waits; keeps nothing of a run that has ended. */
  readonly observe: (appended: Appended) => void
  /** The same provider, whose own traces begin below the span of the step that calls it. */
  traced(provider: Provider): Provider
  /** Ends the spans of runs that have no end: another process goes on with them. */
  close(): void
}

/**
 * Undefined where `@opentelemetry/api` is not installed; nothing is loaded then. Without a registered provider the
 * spans go nowhere, at next to no cost.
 */
export async function createSpans(options: SpansOptions = {}): Promise<Spans | undefined> {
  const api = await installedApi()
  return api && runSpans(api, options)
}

async function installedApi(): Promise<Api | undefined> {
  try {
    return await import('@opentelemetry/api')
  } catch (thrown) {
    if (thrown instanceof Error && 'code' in thrown && thrown.code === 'ERR_MODULE_NOT_FOUND') return undefined
    throw thrown
  }
}

/** The spans of a run at work. */
interface RunSpans {
  readonly span: Span
  readonly context: Context
  readonly provider: string
  readonly model: string
  /** Calls without a result yet, and since when. */
  readonly calls: Map<string, { readonly name: string; readonly at: number }>
  step: StepSpan | undefined
}

interface StepSpan {
  readonly span: Span
  readonly begunAt: number
  spoke: boolean
  /** When the model had said all; its tools are then still at work. */
  answeredAt: number | undefined
}

function runSpans(api: Api, given: SpansOptions): Spans {
  const { SpanKind, SpanStatusCode, TraceFlags } = api
  const tracer = given.tracer ?? api.trace.getTracer('runlet')
  const now = given.now ?? (() => performance.timeOrigin + performance.now())
  /** `unsampled`: nobody wants to know of it. */
  const runs = new Map<string, RunSpans | 'unsampled'>()

  /** Under what is active here, which is nearer, if it is of the caller's trace; else under the caller's own span. */
  function parentOf({ start, parentSpanId, sampled = true }: Appended): Context {
    const active = api.context.active()
    if (parentSpanId === undefined || api.trace.getSpanContext(active)?.traceId === start.trace_id) return active
    return api.trace.setSpanContext(active, {
      traceId: start.trace_id,
      spanId: parentSpanId,
      traceFlags: sampled ? TraceFlags.SAMPLED : TraceFlags.NONE,
      isRemote: true,
    })
  }

  function begin(appended: Appended, at: number): RunSpans | 'unsampled' {
    const parent = parentOf(appended)
    const { run_id, request_id, session_id, trace_id, provider, model } = appended.start
    const span = tracer.startSpan(
      operations.run,
      {
        kind: SpanKind.INTERNAL,
        startTime: at,
        attributes: {
          [genAi.operation]: operations.run,
          [genAi.provider]: provider,
          [genAi.requestModel]: model,
          [genAi.conversation]: session_id,
          [runlet.run]: run_id,
          [runlet.request]: request_id,
          [runlet.trace]: trace_id,
        },
      },
      parent,
    )
    const context = api.trace.setSpan(parent, span)
    const run = span.isRecording()
      ? { span, context, provider, model, calls: new Map<string, never>(), step: undefined }
      : 'unsampled'
    runs.set(run_id, run)
    return run
  }

  function beginStep(run: RunSpans, at: number): void {
    const attributes = {
      [genAi.operation]: operations.step,
      [genAi.provider]: run.provider,
      [genAi.requestModel]: run.model,
      [genAi.requestStream]: true,
    }
    const name = `${operations.step} ${run.model}`
    const span = tracer.startSpan(name, { kind: SpanKind.CLIENT, startTime: at, attributes }, run.context)
    run.step = { span, begunAt: at, spoke: false, answeredAt: undefined }
  }

  function endStep({ step, model }: RunSpans, event: Extract<RunEvent, { type: 'step.end' }>, at: number): void {
    if (!step) return
    step.span.setAttributes({
      [genAi.responseModel]: event.model ?? model,
      [genAi.finishReasons]: [event.finish_reason],
      ...usageAttributes(event.usage),
    })
    step.span.end(step.answeredAt ?? at)
  }

  /** Made when it is over: who it was for is then known, and a call that the caller runs itself needs none. */
  function endCall(
    run: RunSpans,
    id: string,
    { until, error }: { readonly until: (at: number) => number; readonly error?: string },
  ) {
    const call = run.calls.get(id)
    if (!call) return
    run.calls.delete(id)
    const attributes = {
      [genAi.operation]: operations.tool,
      [genAi.toolName]: call.name,
      [genAi.toolCall]: id,
      [genAi.toolType]: 'function',
    }
    const name = `${operations.tool} ${call.name}`
    const span = tracer.startSpan(name, { kind: SpanKind.INTERNAL, startTime: call.at, attributes }, run.context)
    if (error !== undefined) fail(span, error)
    span.end(until(call.at))
  }

  function fail(span: Span, type: string, reason?: string): void {
    span.setAttribute(genAi.errorType, type)
    if (reason !== undefined) span.setAttribute(runlet.reason, reason)
    span.setStatus(
      reason === undefined ? { code: SpanStatusCode.ERROR } : { code: SpanStatusCode.ERROR, message: reason },
    )
  }

  function end(run: RunSpans, event: TerminalEvent, at: number): void {
    const { span, step } = run
    const cut = event.type === 'error' ? event.error.code : 'cancelled'
    if (event.type === 'error' || event.finish_reason === 'cancelled') {
      for (const id of run.calls.keys()) endCall(run, id, { until: () => at, error: cut })
    }
    if (step && event.type === 'error' && step.answeredAt === undefined) fail(step.span, cut, event.error.reason)
    step?.span.end(step.answeredAt ?? at)
    if (event.type === 'error') fail(span, cut, event.error.reason)
    else span.setAttribute(genAi.finishReasons, [event.finish_reason])
    span.setAttributes(usageAttributes(event.usage))
    span.end(at)
  }

  function tell(run: RunSpans, event: RunEvent, at: number): void {
    const { step } = run
    switch (event.type) {
      case 'text.delta':
      case 'reasoning.delta':
      case 'tool.call.delta':
      case 'audio.delta':
        if (!step || step.spoke) break
        step.spoke = true
        step.span.setAttribute(genAi.firstChunk, (at - step.begunAt) / 1000)
        break
      case 'step.start':
        beginStep(run, at)
        break
      case 'warning':
        if (event.code === 'provider_retry' && event.cause !== undefined)
          step?.span.addEvent(event.code, { [genAi.errorType]: event.cause }, at)
        break
      case 'tool.call':
        if (step) step.answeredAt ??= at
        run.calls.set(event.call_id, { name: event.tool_call.name, at })
        break
      case 'tool.result':
        endCall(run, event.call_id, {
          // Results are written in the order of the calls; each span ends when its own call was over.
          until: (begunAt) => Math.min(at, begunAt + event.duration_ms),
          ...(event.is_error ? { error: 'tool_error' } : {}),
        })
        break
      case 'step.end':
        endStep(run, event, at)
        run.step = undefined
        break
      default:
    }
  }

  function observe(appended: Appended): void {
    const at = now()
    const { start, events } = appended
    const run = runs.get(start.run_id) ?? begin(appended, at)
    for (const event of events) {
      if (event.type === 'finish' || event.type === 'error') {
        runs.delete(start.run_id)
        if (run !== 'unsampled') end(run, event, at)
      } else if (run !== 'unsampled') tell(run, event, at)
    }
  }

  /** Where nothing is recorded, the trace is handed on as it came. */
  function belowStep({ caller, ...options }: CallOptions): CallOptions {
    if (!caller) return options
    const run = runs.get(caller.runId)
    if (run === undefined || run === 'unsampled' || !run.step) return { ...options, caller }
    const { traceId, spanId, traceFlags } = run.step.span.spanContext()
    const traceparent = `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}`
    return { ...options, caller: { ...caller, traceparent } }
  }

  return {
    observe(appended) {
      try {
        observe(appended)
      } catch (thrown) {
        // A processor of somebody else's must not be what ends a run.
        if (runs.has(appended.start.run_id)) runs.set(appended.start.run_id, 'unsampled')
        api.diag.error('runlet: spans of a run are incomplete', thrown)
      }
    },
    traced: (provider) => ({
      api: provider.api,
      capabilities: provider.capabilities,
      stream: (request, options) => provider.stream(request, belowStep(options)),
      models: (options) => provider.models(options),
    }),
    close() {
      const at = now()
      for (const run of runs.values()) {
        if (run === 'unsampled') continue
        run.step?.span.end(run.step.answeredAt ?? at)
        run.span.end(at)
      }
      runs.clear()
    },
  }
}

function usageAttributes(usage: Usage | undefined) {
  if (!usage) return {}
  return {
    [genAi.inputTokens]: usage.input_tokens,
    [genAi.outputTokens]: usage.output_tokens,
    ...(usage.cached_tokens === undefined ? {} : { [genAi.cachedTokens]: usage.cached_tokens }),
    ...(usage.reasoning_tokens === undefined ? {} : { [genAi.reasoningTokens]: usage.reasoning_tokens }),
  }
}
