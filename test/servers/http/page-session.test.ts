import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { createToken } from '../../../src/servers/http/auth/token.ts'
import { browser, codeOf, linkOf, pageFolder, refusal, type Browser } from './browser.ts'
import { ended, lab, type Lab, type LabOptions } from './lab.ts'

const ORIGIN = 'https://app.example.org'
const OWN = 'http://127.0.0.1:7411'
const DAY = 24 * 60 * 60 * 1000
const MINUTE = 60_000

const folder = pageFolder()
afterAll(() => folder.remove())

let l: Lab
const made = (options: LabOptions = {}) => lab({ page: folder.path, origins: [ORIGIN], ...options })
beforeEach(() => {
  l = made()
})

/** A browser that is in. */
async function entered(): Promise<Browser> {
  const b = browser(l)
  expect((await b.open(await linkOf(l))).status).toBe(204)
  return b
}

const session = async (b: Browser) => (await b.ask('/v1/page/session')).json()

describe('a one-time link', () => {
  test('holds its code behind the #, and says until when it can be used', async () => {
    const response = await l.ask('/v1/page/links', { method: 'POST' })
    expect(response.status).toBe(201)
    const { url, expires_at } = (await response.json()) as { url: string; expires_at: number }
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:7411\/#login=[\w-]{43}$/)
    expect(expires_at).toBe(l.clock.now() + 5 * MINUTE)
    expect(response.headers.get('cache-control')).toBe('no-store')
  })

  test('lets in once, by a cookie that scripts, other sites and other ports do not get to use', async () => {
    const link = await linkOf(l)
    const b = browser(l)
    const first = await b.open(link)
    expect([first.status, await first.text(), b.attributes]).toEqual([
      204,
      '',
      `HttpOnly; SameSite=Strict; Path=/; Max-Age=${7 * 24 * 60 * 60}`,
    ])
    expect(b.cookie).toMatch(/^runlet_7411=/)
    expect(await session(b)).toEqual({ through: 'page', expires_at: l.clock.now() + 7 * DAY })
    expect(await refusal(await browser(l).open(link))).toEqual([403, 'link_used'])
    expect(await refusal(await b.open(link))).toEqual([403, 'link_used'])
    expect((await b.ask('/v1/runs')).status).toBe(200)
  })

  test('holds for five minutes', async () => {
    const [early, late] = [await linkOf(l), await linkOf(l)]
    await l.clock.advance(5 * MINUTE - 1)
    expect((await browser(l).open(early)).status).toBe(204)
    await l.clock.advance(1)
    expect(await refusal(await browser(l).open(late))).toEqual([403, 'link_unknown'])
  })

  test('is one of a hundred at most: with one more, the oldest is forgotten', async () => {
    const links: string[] = []
    for (let i = 0; i < 101; i++) links.push(await linkOf(l))
    expect(new Set(links).size).toBe(101)
    expect(await refusal(await browser(l).open(links[0]!))).toEqual([403, 'link_unknown'])
    for (const link of [links[1]!, links[100]!]) expect((await browser(l).open(link)).status).toBe(204)
  })

  test('has a code that nothing else passes for', async () => {
    const code = codeOf(await linkOf(l))
    for (const wrong of [
      '',
      code.slice(1),
      `${code}=`,
      `${code} `,
      code.toUpperCase(),
      'ü',
      '\0',
      '\r\nX: y',
      l.token,
    ]) {
      const answer = await browser(l).ask('/v1/page/login', { method: 'POST', body: { code: wrong } })
      expect([wrong, ...(await refusal(answer)), answer.headers.get('set-cookie')]).toEqual([
        wrong,
        403,
        'link_unknown',
        null,
      ])
    }
    expect((await browser(l).open(`#login=${code}`)).status).toBe(204)
  })

  test('meets a limit of wrong codes, which locks nobody out', async () => {
    const link = await linkOf(l)
    const guess = () => browser(l).ask('/v1/page/login', { method: 'POST', body: { code: createToken() } })
    for (let i = 0; i < 30; i++) expect((await guess()).status).toBe(403)
    const refused = await guess()
    expect(refused.headers.get('retry-after')).toBe('60')
    expect(await refusal(refused)).toEqual([429, 'too_many_logins'])
    expect((await browser(l).open(link)).status).toBe(204)
    await l.clock.advance(MINUTE)
    expect((await guess()).status).toBe(403)
  })

  test('is made by who has the token, and not by the page', async () => {
    const b = await entered()
    expect(await refusal(await b.ask('/v1/page/links', { method: 'POST' }))).toEqual([403, 'token_needed'])
    const nobody = { method: 'POST', headers: { cookie: undefined } }
    expect(await refusal(await b.ask('/v1/page/links', nobody))).toEqual([401, 'token_missing'])
  })

  test('is not made where there is no page', async () => {
    const bare = lab()
    expect(await refusal(await bare.ask('/v1/page/links', { method: 'POST' }))).toEqual([404, 'page_missing'])
  })
})

