import type { MiddlewareHandler } from 'hono'
import { RunletError } from '../../core/error.ts'
import type { HttpEnv } from './env.ts'
import type { Hosts } from './hosts.ts'
import { tokenCheck } from './token.ts'

export interface GuardOptions {
  readonly token: string
  readonly hosts: Hosts
  /** Origins of pages that may call, besides the server's own. Exactly as browsers send them. */
  readonly origins: readonly string[]
  /** Paths that answer without a token. They still have to be called by a name of ours, and by no foreign page. */
  readonly open: ReadonlySet<string>
}

/**
 * Stands before every route, and before there being none. A token is always needed, on loopback too: other users and
 * any web page in the browser can reach a local port. The name called (`Host`) defeats DNS rebinding; the page that
 * calls (`Origin`, `Sec-Fetch-Site`) is refused even with the token.
 */
export function guard({ token, hosts, origins, open }: GuardOptions): MiddlewareHandler<HttpEnv> {
  const isToken = tokenCheck(token)
  const listed = new Set(origins.map(checkedOrigin))

  return async (c, next) => {
    const url = new URL(c.req.url)
    const host = c.req.header('host') ?? url.host
    // Two `Host` headers come joined by a comma, and are no name. A target that is not a path names a host of its own.
    if (!hosts.admits(host) || c.env?.incoming?.url?.startsWith('/') === false) throw hostRefused(host)

    const origin = c.req.header('origin')
    const own = origin === `http://${host}` || origin === `https://${host}`
    c.header('Vary', 'Origin')
    c.header('X-Content-Type-Options', 'nosniff')
    if (origin === undefined) {
      // Browsers leave `Origin` away on images, frames and links. What is no browser does not send this header.
      const site = c.req.header('sec-fetch-site') ?? 'none'
      if (site !== 'none' && site !== 'same-origin')
        throw originRefused(`a page of another site (${site.slice(0, 20)})`)
    } else if (!own && !listed.has(origin)) {
      throw originRefused(`the page at ${JSON.stringify(origin.slice(0, 100))}`)
    } else {
      c.header('Access-Control-Allow-Origin', origin)
      c.header('Access-Control-Expose-Headers', EXPOSED)
      if (c.req.method === 'OPTIONS' && c.req.header('access-control-request-method') !== undefined) {
        c.header('Access-Control-Allow-Methods', 'GET, POST')
        c.header('Access-Control-Allow-Headers', ALLOWED)
        c.header('Access-Control-Max-Age', '600')
        return c.body(null, 204)
      }
    }
    c.set('access', { type: 'anyone' })
    if (!open.has(url.pathname)) {
      checkToken(c.req.header('authorization'), isToken)
      c.set('access', { type: 'owner', through: 'token' })
    }
    return next()
  }
}

const ALLOWED =
  'Authorization, Content-Type, Idempotency-Key, X-Idempotency-Key, Last-Event-ID, Prefer, X-Request-Id, X-Trace-Id'
const EXPOSED = 'Location, X-Run-Id, Idempotency-Replayed, Preference-Applied, Retry-After'

function checkToken(authorization: string | undefined, isToken: (given: string) => boolean): void {
  const given = /^Bearer +(\S+)$/i.exec(authorization ?? '')?.[1]
  if (given !== undefined && isToken(given)) return
  const reason = given === undefined ? 'token_missing' : 'token_wrong'
  const what = given === undefined ? 'there is no token' : 'the token is not the one of this server'
  throw new RunletError('unauthorized', {
    reason,
    message: `${what}; send "Authorization: Bearer TOKEN" with what the server's token file holds`,
  })
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
    message: `this server is not called ${JSON.stringify(host.slice(0, 100))}; use its address, or add the name to its hosts`,
  })
}

function originRefused(who: string): RunletError {
  return new RunletError('forbidden', {
    reason: 'origin_refused',
    message: `${who} may not call this server; add its origin to the server's list of origins if it should`,
  })
}
