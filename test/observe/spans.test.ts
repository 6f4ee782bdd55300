import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import {
  context,
  INVALID_SPAN_CONTEXT,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  type Context,
  type ContextManager,
  type Tracer,
} from '@opentelemetry/api'
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  ParentBasedSampler,
  AlwaysOnSampler,
  SimpleSpanProcessor,
  type ReadableSpan,
} from '@opentelemetry/sdk-trace-base'
import { afterEach, describe, expect, test } from 'vitest'
import type { RunEvent } from '../../src/core/event.ts'
import { createSpans, type Spans } from '../../src/observe/spans.ts'
import { call, result, stage, text, usage, type Stage } from './lab.ts'

const TRACE = '0af7651916cd43dd8448eb211c80319c'
const CALLER = 'b7ad6b7169203331'

interface Theatre {
  readonly spans: Spans
  readonly play: Stage
  /** Ended spans, in the order of their beginning, with times since the beginning. */
  readonly story: () => ReturnType<typeof told>[]
  readonly exporter: InMemorySpanExporter
}

async function theatre(processor?: ConstructorParameters<typeof BasicTracerProvider>[0]): Promise<Theatre> {
  const exporter = new InMemorySpanExporter()
  const provider = new BasicTracerProvider({
    sampler: new ParentBasedSampler({ root: new AlwaysOnSampler() }),
    spanProcessors: [new SimpleSpanProcessor(exporter)],
    ...processor,
  })
  const play: Stage = stage(() => (appended) => spans.observe(appended))
  // An SDK takes small numbers for times of `performance.now`.
  const spans = (await createSpans({ tracer: provider.getTracer('test'), now: () => BEGINNING + play.now() }))!
  return { spans, play, exporter, story: () => exporter.getFinishedSpans().toSorted(byBeginning).map(told) }
}

const BEGINNING = Date.UTC(2025, 0, 1)
const ms = ([seconds, nanos]: readonly [number, number]) => Math.round(seconds * 1000 + nanos / 1e6) - BEGINNING
const byBeginning = (a: ReadableSpan, b: ReadableSpan) => ms(a.startTime) - ms(b.startTime) || depth(a) - depth(b)
const depth = ({ name }: ReadableSpan) => (name === 'invoke_agent' ? 0 : 1)

function told(span: ReadableSpan) {
  const { name, startTime, endTime, attributes, status } = span
  return {
    name,
    kind: SpanKind[span.kind],
    from: ms(startTime),
    to: ms(endTime),
    parent: span.parentSpanContext?.spanId,
    status: SpanStatusCode[status.code],
    attributes,
  }
}

const finish: RunEvent = { type: 'finish', finish_reason: 'stop', usage: { ...usage(7, 9), cached_tokens: 2 } }

/** Two steps, a tool in between. */
function wholeRun(play: Stage) {
  const run = play.run()
  run.at(100).wrote(...text('I look.'))
  run.at(200).wrote(call('c1', 'read_file'), call('c2', 'glob'))
  run.at(500).wrote(result('c1', 'read_file', 300), result('c2', 'glob', 50, true))
  run.wrote({ type: 'step.end', step: 1, finish_reason: 'tool_calls', usage: usage(3, 4), model: 'small-2025' })
  run.at(600).wrote({ type: 'step.start', step: 2, attempt: 1 })
  run.at(900).wrote({ type: 'step.end', step: 2, finish_reason: 'stop', usage: usage(4, 5) })
  run.wrote({ type: 'turn.end', turn: 1, reason: 'stop' })
  return run.at(910).wrote(finish)
}

const about = { 'gen_ai.provider.name': 'lab', 'gen_ai.request.model': 'small' }
const tool = { 'gen_ai.operation.name': 'execute_tool', 'gen_ai.tool.type': 'function' }

