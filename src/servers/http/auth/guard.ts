import type { Context, MiddlewareHandler } from 'hono'
import { matchedRoutes } from 'hono/route'
import type { Clock } from '../../../core/clock.ts'
import { RunletError } from '../../../core/error.ts'
import { quoted } from '../../../core/quote.ts'
import { runUnknown } from '../../../engine/handle.ts'
import { callerOf } from './caller.ts'
import type { Access, HttpEnv, Route } from '../env.ts'
import type { Hosts } from './hosts.ts'
import type { Keyring } from './keyring.ts'
import { sessionCookie, type Called } from './page-session.ts'
import type { Strangers } from './strangers.ts'

export interface GuardOptions {
  readonly keyring: Keyring
  readonly hosts: Hosts
  /** Origins of pages that may call, besides the server's own. Exactly as browsers send them. */
  readonly origins: readonly string[]
  /** Whether `X-Forwarded-Proto` and `X-Forwarded-Host` are a proxy's own words. */
  readonly behindProxy: boolean
  readonly routes: readonly Route[]
  readonly strangers: Strangers
  readonly clock: Clock
}

/**
 * Stands before every route, and before there being none. Something has always to be shown, on loopback too: other
 * users and any web page in the browser can reach a local port. The name called (`Host`) defeats DNS rebinding; the page
 * that calls (`Origin`, `Sec-Fetch-Site`) is refused even with the token.
 */
export function guard(options: GuardOptions): MiddlewareHandler<HttpEnv> {
  const { keyring, hosts, strangers, clock } = options
  const listed = new Set(options.origins.map(checkedOrigin))
  const table = new Map(options.routes.map((route) => [`${route.method} ${route.path}`, route]))
  const methods = [...new Set(options.routes.map(({ method }) => method))].join(', ')

  return async (c, next) => {
    const host = c.req.header('host') ?? new URL(c.req.url).host
    // Two `Host` headers come joined by a comma, and are no name. A target that is not a path names a host of its own.
    if (!hosts.admits(host) || c.env?.incoming?.url?.startsWith('/') === false) throw hostRefused(host)
    const called = calledAs(c, host, options)
    c.set('called', called)

    const origin = c.req.header('origin')
    const site = c.req.header('sec-fetch-site')
    const own = origin === `https://${host}` || (origin === `http://${host}` && !called.secure)
    c.header('Vary', 'Origin')
    c.header('X-Content-Type-Options', 'nosniff')
    c.header('Cross-Origin-Resource-Policy', 'same-origin')
    if (origin === undefined) {
      // Browsers leave `Origin` away on images, frames and links. What is no browser does not send this header.
      const foreign = site !== undefined && site !== 'none' && site !== 'same-origin'
      if (foreign && !(isLink(c) && routeOf(c, table).route?.linked)) {
        throw originRefused(`a page of another site (${quoted(site)})`)
      }
    } else if (!own && !listed.has(origin)) {
      throw originRefused(`the page at ${quoted(origin)}`)
    } else {
      c.header('Access-Control-Allow-Origin', origin)
      c.header('Access-Control-Expose-Headers', EXPOSED)
      if (c.req.method === 'OPTIONS' && c.req.header('access-control-request-method') !== undefined) {
        c.header('Access-Control-Allow-Methods', methods)
        c.header('Access-Control-Allow-Headers', allowed(c.req.header('access-control-request-headers')))
        c.header('Access-Control-Max-Age', '600')
        return c.body(null, 204)
      }
    }

    const { route, pattern } = routeOf(c, table)
    if (route?.ownPage && !own) throw originRefused('whoever is not the page of this server')
    if (route?.open) {
      c.set('access', { type: 'anyone' })
      return next()
    }
    // Images, frames and scripts of another port of this host come with the cookie, and without an `Origin`.
    const reads = c.req.method === 'GET' || c.req.method === 'HEAD'
    const ownPage = own ? site === undefined || site === 'same-origin' : reads && !origin && site === 'same-origin'
    const { access, session, lapse } = callerOf(c, keyring, { route, ownPage, now: clock.now() })
    strangers.know(c.env?.incoming?.socket)
    permit(access, route, runIn(pattern, c.req.path))
    c.set('access', access)
    c.set('lapse', lapse)
    c.header('Cache-Control', 'no-store')
    if (session) {
      c.set('session', session)
      const { sessions } = keyring.keys
      const renewed = sessions.renewed(session)
      if (renewed) c.header('Set-Cookie', sessionCookie(called, sessions.write(renewed)))
    }
    return next()
  }
}

