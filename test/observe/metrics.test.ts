import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Registry } from 'prom-client'
import { describe, expect, test } from 'vitest'
import { RunletError } from '../../src/core/error.ts'
import type { RunEvent } from '../../src/core/event.ts'
import { createRuntime } from '../../src/engine/runtime.ts'
import { memoryLog } from '../../src/logs/memory.ts'
import { createMetrics, type Metrics } from '../../src/observe/metrics.ts'
import { boundaries, genAi, operations } from '../../src/observe/names.ts'
import { fakeClock } from '../../src/testing/fake-clock.ts'
import { says, scriptedProvider } from '../../src/testing/scripted-provider.ts'
import { call, result, stage, text, usage, type Stage } from './lab.ts'

const repo = join(import.meta.dirname, '../..')

/** Lines of a scrape, without comments, empty buckets and what is not about `names`. */
async function lines(metrics: Metrics, ...names: string[]): Promise<string[]> {
  const { body } = await metrics.text()
  return body
    .split('\n')
    .filter((line) => names.some((name) => line.startsWith(`${name}{`) || line.startsWith(`${name} `)))
    .filter((line) => !/_bucket\{/.test(line))
}

function theatre(): { metrics: Metrics; play: Stage } {
  const play: Stage = stage(() => metrics.observe)
  const metrics = createMetrics({ process: false, now: play.now })
  return { metrics, play }
}

const stepEnd = (out: number): RunEvent => ({ type: 'step.end', step: 1, finish_reason: 'stop', usage: usage(3, out) })
const turnEnd: RunEvent = { type: 'turn.end', turn: 1, reason: 'stop' }
const finish = (out: number): RunEvent => ({ type: 'finish', finish_reason: 'stop', usage: usage(3, out) })

describe('a run', () => {
  test('is timed from its beginning, each arrival from the one before, and each token from the first', async () => {
    const { metrics, play } = theatre()
    const run = play.run()
    run.at(400).wrote(...text('Hel'))
    // Three tokens of one read were shown at one moment.
    run.at(500).wrote(...text('lo', ' you', '!'))
    run.at(650).wrote(...text(' Bye'))
    run.at(700).wrote(stepEnd(6), turnEnd)
    run.at(700).wrote(finish(6))
    const about = 'provider="lab",model="small"'
    expect(
      await lines(metrics, 'runlet_time_to_first_token_seconds_sum', 'runlet_time_to_first_token_seconds_count'),
    ).toEqual([
      `runlet_time_to_first_token_seconds_sum{${about}} 0.4`,
      `runlet_time_to_first_token_seconds_count{${about}} 1`,
    ])
    expect(await lines(metrics, 'runlet_inter_token_gap_seconds_sum', 'runlet_inter_token_gap_seconds_count')).toEqual([
      `runlet_inter_token_gap_seconds_sum{${about}} 0.25`,
      `runlet_inter_token_gap_seconds_count{${about}} 2`,
    ])
    expect(await lines(metrics, 'runlet_time_per_output_token_seconds_sum')).toEqual([
      `runlet_time_per_output_token_seconds_sum{${about}} 0.06`,
    ])
    expect(await lines(metrics, 'runlet_model_call_duration_seconds_sum', 'runlet_run_duration_seconds_sum')).toEqual([
      `runlet_run_duration_seconds_sum{${about},status="completed"} 0.7`,
      `runlet_model_call_duration_seconds_sum{${about},outcome="ok"} 0.7`,
    ])
    expect(await lines(metrics, 'runlet_append_duration_seconds_sum', 'runlet_append_duration_seconds_count')).toEqual([
      'runlet_append_duration_seconds_sum{durability="sync"} 0.01',
      'runlet_append_duration_seconds_count{durability="sync"} 5',
    ])
  })

  test('counts as running until it ends, and its tokens when it has', async () => {
    const { metrics, play } = theatre()
    const run = play.run()
    const names = ['runlet_runs_started_total', 'runlet_runs_ended_total', 'runlet_runs_running', 'runlet_tokens_total']
    const about = 'provider="lab",model="small"'
    expect(await lines(metrics, ...names)).toEqual([
      `runlet_runs_started_total{${about}} 1`,
      `runlet_runs_running{${about}} 1`,
    ])
    run.wrote(stepEnd(6), turnEnd, finish(6))
    expect(await lines(metrics, ...names)).toEqual([
      `runlet_runs_started_total{${about}} 1`,
      `runlet_runs_ended_total{${about},status="completed",reason="stop"} 1`,
      `runlet_runs_running{${about}} 0`,
      `runlet_tokens_total{${about},type="input",accuracy="exact"} 3`,
      `runlet_tokens_total{${about},type="output",accuracy="exact"} 6`,
    ])
  })

  test('ends once, whatever it ends with', async () => {
    const { metrics, play } = theatre()
    const error = { code: 'timeout', reason: 'stalled', message: 'm', temporary: true } as const
    const endings: RunEvent[] = [
      { type: 'finish', finish_reason: 'length', usage: usage(1, 1) },
      { type: 'finish', finish_reason: 'cancelled', usage: usage(1, 1, 'estimated') },
      { type: 'error', error },
      { type: 'error', error: { ...error, code: 'internal', reason: 'shutdown' } },
    ]
    endings.forEach((ending, i) => play.run({ run_id: `run_${i}` }).wrote(ending))
    expect(await lines(metrics, 'runlet_runs_ended_total', 'runlet_provider_errors_total')).toEqual([
      'runlet_runs_ended_total{provider="lab",model="small",status="completed",reason="length"} 1',
      'runlet_runs_ended_total{provider="lab",model="small",status="cancelled",reason="cancelled"} 1',
      'runlet_runs_ended_total{provider="lab",model="small",status="failed",reason="timeout"} 1',
      'runlet_runs_ended_total{provider="lab",model="small",status="failed",reason="internal"} 1',
      // What fails on our side is no provider's error.
      'runlet_provider_errors_total{provider="lab",code="timeout"} 1',
    ])
  })

  test('tells the errors of its provider by their code, those that were tried again as well', async () => {
    const { metrics, play } = theatre()
    const retry = (cause: 'rate_limited' | 'overloaded'): RunEvent => ({
      type: 'warning',
      code: 'provider_retry',
      message: 'm',
      cause,
    })
    const run = play.run().wrote(retry('rate_limited')).wrote(retry('overloaded'))
    run.wrote({ type: 'error', error: { code: 'overloaded', reason: 'overloaded', message: 'm', temporary: true } })
    expect(await lines(metrics, 'runlet_provider_errors_total', 'runlet_provider_retries_total')).toEqual([
      'runlet_provider_errors_total{provider="lab",code="rate_limited"} 1',
      'runlet_provider_errors_total{provider="lab",code="overloaded"} 2',
      'runlet_provider_retries_total{provider="lab",code="rate_limited"} 1',
      'runlet_provider_retries_total{provider="lab",code="overloaded"} 1',
    ])
  })

  test('does not charge the model with the time of its tools', async () => {
    const { metrics, play } = theatre()
    const run = play.run()
    run.at(1000).wrote(call('c1', 'slow'), call('c2', 'bad'))
    run.at(9000).wrote(result('c1', 'slow', 8000), result('c2', 'bad', 10, true))
    run.wrote({ type: 'step.end', step: 1, finish_reason: 'tool_calls', usage: usage(3, 4) })
    expect(await lines(metrics, 'runlet_model_call_duration_seconds_sum', 'runlet_tool_duration_seconds_sum')).toEqual([
      'runlet_model_call_duration_seconds_sum{provider="lab",model="small",outcome="ok"} 1',
      'runlet_tool_duration_seconds_sum{tool="slow",outcome="ok"} 8',
      'runlet_tool_duration_seconds_sum{tool="bad",outcome="error"} 0.01',
    ])
  })

  test('that another process began is not counted as begun here', async () => {
    const { metrics } = theatre()
    const { observe } = metrics
    const start = { type: 'start', run_id: 'r', provider: 'lab', model: 'm', durability: 'os' } as never
    observe({ start, events: text('on'), appendMs: 1 })
    observe({ start, events: [finish(2)], appendMs: 1 })
    expect(
      await lines(
        metrics,
        'runlet_runs_started_total',
        'runlet_runs_adopted_total',
        'runlet_time_to_first_token_seconds_count',
        'runlet_runs_running',
      ),
    ).toEqual([
      'runlet_runs_adopted_total{provider="lab",model="m"} 1',
      'runlet_runs_running{provider="lab",model="m"} 0',
    ])
  })
})

test('names that callers invent do not make series without end', async () => {
  const { metrics, play } = theatre()
  for (let i = 0; i < 1000; i++) {
    const run = play.run({ run_id: `run_${i}`, model: `model-${i}` })
    run.wrote(result('c', `tool-${i}`, 1), finish(1))
    metrics.diagnosed({ level: 'info', code: `code-${i}`, message: '' })
  }
  expect(await lines(metrics, 'runlet_runs_started_total')).toHaveLength(201)
  expect(await lines(metrics, 'runlet_tool_duration_seconds_count')).toHaveLength(201)
  expect(await lines(metrics, 'runlet_diagnostics_total')).toHaveLength(101)
  expect((await lines(metrics, 'runlet_runs_started_total')).at(-1)).toBe(
    'runlet_runs_started_total{provider="lab",model="other"} 800',
  )
})

test('nothing of an ended run is kept: what came after it would be taken for another process’s', async () => {
  const { metrics, play } = theatre()
  const run = play.run().wrote(finish(1))
  expect(await lines(metrics, 'runlet_runs_adopted_total')).toEqual([])
  run.wrote(...text('late'))
  expect(await lines(metrics, 'runlet_runs_adopted_total')).toEqual([
    'runlet_runs_adopted_total{provider="lab",model="small"} 1',
  ])
})

test('a real runtime tells all of it', async () => {
  const clock = fakeClock()
  const metrics = createMetrics({ process: false, now: () => clock.now() })
  const overloaded = new RunletError('overloaded', { message: 'full' })
  const provider = scriptedProvider([[{ throw: overloaded }], says('Hello', ' world')])
  const runtime = createRuntime({
    providers: { lab: provider },
    log: memoryLog({ clock }),
    defaultModel: 'lab/scripted',
    clock,
    observe: metrics.observe,
  })
  const run = await runtime.start({ prompt: 'Hi' })
  await clock.advance(10_000)
  await run.result()
  expect(
    await lines(
      metrics,
      'runlet_runs_ended_total',
      'runlet_provider_retries_total',
      'runlet_runs_running',
      'runlet_tokens_total',
    ),
  ).toEqual([
    'runlet_runs_ended_total{provider="lab",model="scripted",status="completed",reason="stop"} 1',
    'runlet_runs_running{provider="lab",model="scripted"} 0',
    'runlet_tokens_total{provider="lab",model="scripted",type="input",accuracy="exact"} 3',
    'runlet_tokens_total{provider="lab",model="scripted",type="output",accuracy="exact"} 2',
    'runlet_provider_retries_total{provider="lab",code="overloaded"} 1',
  ])
  await runtime.close()
})

test('two sets of figures share nothing, and a registry can be given', async () => {
  const registry = new Registry()
  const [mine, other] = [createMetrics({ process: false, registry }), createMetrics({ process: false })]
  mine.diagnosed({ level: 'error', code: 'x', message: '' })
  expect(await registry.metrics()).toBe((await mine.text()).body)
  expect(await lines(other, 'runlet_diagnostics_total')).toEqual([])
})

test('figures of a server are read at the scrape; several are added up', async () => {
  const { metrics } = theatre()
  const counts = { opened: 9, ended: 4, disconnected: 2, overflowed: 1, lagged: 0, closed: 0, failed: 0, lags: 3 }
  metrics.watch({ readers: 2, pendingBytes: 100, readerCounts: counts })
  metrics.watch({ readers: 1, pendingBytes: 0, readerCounts: { ...counts, opened: 1 } })
  const read = () =>
    lines(
      metrics,
      'runlet_readers',
      'runlet_readers_pending_bytes',
      'runlet_readers_opened_total',
      'runlet_reader_lags_total',
      'runlet_readers_closed_total',
    )
  const expected = [
    'runlet_readers 3',
    'runlet_readers_pending_bytes 100',
    'runlet_readers_opened_total 10',
    'runlet_reader_lags_total 6',
    'runlet_readers_closed_total{reason="ended"} 8',
    'runlet_readers_closed_total{reason="disconnected"} 4',
    'runlet_readers_closed_total{reason="overflowed"} 2',
    'runlet_readers_closed_total{reason="lagged"} 0',
    'runlet_readers_closed_total{reason="closed"} 0',
    'runlet_readers_closed_total{reason="failed"} 0',
  ]
  expect(await read()).toEqual(expected)
  expect(await read()).toEqual(expected)
})

test('docs/operations.md lists every figure with its kind and labels, and none besides', async () => {
  const page = readFileSync(join(repo, 'docs/operations.md'), 'utf8')
  const listed = [...page.matchAll(/^\| `(runlet_\w+)` \| (\w+) \|([^|]*)\|/gm)].map(([, name, kind, labels]) => [
    name,
    kind,
    [...labels!.matchAll(/`(\w+)`/g)].map(([, label]) => label),
  ])
  const registry = new Registry()
  createMetrics({ process: false, registry })
  const kept = registry.getMetricsAsArray().map((metric) => {
    const { labelNames } = metric as unknown as { labelNames: string[] }
    const { name, type } = metric as unknown as { name: string; type: string }
    return [name, type, labelNames]
  })
  expect(listed.map(String).toSorted()).toEqual(kept.map(String).toSorted())
  expect(kept.length).toBeGreaterThan(20)
})

const names = join(repo, '../shared/fixtures/otel/genai-names.json')
test.skipIf(!existsSync(names))('names and boundaries are those of the conventions', () => {
  const published = JSON.parse(readFileSync(names, 'utf8'))
  const { errorType, ...attributes } = genAi
  expect(errorType).toBe('error.type')
  expect(Object.values(attributes).filter((name) => !published.attributes.includes(name))).toEqual([])
  expect(Object.values(operations).filter((name) => !Object.values(published.values).includes(name))).toEqual([])
  expect(boundaries.duration).toEqual(published.buckets_s['gen_ai.server.request.duration'])
  expect(boundaries.duration).toEqual(published.buckets_s['gen_ai.client.operation.time_per_output_chunk'])
  expect(boundaries.firstToken).toEqual(published.buckets_s['gen_ai.server.time_to_first_token'])
  expect(boundaries.perToken).toEqual(published.buckets_s['gen_ai.server.time_per_output_token'])
  expect(boundaries.tokens).toEqual(published.buckets_token['gen_ai.client.token.usage'])
})
