import type { Context } from 'hono'
import { RunletError } from '../../../core/error.ts'
import type { Access, HttpEnv, Route } from '../env.ts'
import type { Keyring } from './keyring.ts'
import { cookieOf, type PageSession } from './page-session.ts'

/** Why what a caller showed does not hold at a time, in Unix milliseconds; undefined while it does. */
export type Lapse = (now: number) => string | undefined

/** Who calls, by what it showed. */
export interface Caller {
  readonly access: Access
  /** Of the page. */
  readonly session?: PageSession
  /** Streams that it opens end when it says so. */
  readonly lapse: Lapse
}

/** What the guard found out about the request itself. */
export interface Circumstances {
  readonly route: Route | undefined
  readonly now: number
  /** Whether the browser says that a page of this very server asks. */
  readonly ownPage: boolean
}

/**
 * Reads what the caller shows: the token, or a token for one run, as `Authorization: Bearer`; a token for one run as
 * `access_token` of a route that takes it there; the cookie of the page. Throws `unauthorized` where there is none, or
 * it does not hold.
 */
export function callerOf(c: Context<HttpEnv>, keyring: Keyring, { route, now, ownPage }: Circumstances): Caller {
  const authorization = c.req.header('authorization')
  if (authorization !== undefined) {
    const given = /^Bearer +(\S+)$/i.exec(authorization)?.[1]
    if (given === undefined) throw missing()
    return keyring.keys.isToken(given) ? owner(keyring) : runReader(keyring, given, now)
  }
  const inUrl = route?.tokenInUrl ? c.req.query('access_token') : undefined
  // The server's own token opens everything, and so must not stand where proxies write it down.
  if (inUrl !== undefined) return runReader(keyring, inUrl, now)
  const cookie = cookieOf(c.req.header('cookie'), c.get('called').host)
  if (cookie === undefined) throw missing()
  if (!ownPage) throw notOfThePage()
  return page(keyring, cookie)
}

function owner(keyring: Keyring): Caller {
  return { access: { type: 'owner', through: 'token' }, lapse: whileKept(keyring, () => undefined) }
}

function runReader(keyring: Keyring, given: string, now: number): Caller {
  const grant = keyring.keys.runTokens.read(given)
  if (!grant) throw unauthorized('token_wrong', 'the token is not the one of this server; "runlet token" prints that')
  const { run, expiresAt } = grant
  const over = (at: number) => (at >= expiresAt ? 'token_expired' : undefined)
  if (over(now)) throw unauthorized('token_expired', 'the time of this token is over; ask for another')
  return { access: { type: 'reader', run }, lapse: whileKept(keyring, over) }
}

function page(keyring: Keyring, cookie: string): Caller {
  const { sessions } = keyring.keys
  const session = sessions.read(cookie)
  if (!session)
    throw unauthorized('session_ended', 'the session of this page has ended; "runlet page" prints a link to it')
  const over = (at: number) => (at >= session.expiresAt || sessions.hasEnded(session) ? 'session_ended' : undefined)
  return { access: { type: 'owner', through: 'page' }, session, lapse: whileKept(keyring, over) }
}

/** With another token for the server, nothing holds that the old one made. */
function whileKept(keyring: Keyring, lapse: Lapse): Lapse {
  const { keys } = keyring
  return (now) => (keyring.keys === keys ? lapse(now) : 'token_changed')
}

const missing = () =>
  unauthorized('token_missing', 'there is no token; send "Authorization: Bearer TOKEN" with what "runlet token" prints')

const notOfThePage = () =>
  unauthorized(
    'session_foreign',
    'the cookie of the page counts only where the browser says that the page itself asks, on https and on loopback addresses',
  )

function unauthorized(reason: string, message: string): RunletError {
  return new RunletError('unauthorized', { reason, message })
}
