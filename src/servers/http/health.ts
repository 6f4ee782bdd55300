import type { ContentfulStatusCode } from 'hono/utils/http-status'
import { healthSchema } from './openapi/answers.ts'
import type { Route } from './env.ts'

/** Whether a server should be asked for more. */
export type Health =
  | { readonly status: 'ok' }
  /** It is about to stop: it answers those who read, and begins nothing. */
  | { readonly status: 'draining' }
  /** Nothing can be stored any more, until it is started again. */
  | { readonly status: 'store_failed' }

/** `GET /healthz`: whether the server takes runs, and nothing else; so it needs no token. */
export const health: Route = {
  method: 'GET',
  path: '/healthz',
  open: true,
  doc: {
    summary: 'Ask whether the server takes runs',
    answers: {
      200: { description: 'It does.', content: { 'application/json': { schema: healthSchema } } },
      503: {
        description: 'It is about to stop, or cannot store.',
        content: { 'application/json': { schema: healthSchema } },
      },
    },
  },
  handle(c, http) {
    const state = http.health()
    const ok = state.status === 'ok'
    const status: ContentfulStatusCode = ok ? 200 : 503
    return c.json(state, status, { 'Cache-Control': 'no-store', ...(ok ? {} : { 'Retry-After': '5' }) })
  },
}