const ALLOWED =
  'Authorization, Content-Type, Idempotency-Key, X-Idempotency-Key, Last-Event-ID, Prefer, X-Request-Id, X-Trace-Id, X-Runlet-Keep, traceparent, tracestate'
const EXPOSED =
  'Location, X-Run-Id, X-Run-Cursor, X-Request-Id, Idempotency-Replayed, Preference-Applied, Retry-After, X-Unknown-Members'

/** Whoever may call may send what headers it likes: the clients of other services, which call us too, have their own. */
const allowed = (asked = '') => (/^[\w-]{1,40}(?:, ?[\w-]{1,40}){0,30}$/.test(asked) ? asked : ALLOWED)

/** Whether a person follows a link to a whole page: nothing of it reaches the page where the link was. */
const isLink = (c: Context<HttpEnv>) =>
  c.req.method === 'GET' &&
  c.req.header('sec-fetch-mode') === 'navigate' &&
  c.req.header('sec-fetch-dest') === 'document'

/** By what name and how a browser called us. What only a proxy can know is believed only where there is said to be one. */
function calledAs(c: Context<HttpEnv>, host: string, { behindProxy, hosts }: GuardOptions): Called {
  const origin = c.req.header('origin')
  const tls = c.req.url.startsWith('https:') || origin === `https://${host}`
  if (!behindProxy) return { host, secure: tls }
  const forwarded = c.req.header('x-forwarded-host')
  return {
    host: forwarded !== undefined && hosts.admits(forwarded) ? forwarded : host,
    secure: tls || c.req.header('x-forwarded-proto')?.toLowerCase() === 'https',
  }
}

/** The route that answers, which is the first that matches besides the middleware; and the pattern of its path. */
function routeOf(c: Context<HttpEnv>, table: ReadonlyMap<string, Route>) {
  const pattern = matchedRoutes(c).find(({ path }) => path !== '/*')?.path ?? ''
  // A HEAD is answered as a GET without its body.
  const method = c.req.method === 'HEAD' ? 'GET' : c.req.method
  return { pattern, route: table.get(`${method} ${pattern}`) }
}

/** The id in a path, as its route will read it; undefined where it holds none. */
function runIn(pattern: string, path: string): string | undefined {
  const id = path.split('/')[pattern.split('/').indexOf(':id')]
  try {
    return id === undefined ? undefined : decodeURIComponent(id)
  } catch {
    return undefined
  }
}

/** Whoever may read one run sees nothing else, not even whether it is there. */
function permit(access: Access, route: Route | undefined, run: string | undefined): void {
  if (access.type !== 'reader') return
  if (!route?.readers) {
    throw new RunletError('forbidden', {
      reason: 'read_only',
      message: 'this token can only read one run: GET /v1/runs/{id}, and its events',
    })
  }
  if (run !== access.run) throw runUnknown(run ?? '')
}

/** An origin as browsers spell it: no `*`, no `null`, no path, no upper case. */
function checkedOrigin(origin: string): string {
  if (URL.canParse(origin) && new URL(origin).origin === origin) return origin
  throw new RunletError('invalid_request', {
    reason: 'bad_origin',
    message: `${JSON.stringify(origin)} is no origin; write it as browsers send it, for example https://app.example.org`,
  })
}

function hostRefused(host: string): RunletError {
  return new RunletError('forbidden', {
    status: 421,
    reason: 'host_refused',
    message: `this server is not called ${quoted(host)}; use its address, or add the name to its hosts ("runlet serve --name NAME")`,
  })
}

function originRefused(who: string): RunletError {
  return new RunletError('forbidden', {
    reason: 'origin_refused',
    message: `${who} may not call this server; add its origin if it should ("runlet serve --origin ORIGIN")`,
  })
}
