import { Hono, type Context } from 'hono'
import { matchedRoutes } from 'hono/route'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import { RunletError, toRunletError } from '../../core/error.ts'
import { idSource } from '../../engine/id.ts'
import type { HttpContext, HttpEnv, Route } from './env.ts'
import { exchange } from './requests/exchange.ts'
import { guard, type GuardOptions } from './auth/guard.ts'
import { problem } from './requests/problem.ts'

/** Routes behind the guard. Whatever is thrown becomes problem details; nothing of an unexpected error is told. */
export function createApp(
  routes: readonly Route[],
  http: HttpContext,
  security: Omit<GuardOptions, 'routes' | 'keyring' | 'clock'>,
): Hono<HttpEnv> {
  const app = new Hono<HttpEnv>()
  app.use('*', exchange({ newId: idSource(http.clock), onAnswer: http.onAnswer }))
  app.use('*', guard({ ...security, routes, keyring: http.keyring, clock: http.clock }))
  const spelled = new Map(routes.map((route) => [route.path, route.problem]))
  for (const route of routes) app.on(route.method, route.path, (c) => route.handle(c, http))
  for (const [path, methods] of methodsByPath(routes)) {
    app.all(path, (c) => {
      c.header('Allow', methods.join(', '))
      throw new RunletError('invalid_request', {
        status: 405,
        reason: 'method_not_allowed',
        message: `${c.req.method.slice(0, 20)} is not possible here; ${methods.join(' and ')} ${methods.length > 1 ? 'are' : 'is'}`,
      })
    })
  }
  app.notFound((c) => answer(c, unknownPath(c.req.path)))
  app.onError((thrown, c) => {
    const error = toRunletError(thrown)
    if (error.status >= 500) {
      const run_id = c.get('runId')
      http.onDiagnostic({
        // A provider that is away, or a server that stops, is nothing to mend here.
        level: error.code === 'internal' ? 'error' : 'info',
        code: 'request_failed',
        message: `${c.req.method} ${c.req.path} failed: ${error.reason}`,
        cause: thrown,
        request_id: c.get('requestId'),
        ...(run_id === undefined ? {} : { run_id }),
      })
    }
    return answer(c, error, spelled.get(matchedRoutes(c).at(-1)?.path ?? ''))
  })
  return app
}

function answer(c: Context<HttpEnv>, error: RunletError, spell: Route['problem'] = problem): Response {
  const { status, headers, body } = spell(error, c.get('runId'))
  return c.body(body, status as ContentfulStatusCode, headers)
}

function methodsByPath(routes: readonly Route[]): Map<string, string[]> {
  const methods = new Map<string, string[]>()
  for (const { method, path } of routes) methods.set(path, [...(methods.get(path) ?? []), method])
  return methods
}

function unknownPath(path: string): RunletError {
  return new RunletError('not_found', {
    reason: 'path_unknown',
    message: `there is nothing at ${JSON.stringify(path.slice(0, 100))}; runs are at /v1/runs`,
  })
}
