/** What a daemon tells of itself: figures, spans, health, and a line for each request where that is wanted. */
import { isRunletError } from '../core/error.ts'
import type { Provider } from '../core/provider.ts'
import type { Diagnostic, RuntimeOptions } from '../engine/runtime.ts'
import { createMetrics } from '../observe/metrics.ts'
import { createSpans } from '../observe/spans.ts'
import type { HttpServer, HttpServerOptions } from '../servers/http/server.ts'
import type { LogRecord } from './log-lines.ts'

type OnAnswer = NonNullable<HttpServerOptions['onAnswer']>

export interface Observers {
  readonly onDiagnostic: (diagnostic: Diagnostic) => void
  readonly observe: NonNullable<RuntimeOptions['observe']>
  readonly http: Required<Pick<HttpServerOptions, 'metrics' | 'health' | 'onAnswer'>>
  readonly watch: (server: HttpServer) => void
  /** Providers whose own traces join those made here. */
  traced(providers: Readonly<Record<string, Provider>>): Readonly<Record<string, Provider>>
  close(): void
}

/** Spans are made where `@opentelemetry/api` is installed, and go where its user sends them. */
export async function observers(log: (record: LogRecord) => void): Promise<Observers> {
  const metrics = createMetrics()
  const spans = await createSpans()
  let storeFailed = false
  return {
    onDiagnostic(diagnostic) {
      storeFailed ||= tellsOfDeadStore(diagnostic)
      metrics.diagnosed(diagnostic)
      log(diagnostic)
    },
    observe: spans
      ? (appended) => {
          metrics.observe(appended)
          spans.observe(appended)
        }
      : metrics.observe,
    http: {
      metrics: metrics.text,
      health: () => ({ status: storeFailed ? 'store_failed' : 'ok' }),
      onAnswer(answered) {
        metrics.answered(answered)
        log(accessLine(answered))
      },
    },
    watch: metrics.watch,
    traced: (providers) =>
      spans
        ? Object.fromEntries(Object.entries(providers).map(([name, provider]) => [name, spans.traced(provider)]))
        : providers,
    close: () => spans?.close(),
  }
}

/** A store that failed takes nothing more until it is opened again (`core/log.ts`). */
const deadly: ReadonlySet<string> = new Set(['store_failed', 'disk_full', 'store_corrupt'])

function tellsOfDeadStore({ code, cause }: Diagnostic): boolean {
  return deadly.has(code) || (isRunletError(cause) && deadly.has(cause.reason))
}

function accessLine({
  method,
  route,
  status,
  durationMs,
  requestId,
  traceId,
  runId,
}: Parameters<OnAnswer>[0]): LogRecord {
  const ms = Math.round(durationMs * 10) / 10
  return {
    level: 'debug',
    code: 'request',
    message: `${method} ${route} ${status}`,
    request_id: requestId,
    detail: { method, route, status, duration_ms: ms },
    ...(traceId === undefined ? {} : { trace_id: traceId }),
    ...(runId === undefined ? {} : { run_id: runId }),
  }
}
