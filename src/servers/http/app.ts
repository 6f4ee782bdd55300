import { Hono, type Context } from 'hono'
import { matchedRoutes } from 'hono/route'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import { RunletError, isRunletError, toRunletError } from '../../core/error.ts'
import { quoted } from '../../core/quote.ts'
import { idSource } from '../../engine/id.ts'
import type { HttpContext, HttpEnv, Route } from './env.ts'
import { clientClosed } from './requests/body.ts'
import { exchange } from './requests/exchange.ts'
import { guard, type GuardOptions } from './auth/guard.ts'
import { openaiPathMissing } from './openai/elsewhere.ts'
import { openaiProblem } from './openai/problem.ts'
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
  app.notFound((c) => {
    const openai = openaiPathMissing(c.req.path)
    return openai ? answer(c, openai, openaiProblem) : answer(c, unknownPath(c.req.path))
  })
  app.onError((thrown, c) => {
    const error = hasLeft(c.req.raw, thrown) ? clientClosed(thrown) : toRunletError(thrown)
    const response = answer(c, error, spelled.get(matchedRoutes(c).at(-1)?.path ?? ''))
    if (response.status >= 500) {
      const run_id = c.get('runId')
      http.onDiagnostic({
        // A provider that is away, or a server that stops, is nothing to mend here, and needs no stack.
        ...(error.code === 'internal' ? { level: 'error', cause: thrown } : { level: 'info', ...causeText(thrown) }),
        code: 'request_failed',
        message: `${c.req.method.slice(0, 20)} ${c.req.path.slice(0, 100)} failed: ${error.reason}`,
        request_id: c.get('requestId'),
        ...(run_id === undefined ? {} : { run_id }),
      })
    }
    return response
  })
  return app
}

function answer(c: Context<HttpEnv>, error: RunletError, spell: Route['problem'] = problem): Response {
  const { status, headers, body } = spell(error, c.get('runId'))
  return c.body(body, status as ContentfulStatusCode, headers)
}

/** Whether something was given up because nobody waits for it any more. */
function hasLeft({ signal }: Request, thrown: unknown): boolean {
  if (isRunletError(thrown) || !signal.aborted) return false
  return thrown === signal.reason || (thrown instanceof Error && thrown.name === 'AbortError')
}

/** Of an error that is not ours, the answer says nothing: what it was is to be found in the log. */
function causeText(thrown: unknown): { readonly cause?: string } {
  return isRunletError(thrown) ? {} : { cause: String(thrown) }
}

function methodsByPath(routes: readonly Route[]): Map<string, string[]> {
  const methods = new Map<string, string[]>()
  for (const { method, path } of routes) methods.set(path, [...(methods.get(path) ?? []), method])
  return methods
}

function unknownPath(path: string): RunletError {
  return new RunletError('not_found', {
    reason: 'path_unknown',
    message: `there is nothing at ${quoted(path)}; runs are at /v1/runs`,
  })
}