describe('logging in', () => {
  const wrong: [name: string, headers: Record<string, string | undefined>][] = [
    ['a foreign page', { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' }],
    ['a listed page', { origin: ORIGIN, 'sec-fetch-site': 'cross-site' }],
    ['a page of another port', { origin: 'http://127.0.0.1:3000', 'sec-fetch-site': 'same-site' }],
    ['who names no origin', { origin: undefined }],
    ['who has none', { origin: 'null' }],
  ]
  for (const [name, headers] of wrong) {
    test(`is not for ${name}, and the link stays as good as it was`, async () => {
      const link = await linkOf(l)
      const b = browser(l)
      const answer = await b.ask('/v1/page/login', { method: 'POST', body: { code: codeOf(link) }, headers })
      expect(await refusal(answer)).toEqual([403, 'origin_refused'])
      expect(b.cookie).toBeUndefined()
      expect((await b.open(link)).status).toBe(204)
    })
  }

  const bodies: [name: string, body: unknown, refused: [number, string]][] = [
    ['no code', {}, [400, 'body_invalid']],
    ['a code that is no text', { code: 7 }, [400, 'body_invalid']],
    ['an array', [], [400, 'bad_json']],
    ['more than is read of strangers', { code: 'x'.repeat(1_024) }, [413, 'body_too_large']],
  ]
  for (const [name, body, refused] of bodies) {
    test(`with ${name} is refused`, async () => {
      expect(await refusal(await browser(l).ask('/v1/page/login', { method: 'POST', body }))).toEqual(refused)
    })
  }
})

describe('the cookie of the page', () => {
  test('counts where the browser says that the page itself asks', async () => {
    const b = await entered()
    const started = await b.ask('/v1/runs', { method: 'POST', body: { prompt: 'Hi' } })
    expect(started.status).toBe(202)
    const { run_id } = (await started.json()) as { run_id: string }
    await ended(l, run_id)
    const own: Record<string, string | undefined>[] = [
      {},
      { origin: OWN },
      { origin: OWN, 'sec-fetch-site': undefined },
    ]
    for (const headers of own) expect((await b.ask(`/v1/runs/${run_id}/events`, { headers })).status).toBe(200)
    const cancelled = await b.ask(`/v1/runs/${run_id}/cancel`, {
      method: 'POST',
      headers: { 'sec-fetch-site': undefined },
    })
    expect(cancelled.status).toBe(200)
  })

  const others: [name: string, headers: Record<string, string | undefined>, refused: [number, string]][] = [
    ['who says nothing of itself', { 'sec-fetch-site': undefined, origin: undefined }, [401, 'session_foreign']],
    ['who typed the address', { 'sec-fetch-site': 'none', origin: undefined }, [401, 'session_foreign']],
    ['a listed page', { 'sec-fetch-site': 'cross-site', origin: ORIGIN }, [401, 'session_foreign']],
    ['a listed page that lies', { 'sec-fetch-site': 'same-origin', origin: ORIGIN }, [401, 'session_foreign']],
    ['our name in a foreign frame', { 'sec-fetch-site': 'cross-site', origin: OWN }, [401, 'session_foreign']],
    ['an image on another port', { 'sec-fetch-site': 'same-site', origin: undefined }, [403, 'origin_refused']],
    [
      'a page on another port',
      { 'sec-fetch-site': 'same-site', origin: 'http://127.0.0.1:3000' },
      [403, 'origin_refused'],
    ],
    ['a sandboxed frame', { 'sec-fetch-site': 'cross-site', origin: 'null' }, [403, 'origin_refused']],
  ]
  for (const [name, headers, refused] of others) {
    test(`does not count for ${name}, to read or to change`, async () => {
      const b = await entered()
      expect(await refusal(await b.ask('/v1/runs', { headers }))).toEqual(refused)
      const start = { method: 'POST', body: { prompt: 'Hi' }, headers }
      expect(await refusal(await b.ask('/v1/runs', start))).toEqual(refused)
      expect(l.provider.requests).toEqual([])
    })
  }

  test('does not count without an origin where something is changed', async () => {
    const b = await entered()
    const headers = { origin: undefined }
    expect(await refusal(await b.ask('/v1/runs', { method: 'POST', body: { prompt: 'Hi' }, headers }))).toEqual([
      401,
      'session_foreign',
    ])
  })

  test('is not looked at beside a token, right or wrong', async () => {
    const b = await entered()
    const headers = { authorization: `Bearer ${createToken()}` }
    expect(await refusal(await b.ask('/v1/runs', { headers }))).toEqual([401, 'token_wrong'])
    const owner = await b.ask('/v1/page/session', { headers: { authorization: `Bearer ${l.token}` } })
    expect(await owner.json()).toEqual({ through: 'token' })
  })

  test('counts only as it was made', async () => {
    const b = await entered()
    const [name, value = ''] = b.cookie!.split('=', 2)
    const [payload = '', mark = ''] = value.split('.')
    const longer = Buffer.from(`x ${Date.now() + 365 * DAY}`).toString('base64url')
    const bad = [
      '',
      payload,
      `${payload}.`,
      `.${mark}`,
      `${longer}.${mark}`,
      `${payload}.${mark.slice(0, -1)}`,
      // The same bytes, spelled otherwise: of 43 characters the last has two bits to spare.
      `${payload}.${mark.slice(0, -1)}${String.fromCharCode(mark.charCodeAt(42) + 1)}`,
      `${value}.x`,
      'x'.repeat(4_000),
    ]
    for (const other of bad) {
      const headers = { cookie: `${name}=${other}` }
      expect([other, ...(await refusal(await b.ask('/v1/runs', { headers })))]).toEqual([other, 401, 'session_ended'])
    }
    // Whoever can set cookies for a parent domain can put one beside ours.
    for (const cookie of [
      `${b.cookie}; ${name}=x`,
      `${name}=x; ${b.cookie}`,
      `runlet=${value}`,
      `runlet_7412=${value}`,
    ]) {
      expect(await refusal(await b.ask('/v1/runs', { headers: { cookie } }))).toEqual([401, 'token_missing'])
    }
    expect((await b.ask('/v1/runs', { headers: { cookie: `a=b; ${b.cookie};c="d"` } })).status).toBe(200)
  })

  test('lasts seven days from when it was last renewed, which a day of use does', async () => {
    const b = await entered()
    const first = b.cookie!
    await l.clock.advance(DAY)
    expect((await b.ask('/v1/runs')).headers.get('set-cookie')).toBeNull()
    await l.clock.advance(1)
    expect((await b.ask('/v1/runs')).status).toBe(200)
    expect(b.cookie).not.toBe(first)
    expect(await session(b)).toMatchObject({ expires_at: l.clock.now() + 7 * DAY })
    await l.clock.advance(6 * DAY - 1)
    const old = { headers: { cookie: first } }
    expect(await refusal(await b.ask('/v1/runs', old))).toEqual([401, 'session_ended'])
    expect((await b.ask('/v1/page/session')).status).toBe(200)
    await l.clock.advance(7 * DAY)
    expect(await refusal(await b.ask('/v1/page/session'))).toEqual([401, 'session_ended'])
  })

  test('outlives the server, and not its token', async () => {
    const b = await entered()
    const { clock, token } = l
    const again = browser(made({ clock, token }))
    again.cookie = b.cookie
    expect((await again.ask('/v1/runs')).status).toBe(200)
    const other = browser(made({ clock }))
    other.cookie = b.cookie
    expect(await refusal(await other.ask('/v1/runs'))).toEqual([401, 'session_ended'])
  })

  test('is taken away when the session is ended, and no copy of it counts any more', async () => {
    const b = await entered()
    await l.clock.advance(DAY + 1)
    const copy = b.cookie!
    await b.ask('/v1/page/session')
    const renewed = b.cookie!
    expect(renewed).not.toBe(copy)
    expect((await b.ask('/v1/page/logout', { method: 'POST' })).status).toBe(204)
    expect([b.cookie, b.attributes]).toEqual([undefined, 'HttpOnly; SameSite=Strict; Path=/; Max-Age=0'])
    for (const cookie of [copy, renewed]) {
      expect(await refusal(await b.ask('/v1/runs', { headers: { cookie } }))).toEqual([401, 'session_ended'])
    }
    expect((await (await entered()).ask('/v1/runs')).status).toBe(200)
  })
})

describe('over TLS', () => {
  const HTTPS = 'https://runlet.example.org'
  const link = async (headers: Record<string, string>) => {
    const response = await l.ask('/v1/page/links', { method: 'POST', headers })
    return ((await response.json()) as { url: string }).url.split('#')[0]
  }
  const login = async (base: string, headers: Record<string, string | undefined> = {}) => {
    const b = browser(l, base)
    const body = { code: codeOf(await linkOf(l)) }
    expect((await b.ask('/v1/page/login', { method: 'POST', body, headers })).status).toBe(204)
    return [b.cookie?.split('=')[0], b.attributes.includes('Secure')]
  }

  test('the cookie is for TLS alone', async () => {
    l = made({ hosts: ['runlet.example.org'] })
    expect(await login(HTTPS)).toEqual(['runlet', true])
    // A proxy ended it, and says nothing of it: the browser does.
    const proxied = { host: 'runlet.example.org', origin: HTTPS }
    expect(await login(OWN, proxied)).toEqual(['runlet', true])
    expect(await login(OWN)).toEqual(['runlet_7411', false])
  })

  test('what a proxy says is believed only where there is said to be one', async () => {
    const forwarded = { 'x-forwarded-proto': 'https', 'x-forwarded-host': 'runlet.example.org' }
    l = made({ hosts: ['runlet.example.org'] })
    expect(await link(forwarded)).toBe(`${OWN}/`)
    expect(await login(OWN, forwarded)).toEqual(['runlet_7411', false])
    l = made({ hosts: ['runlet.example.org'], behindProxy: true })
    expect(await link(forwarded)).toBe(`${HTTPS}/`)
    expect(await link({ ...forwarded, 'x-forwarded-host': 'evil.example' })).toBe('https://127.0.0.1:7411/')
    expect(await login(OWN, { ...forwarded, host: 'runlet.example.org', origin: HTTPS })).toEqual(['runlet', true])
  })

  test('what is forwarded opens nothing', async () => {
    l = made({ behindProxy: true })
    const b = await entered()
    const claims: Record<string, string>[] = [
      { 'x-forwarded-host': '127.0.0.1:7411', host: 'evil.example' },
      { 'x-forwarded-for': '127.0.0.1', cookie: '' },
      { forwarded: 'for=127.0.0.1;host=127.0.0.1:7411', cookie: '' },
    ]
    const answers = await Promise.all(claims.map(async (headers) => (await b.ask('/v1/runs', { headers })).status))
    expect(answers).toEqual([421, 401, 401])
  })

  test('a page of the same name without TLS is a foreign one', async () => {
    l = made({ hosts: ['runlet.example.org'], behindProxy: true })
    const headers = { host: 'runlet.example.org', 'x-forwarded-proto': 'https', origin: 'http://runlet.example.org' }
    expect(await refusal(await browser(l).ask('/v1/runs', { headers }))).toEqual([403, 'origin_refused'])
  })
})

describe('another token for the server', () => {
  test('ends the page, its links and the old token at once', async () => {
    const b = await entered()
    const link = await linkOf(l)
    const token = createToken()
    l.server.replaceToken(token)
    expect(await refusal(await b.ask('/v1/runs'))).toEqual([401, 'session_ended'])
    expect(await refusal(await b.open(link))).toEqual([403, 'link_unknown'])
    expect(await refusal(await l.ask('/v1/runs'))).toEqual([401, 'token_wrong'])
    expect((await l.ask('/v1/runs', { headers: { authorization: `Bearer ${token}` } })).status).toBe(200)
  })

  test('that is none is refused, and the old one holds', async () => {
    expect(() => l.server.replaceToken('secret')).toThrow(expect.objectContaining({ reason: 'token_weak' }))
    expect((await l.ask('/v1/runs')).status).toBe(200)
  })

  test('that is the same one ends nothing', async () => {
    const b = await entered()
    const link = await linkOf(l)
    l.server.replaceToken(l.token)
    expect((await browser(l).open(link)).status).toBe(204)
    expect((await b.ask('/v1/runs')).status).toBe(200)
  })
})
