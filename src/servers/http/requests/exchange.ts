import type { Context, MiddlewareHandler } from 'hono'
import { matchedRoutes } from 'hono/route'
import type { RunId } from '../../../core/event.ts'
import { isCallerId, parseTraceparent } from '../runs/caller-ids.ts'
import type { HttpEnv } from '../env.ts'

/** A request that was answered, or whose answer begins: a stream may go on for long. Without anything that is secret. */
export interface Answered {
  readonly method: string
  /** The pattern of the path, for example `/v1/runs/:id`; `other` where there is nothing. Ids and queries stay out. */
  readonly route: string
  readonly status: number
  /** From the request's headers to the answer's. Milliseconds. */
  readonly durationMs: number
  readonly requestId: string
  readonly traceId?: string
  /** The run that it was about, where that is known. */
  readonly runId?: RunId
}

export interface ExchangeOptions {
  readonly newId: () => string
  /** Must neither throw nor wait. */
  readonly onAnswer?: ((answered: Answered) => void) | undefined
}

/** Stands before everything: gives each exchange its id, which the answer carries whatever it is, and tells of it. */
export function exchange({ newId, onAnswer }: ExchangeOptions): MiddlewareHandler<HttpEnv> {
  return async (c, next) => {
    const begun = performance.now()
    const given = c.req.header('x-request-id')
    const requestId = given !== undefined && isCallerId(given) ? given : newId()
    const trace = parseTraceparent(c.req.header('traceparent'))
    c.set('requestId', requestId)
    if (trace) c.set('trace', trace)
    c.header('X-Request-Id', requestId)
    await next()
    const runId = c.get('runId')
    onAnswer?.({
      method: methods.has(c.req.method) ? c.req.method : 'other',
      route: routeOf(c),
      status: c.res.status,
      durationMs: performance.now() - begun,
      requestId,
      ...(trace ? { traceId: trace.traceId } : {}),
      ...(runId === undefined ? {} : { runId }),
    })
  }
}

/** Anybody can invent more. */
const methods: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])

/** The last that matched is the route itself; before it come those that stand before every route. */
function routeOf(c: Context<HttpEnv>): string {
  const path = matchedRoutes(c).at(-1)?.path
  return path === undefined || path.endsWith('*') ? 'other' : path
}
