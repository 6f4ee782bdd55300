import { collectDefaultMetrics, Registry } from 'prom-client'
import type { Appended } from '../engine/runtime.ts'
import { runMetrics } from './run-metrics.ts'
import { serverMetrics, type ServerMetrics } from './server-metrics.ts'

export interface MetricsOptions {
  /** Where the figures are kept. Default: a registry of their own; never prom-client's global one. */
  readonly registry?: Registry
  /** Also CPU, memory, event loop and garbage collection of this process (`process_*`, `nodejs_*`). Default true. */
  readonly process?: boolean
  /** Milliseconds, from any beginning. Default `performance.now`. */
  readonly now?: () => number
}

/** The figures of one process, for Prometheus. docs/operations.md lists them. */
export interface Metrics extends ServerMetrics {
  /** For `createRuntime`. Neither throws nor waits; keeps nothing of a run that has ended. */
  readonly observe: (appended: Appended) => void
  /** All figures, in Prometheus' text format: what `createHttpServer` is given as `metrics`. */
  readonly text: () => Promise<{ readonly contentType: string; readonly body: string }>
}

export function createMetrics(options: MetricsOptions = {}): Metrics {
  const { registry = new Registry(), now = () => performance.now() } = options
  if (options.process ?? true) collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: 20 })
  const observe = runMetrics({ registry, now })
  return {
    ...serverMetrics(registry),
    observe,
    text: async () => ({ contentType: registry.contentType, body: await registry.metrics() }),
  }
}
