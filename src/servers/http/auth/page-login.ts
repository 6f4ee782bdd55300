/** How a browser gets in: a link that works once, which the owner of the token makes, becomes a cookie. */
import { z } from 'zod'
import { RunletError } from '../../../core/error.ts'
import { readJson } from '../requests/body.ts'
import { checked, unknownHeader } from '../requests/checked.ts'
import type { Route } from '../env.ts'
import { sessionCookie } from './page-session.ts'
import { pageMissing } from '../page.ts'
import { readQuery } from '../requests/query.ts'

const expires_at = z.int().describe('Unix time in milliseconds.')

const linkSchema = z.object({ url: z.string().describe('To be opened once, within five minutes.'), expires_at })

/** `POST /v1/page/links`: for whoever has the token itself; a page makes no further pages. */
export const makePageLink: Route = {
  method: 'POST',
  path: '/v1/page/links',
  doc: {
    summary: 'Make a one-time link to the page',
    description: 'With the token only. The code stands behind the `#`, which no browser sends to anybody.',
    answers: { 201: { description: 'The link.', content: { 'application/json': { schema: linkSchema } } } },
    problems: { 404: 'This server has no page.' },
  },
  async handle(c, { keyring, limits, page }) {
    readQuery(c.req.url, [])
    const { unknown } = checked(z.object({}), await readJson(c.req.raw, limits.maxBodyBytes, {}))
    const access = c.get('access')
    if (access.type !== 'owner' || access.through !== 'token') throw tokenNeeded()
    if (!page) throw pageMissing()
    const { host, secure } = c.get('called')
    const { code, expiresAt } = keyring.keys.links.make()
    const url = `${secure ? 'https' : 'http'}://${host}/#login=${code}`
    return c.json({ url, expires_at: expiresAt }, 201, unknownHeader(unknown))
  },
}

/** Before anybody has shown anything, not more than this is read. */
const MAX_LOGIN_BYTES = 1_024

const loginSchema = z.object({ code: z.string().describe('What stands behind `#login=`.') })

/** `POST /v1/page/login`: from the page itself; without a token, as this is how to get in. */
export const logIn: Route = {
  method: 'POST',
  path: '/v1/page/login',
  open: true,
  ownPage: true,
  doc: {
    summary: 'Exchange the code of a one-time link for a session cookie',
    body: { 'application/json': { schema: loginSchema } },
    answers: { 204: { description: 'The cookie is set; it lasts 7 days, and is renewed as it is used.' } },
    problems: { 403: 'The code is used, unknown or too old; or another page asks.', 429: 'Too many wrong codes.' },
  },
  async handle(c, { keyring }) {
    readQuery(c.req.url, [])
    const { value, unknown } = checked(loginSchema, await readJson(c.req.raw, MAX_LOGIN_BYTES))
    const { links, sessions } = keyring.keys
    links.redeem(value.code)
    return c.body(null, 204, {
      'Set-Cookie': sessionCookie(c.get('called'), sessions.write(sessions.begin())),
      'Cache-Control': 'no-store',
      ...unknownHeader(unknown),
    })
  },
}

const sessionSchema = z.object({
  through: z.enum(['token', 'page']),
  expires_at: expires_at
    .optional()
    .describe('When the session ends, unless it is used before. Unix time in milliseconds.'),
})

/** `GET /v1/page/session`: whether, and as what, the caller is let in. */
export const showPageSession: Route = {
  method: 'GET',
  path: '/v1/page/session',
  doc: {
    summary: 'Show by what the caller is let in',
    answers: { 200: { description: 'It is.', content: { 'application/json': { schema: sessionSchema } } } },
  },
  handle(c) {
    readQuery(c.req.url, [])
    const session = c.get('session')
    return c.json(session ? { through: 'page', expires_at: session.expiresAt } : { through: 'token' })
  },
}

/** `POST /v1/page/logout`: ends the session of the cookie, in every copy of it, with the streams it reads. */
export const logOut: Route = {
  method: 'POST',
  path: '/v1/page/logout',
  doc: {
    summary: 'End the session of the page',
    answers: { 204: { description: 'The cookie is taken away, and no copy of it counts any more.' } },
  },
  async handle(c, { keyring, limits }) {
    readQuery(c.req.url, [])
    const { unknown } = checked(z.object({}), await readJson(c.req.raw, limits.maxBodyBytes, {}))
    const session = c.get('session')
    if (session) keyring.keys.sessions.end(session)
    return c.body(null, 204, { 'Set-Cookie': sessionCookie(c.get('called'), ''), ...unknownHeader(unknown) })
  },
}

const tokenNeeded = () =>
  new RunletError('forbidden', {
    reason: 'token_needed',
    message: 'links are made with the token of the server, not from the page; "runlet page" prints one',
  })
