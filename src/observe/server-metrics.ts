import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import type { Diagnostic } from '../engine/runtime.ts'
import { boundedLabel } from './bounded.ts'
import { boundaries } from './names.ts'

/** What a server tells of its streams when it is asked; an `HttpServer` is one. */
export interface ObservedServer {
  readonly readers: number
  readonly pendingBytes: number
  /** Only ever counted up. */
  readonly readerCounts: Readonly<Record<ReaderFate, number>> & { readonly opened: number; readonly lags: number }
}

type ReaderFate = (typeof fates)[number]

const fates = ['ended', 'disconnected', 'overflowed', 'lagged', 'closed', 'failed'] as const

/** An answer of a server; `onAnswer` of `createHttpServer` gives them. */
export interface ObservedAnswer {
  readonly method: string
  readonly route: string
  readonly status: number
  readonly durationMs: number
}

/** Codes of diagnostics that get labels of their own. */
const MOST_CODES = 100

export interface ServerMetrics {
  /** Reads a server's figures whenever there is a scrape. Of several, the sum. */
  readonly watch: (server: ObservedServer) => void
  readonly answered: (answer: ObservedAnswer) => void
  readonly diagnosed: (diagnostic: Diagnostic) => void
}

/** Figures of servers and their readers. Readers cost nothing here: they are counted where they are. */
export function serverMetrics(registry: Registry): ServerMetrics {
  const servers: ObservedServer[] = []
  const codeLabel = boundedLabel(MOST_CODES)
  const sum = (of: (server: ObservedServer) => number) => servers.reduce((total, server) => total + of(server), 0)
  const registers = [registry]

  gauge(registry, 'runlet_readers', 'Streams that are open.', () => sum(({ readers }) => readers))
  gauge(registry, 'runlet_readers_pending_bytes', 'Bytes handed to connections and not yet taken by them.', () =>
    sum(({ pendingBytes }) => pendingBytes),
  )
  counted(registry, 'runlet_readers_opened_total', 'Streams begun.', () => sum((s) => s.readerCounts.opened))
  counted(registry, 'runlet_reader_lags_total', 'Times that a live reader fell behind and had to catch up.', () =>
    sum((s) => s.readerCounts.lags),
  )
  registry.registerMetric(
    new Counter({
      name: 'runlet_readers_closed_total',
      help: 'Streams that are over, by what ended them.',
      labelNames: ['reason'],
      registers: [],
      collect() {
        this.reset()
        for (const reason of fates)
          this.inc(
            { reason },
            sum((server) => server.readerCounts[reason]),
          )
      },
    }),
  )
  const requests = new Histogram({
    name: 'runlet_http_request_duration_seconds',
    help: 'From a request to the beginning of its answer; a stream goes on after it.',
    labelNames: ['method', 'route', 'status'],
    buckets: [...boundaries.request],
    registers,
  })
  const diagnostics = new Counter({
    name: 'runlet_diagnostics_total',
    help: 'What was told to the log, by level and code.',
    labelNames: ['level', 'code'],
    registers,
  })

  return {
    watch: (server) => void servers.push(server),
    answered: ({ method, route, status, durationMs }) => requests.observe({ method, route, status }, durationMs / 1000),
    diagnosed: ({ level, code }) => diagnostics.inc({ level, code: codeLabel(code) }),
  }
}

function gauge(registry: Registry, name: string, help: string, value: () => number): void {
  registry.registerMetric(
    new Gauge({
      name,
      help,
      registers: [],
      collect() {
        this.set(value())
      },
    }),
  )
}

/** A counter that is kept elsewhere. */
function counted(registry: Registry, name: string, help: string, value: () => number): void {
  registry.registerMetric(
    new Counter({
      name,
      help,
      registers: [],
      collect() {
        this.reset()
        this.inc(value())
      },
    }),
  )
}
