/** A daemon under OpenTelemetry, as its users start one: `--import` of a file that registers a provider. */
import { readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect, test } from 'vitest'
import { loopback } from '../../src/testing/loopback.ts'
import { withCli } from './runlet.ts'

const TRACE = '0af7651916cd43dd8448eb211c80319c'
const CALLER = 'b7ad6b7169203331'

const { resolve } = createRequire(import.meta.url)
const from = (name: string) => JSON.stringify(pathToFileURL(resolve(name)).href)

/** Writes each span that has ended into a file, when the process is about to leave. */
const setUp = (file: string) => `
  import api from ${from('@opentelemetry/api')}
  import sdk from ${from('@opentelemetry/sdk-trace-base')}
  import { writeFileSync } from 'node:fs'
  const exporter = new sdk.InMemorySpanExporter()
  api.trace.setGlobalTracerProvider(new sdk.BasicTracerProvider({ spanProcessors: [new sdk.BatchSpanProcessor(exporter)] }))
  process.once('beforeExit', async () => {
    await api.trace.getTracerProvider().getDelegate().forceFlush()
    const spans = exporter.getFinishedSpans().map((span) => ({
      name: span.name,
      trace: span.spanContext().traceId,
      id: span.spanContext().spanId,
      parent: span.parentSpanContext?.spanId,
      run: span.attributes['runlet.run.id'],
    }))
    writeFileSync(${JSON.stringify(file)}, JSON.stringify(spans))
  })`

interface Told {
  readonly name: string
  readonly trace: string
  readonly id: string
  readonly parent?: string
  readonly run?: string
}

test.concurrent(
  'one trace leads from the caller through the run to the model’s API',
  withCli(async (cli) => {
    const api = await loopback((_, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.end(
        'data: {"choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n',
      )
    })
    const [hook, file] = [join(cli.home, 'otel.mjs'), join(cli.home, 'spans.json')]
    writeFileSync(hook, setUp(file))
    const env = {
      NODE_OPTIONS: `--import ${pathToFileURL(hook).href}`,
      OPENAI_API_KEY: 'k',
      OPENAI_BASE_URL: `${api.url}/v1`,
    }
    const daemon = await cli.serve([], { env })
    const token = readFileSync(join(cli.home, 'token'), 'utf8').trim()
    const answer = await fetch(`${daemon.url}/v1/runs`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${token}`,
        'content-type': 'application/json',
        accept: 'text/event-stream',
        traceparent: `00-${TRACE}-${CALLER}-01`,
      },
      body: JSON.stringify({ model: 'openai/m', prompt: 'x' }),
    })
    await answer.text()
    daemon.child.kill('SIGTERM')
    expect((await daemon.done).status).toBe(0)
    await api.close()

    const spans = JSON.parse(readFileSync(file, 'utf8')) as Told[]
    const run = spans.find(({ name }) => name === 'invoke_agent')!
    expect(spans.map(({ name, trace, parent }) => [name, trace, parent])).toEqual([
      ['chat m', TRACE, run.id],
      ['invoke_agent', TRACE, CALLER],
    ])
    const step = spans.find(({ name }) => name === 'chat m')!
    expect(api.requests.map(({ headers }) => headers['traceparent'])).toEqual([`00-${TRACE}-${step.id}-01`])
    expect(run.run).toBe(answer.headers.get('x-run-id'))
  }),
)
