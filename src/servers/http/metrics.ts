import { RunletError } from '../../core/error.ts'
import type { Route } from './env.ts'
import { readQuery } from './requests/query.ts'

/** What a scrape is answered with. */
export interface MetricsText {
  readonly contentType: string
  readonly body: string
}

/** `GET /metrics`: the server's figures, as Prometheus reads them. For the owner: they name models and tools. */
export const showMetrics: Route = {
  method: 'GET',
  path: '/metrics',
  doc: {
    summary: 'Show the server’s figures, as Prometheus reads them',
    answers: { 200: { description: 'The figures.', content: { 'text/plain': {} } } },
    problems: { 404: 'This server keeps none.' },
  },
  async handle(c, { metrics }) {
    readQuery(c.req.url, [])
    if (!metrics) {
      throw new RunletError('not_found', {
        reason: 'metrics_off',
        message: 'this server keeps no metrics; give it some with the option "metrics"',
      })
    }
    const { contentType, body } = await metrics()
    return c.body(body, 200, { 'Content-Type': contentType, 'Cache-Control': 'no-store' })
  },
}