describe('a run', () => {
  test('is a span, with one for each model call and one for each tool, each as long as it took', async () => {
    const { play, story, exporter } = await theatre()
    wholeRun(play)
    const root = exporter
      .getFinishedSpans()
      .find(({ name }) => name === 'invoke_agent')!
      .spanContext().spanId
    expect(story()).toEqual([
      {
        name: 'invoke_agent',
        kind: 'INTERNAL',
        from: 0,
        to: 910,
        parent: undefined,
        status: 'UNSET',
        attributes: {
          'gen_ai.operation.name': 'invoke_agent',
          ...about,
          'gen_ai.conversation.id': 'ses_1',
          'gen_ai.response.finish_reasons': ['stop'],
          'gen_ai.usage.input_tokens': 7,
          'gen_ai.usage.output_tokens': 9,
          'gen_ai.usage.cache_read.input_tokens': 2,
          'runlet.run.id': 'run_1',
          'runlet.request.id': 'req_1',
          'runlet.trace.id': TRACE,
        },
      },
      {
        name: 'chat small',
        kind: 'CLIENT',
        from: 0,
        // The model was done here; its tools were not.
        to: 200,
        parent: root,
        status: 'UNSET',
        attributes: {
          'gen_ai.operation.name': 'chat',
          ...about,
          'gen_ai.request.stream': true,
          'gen_ai.response.model': 'small-2025',
          'gen_ai.response.finish_reasons': ['tool_calls'],
          'gen_ai.response.time_to_first_chunk': 0.1,
          'gen_ai.usage.input_tokens': 3,
          'gen_ai.usage.output_tokens': 4,
        },
      },
      {
        name: 'execute_tool read_file',
        kind: 'INTERNAL',
        from: 200,
        to: 500,
        parent: root,
        status: 'UNSET',
        attributes: { ...tool, 'gen_ai.tool.name': 'read_file', 'gen_ai.tool.call.id': 'c1' },
      },
      {
        name: 'execute_tool glob',
        kind: 'INTERNAL',
        from: 200,
        to: 250,
        parent: root,
        status: 'ERROR',
        attributes: { ...tool, 'gen_ai.tool.name': 'glob', 'gen_ai.tool.call.id': 'c2', 'error.type': 'tool_error' },
      },
      {
        name: 'chat small',
        kind: 'CLIENT',
        from: 600,
        to: 900,
        parent: root,
        status: 'UNSET',
        attributes: {
          'gen_ai.operation.name': 'chat',
          ...about,
          'gen_ai.request.stream': true,
          'gen_ai.response.model': 'small',
          'gen_ai.response.finish_reasons': ['stop'],
          'gen_ai.usage.input_tokens': 4,
          'gen_ai.usage.output_tokens': 5,
        },
      },
    ])
  })

  test('shows nothing of what was said', async () => {
    const { play, exporter } = await theatre()
    wholeRun(play)
    const everything = JSON.stringify(
      exporter.getFinishedSpans().map(({ name, attributes, events, status }) => [name, attributes, events, status]),
    )
    expect(everything).toContain('read_file')
    expect(everything).not.toMatch(/secret|I look/)
  })

  test('that fails says how, and so does the call that failed; what was tried again is told on the way', async () => {
    const { play, story, exporter } = await theatre()
    const run = play.run()
    run.at(50).wrote({ type: 'warning', code: 'provider_retry', message: 'm', cause: 'overloaded' })
    run.at(80).wrote({ type: 'error', error: { code: 'timeout', reason: 'stalled', message: 'm', temporary: true } })
    expect(
      story().map(({ name, to, status, attributes }) => [
        name,
        to,
        status,
        attributes['error.type'],
        attributes['runlet.error.reason'],
      ]),
    ).toEqual([
      ['invoke_agent', 80, 'ERROR', 'timeout', 'stalled'],
      ['chat small', 80, 'ERROR', 'timeout', 'stalled'],
    ])
    const chat = exporter.getFinishedSpans().find(({ name }) => name === 'chat small')!
    expect(chat.events.map(({ name, time, attributes }) => [name, ms(time), attributes])).toEqual([
      ['provider_retry', 50, { 'error.type': 'overloaded' }],
    ])
  })

  test('that is cancelled is no error; a tool that it cut off is', async () => {
    const { play, story } = await theatre()
    const run = play.run()
    run.at(100).wrote(call('c1', 'slow'))
    run.at(400).wrote({ type: 'finish', finish_reason: 'cancelled', usage: usage(1, 1) })
    expect(
      story().map(({ name, from, to, status, attributes }) => [name, from, to, status, attributes['error.type']]),
    ).toEqual([
      ['invoke_agent', 0, 400, 'UNSET', undefined],
      ['chat small', 0, 100, 'UNSET', undefined],
      ['execute_tool slow', 100, 400, 'ERROR', 'cancelled'],
    ])
  })

  test('whose tools its caller runs has no spans for them', async () => {
    const { play, story } = await theatre()
    const run = play.run().wrote(call('c1', 'theirs'))
    run.wrote(
      { type: 'step.end', step: 1, finish_reason: 'tool_calls' },
      { type: 'turn.end', turn: 1, reason: 'tool_calls' },
    )
    run.wrote({ type: 'finish', finish_reason: 'tool_calls', usage: usage(1, 1) })
    expect(story().map(({ name }) => name)).toEqual(['invoke_agent', 'chat small'])
  })

  test('that goes on in another process has its spans ended here', async () => {
    const { spans, play, story } = await theatre()
    play.run().at(70)
    spans.close()
    expect(story().map(({ name, to }) => [name, to])).toEqual([
      ['invoke_agent', 70],
      ['chat small', 70],
    ])
  })
})

describe('the parent', () => {
  afterEach(() => context.disable())

  const parents = ({ exporter }: Theatre) =>
    exporter.getFinishedSpans().map((span) => [span.spanContext().traceId, span.parentSpanContext?.spanId])

  test('is the span of whoever asked, in its trace', async () => {
    const t = await theatre()
    t.play.run({}, { parentSpanId: CALLER, sampled: true }).wrote(finish)
    const [, root] = parents(t)
    expect(root).toEqual([TRACE, CALLER])
    expect(new Set(parents(t).map(([id]) => id))).toEqual(new Set([TRACE]))
  })

  test('that is not recorded makes the run not recorded', async () => {
    const t = await theatre()
    t.play.run({}, { parentSpanId: CALLER, sampled: false }).wrote(...text('x'), finish)
    expect(t.exporter.getFinishedSpans()).toEqual([])
  })

  test('is what is active here, where that is of the same trace or nobody said otherwise', async () => {
    const t = await theatre()
    const here = (traceId: string) =>
      trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId: '00f067aa0ba902b7', traceFlags: 1 })
    for (const [traceId, asked, parent] of [
      [TRACE, { parentSpanId: CALLER }, [TRACE, '00f067aa0ba902b7']],
      ['4bf92f3577b34da6a3ce929d0e0e4736', { parentSpanId: CALLER }, [TRACE, CALLER]],
      ['4bf92f3577b34da6a3ce929d0e0e4736', {}, ['4bf92f3577b34da6a3ce929d0e0e4736', '00f067aa0ba902b7']],
    ] as const) {
      context.setGlobalContextManager(always(here(traceId)))
      t.exporter.reset()
      t.play.run({}, asked).wrote(finish)
      context.disable()
      expect(parents(t).at(-1)).toEqual(parent)
    }
  })
})

/** A context manager for which one context is always active. */
function always(active: Context): ContextManager {
  const manager: ContextManager = {
    active: () => active,
    with: (_, run, self, ...args) => run.call(self as never, ...args),
    bind: (_, target) => target,
    enable: () => manager,
    disable: () => manager,
  }
  return manager
}

test('a processor that throws ends no run', async () => {
  const throwing = {
    onStart() {},
    onEnd() {
      throw new Error('exporter')
    },
    forceFlush: async () => {},
    shutdown: async () => {},
  }
  const { play } = await theatre({ spanProcessors: [throwing] })
  expect(() => wholeRun(play)).not.toThrow()
})

test('where nobody records there is one span that is none, and no more is made', async () => {
  const made: string[] = []
  const tracer: Tracer = {
    startSpan(name) {
      made.push(name)
      return trace.wrapSpanContext(INVALID_SPAN_CONTEXT)
    },
    startActiveSpan() {
      throw new Error('not used')
    },
  }
  const play: Stage = stage(() => (appended) => spans.observe(appended))
  const spans = (await createSpans({ tracer, now: play.now }))!
  wholeRun(play)
  expect(made).toEqual(['invoke_agent'])
})

const built = join(import.meta.dirname, '../../dist/observe/spans.js')
test.skipIf(!existsSync(built))('where the API is not installed there are none, and nothing is loaded', () => {
  const hook = `export async function resolve(name, context, next) {
    if (name.startsWith('@opentelemetry/')) throw Object.assign(new Error('absent'), { code: 'ERR_MODULE_NOT_FOUND' })
    return next(name, context)
  }`
  const program = `
    import { register } from 'node:module'
    register('data:text/javascript,' + ${JSON.stringify(encodeURIComponent(hook))})
    const { createSpans } = await import(${JSON.stringify(pathToFileURL(built).href)})
    console.log(String(await createSpans()))`
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' })
  expect([stdout, stderr]).toEqual(['undefined\n', ''])
})
