import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { routes } from '../../../src/servers/http/routes.ts'
import { createToken } from '../../../src/servers/http/auth/token.ts'
import { browser, linkOf, pageFolder, refusal } from './browser.ts'
import { connect, settled, type Connected } from './connected.ts'
import { lab, runEnds, stepBegins, texts, type Lab } from './lab.ts'
import { rawRequest } from './raw-reader.ts'

const HOUR = 60 * 60 * 1000
const folder = pageFolder()
afterAll(() => folder.remove())

let l: Lab
beforeEach(async () => {
  l = lab({ page: folder.path })
  await l.begin([...stepBegins, ...texts(2), ...runEnds], 'run_one')
  await l.begin([...stepBegins, ...runEnds], 'run_two')
})

interface Made {
  readonly token: string
  readonly run_id: string
  readonly expires_at: number
}

async function tokenFor(run: string, body?: object, by: Pick<Lab, 'ask' | 'post'> = l): Promise<Made> {
  const path = `/v1/runs/${run}/tokens`
  const response = await (body ? by.post(path, body) : by.ask(path, { method: 'POST' }))
  expect(response.status).toBe(201)
  return (await response.json()) as Made
}

/** The same server by its real port. */
const owner = (c: Connected): Pick<Lab, 'ask' | 'post'> => ({
  ask: (path, init = {}) => c.ask(path, { ...init, headers: { host: `127.0.0.1:${c.port}` } }),
  post: (path, body, headers) => c.post(path, body, { ...headers, host: `127.0.0.1:${c.port}` }),
})

const asked = (path: string, token: string, init: RequestInit = {}) =>
  l.ask(path, { ...init, headers: { ...(init.headers as object), authorization: `Bearer ${token}` } })

const inUrl = (path: string, token: string) =>
  l.server.fetch(new Request(`http://127.0.0.1:7411${path}?access_token=${encodeURIComponent(token)}`))

describe('a token for one run', () => {
  test('holds an hour, or as long as was asked for, a day at most', async () => {
    const made = await tokenFor('run_one')
    expect(made).toEqual({
      token: expect.stringMatching(/^[\w-]+\.[\w-]{43}$/),
      run_id: 'run_one',
      expires_at: l.clock.now() + HOUR,
    })
    expect((await tokenFor('run_one', { expires_in_ms: 1 })).expires_at).toBe(l.clock.now() + 1)
    expect((await tokenFor('run_one', { expires_in_ms: 24 * HOUR })).expires_at).toBe(l.clock.now() + 24 * HOUR)
    for (const expires_in_ms of [0, -1, 1.5, 24 * HOUR + 1, '1', null]) {
      const answer = await l.post('/v1/runs/run_one/tokens', { expires_in_ms })
      expect([expires_in_ms, ...(await refusal(answer))]).toEqual([expires_in_ms, 400, 'body_invalid'])
    }
  })

  test('is made for a run that there is', async () => {
    expect(await refusal(await l.ask('/v1/runs/run_none/tokens', { method: 'POST' }))).toEqual([404, 'run_unknown'])
  })

  test('reads that run as its owner does', async () => {
    const { token } = await tokenFor('run_one')
    for (const path of ['/v1/runs/run_one', '/v1/runs/run_one/events', '/v1/runs/run_one/events?after=1-3&compact=0']) {
      const [owners, readers] = await Promise.all([(await l.ask(path)).text(), (await asked(path, token)).text()])
      expect(readers).toBe(owners)
    }
    expect((await asked('/v1/runs/run_one', token, { method: 'HEAD' })).status).toBe(200)
    expect(await (await inUrl('/v1/runs/run_one/events', token)).text()).toBe(
      await (await l.ask('/v1/runs/run_one/events')).text(),
    )
  })

  test('cannot tell another run from one that is not there', async () => {
    const { token } = await tokenFor('run_one')
    for (const path of ['/v1/runs/RUN', '/v1/runs/RUN/events']) {
      const answers = await Promise.all(
        ['run_two', 'run_non'].map(async (id) => {
          const response = await asked(path.replace('RUN', id), token)
          const { 'x-request-id': _, ...headers } = Object.fromEntries(response.headers)
          return { status: response.status, headers, body: (await response.text()).replaceAll(id, 'RUN') }
        }),
      )
      expect(answers[0]!.status).toBe(404)
      expect(answers[0]).toEqual(answers[1])
    }
    const spelled = ['run%5Fone', 'run_one%00', 'run_one%2F..%2Frun_two', '%E0%A4', 'run_one%20', 'RUN_ONE']
    const statuses = await Promise.all(spelled.map(async (id) => (await asked(`/v1/runs/${id}`, token)).status))
    expect(statuses).toEqual([200, 404, 404, 404, 404, 404])
  })

  test('can do nothing else, on any route', async () => {
    const { token } = await tokenFor('run_one')
    const others = routes.filter(({ readers, open }) => !readers && !open)
    expect(others.length).toBeGreaterThan(10)
    for (const { method, path } of [
      ...others,
      { method: 'DELETE', path: '/v1/runs/:id' },
      { method: 'GET', path: '/nowhere' },
    ]) {
      const answer = await asked(path.replace(/:id(?:\{[^}]*\})?/, 'run_one'), token, { method })
      const body = await answer.text()
      expect([method, path, answer.status]).toEqual([method, path, 403])
      expect(body).toContain('read_only')
    }
    expect(l.provider.requests).toEqual([])
    expect(routes.flatMap(({ readers, method, path }) => (readers ? [`${method} ${path}`] : []))).toEqual([
      'GET /v1/runs/:id',
      'GET /v1/runs/:id/events',
    ])
  })

  test('is refused once its time is over, and with another token for the server', async () => {
    const { token } = await tokenFor('run_one')
    await l.clock.advance(HOUR - 1)
    expect((await asked('/v1/runs/run_one', token)).status).toBe(200)
    await l.clock.advance(1)
    expect(await refusal(await asked('/v1/runs/run_one', token))).toEqual([401, 'token_expired'])
    expect(await refusal(await inUrl('/v1/runs/run_one/events', token))).toEqual([401, 'token_expired'])
    const { token: fresh } = await tokenFor('run_one')
    l.server.replaceToken(createToken())
    expect(await refusal(await asked('/v1/runs/run_one', fresh))).toEqual([401, 'token_wrong'])
  })

  test('counts only as it was made', async () => {
    const { token } = await tokenFor('run_one')
    const [payload = '', mark = ''] = token.split('.')
    const mine = Buffer.from(`${l.clock.now() + 24 * HOUR} run_two`).toString('base64url')
    const session = browser(l)
    await session.open(await linkOf(l))
    const cookie = session.cookie!.split('=')[1]!
    for (const wrong of [
      payload,
      `${payload}.`,
      `.${mark}`,
      `${mine}.${mark}`,
      `${token}x`,
      `${token}.x`,
      mark,
      cookie,
    ]) {
      expect([wrong, ...(await refusal(await asked('/v1/runs/run_one', wrong)))]).toEqual([wrong, 401, 'token_wrong'])
    }
    // Nor does one pass for a session of the page.
    const headers = { cookie: `runlet_7411=${token}` }
    expect(await refusal(await browser(l).ask('/v1/runs/run_one', { headers }))).toEqual([401, 'session_ended'])
  })

  test('stands in a URL only where an EventSource reads, and the token of the server nowhere', async () => {
    const { token } = await tokenFor('run_one')
    expect(await refusal(await inUrl('/v1/runs/run_one', token))).toEqual([401, 'token_missing'])
    expect(await refusal(await inUrl('/v1/runs', token))).toEqual([401, 'token_missing'])
    expect(await refusal(await inUrl('/v1/runs/run_one/events', l.token))).toEqual([401, 'token_wrong'])
    expect(await refusal(await inUrl('/v1/runs/run_two/events', token))).toEqual([404, 'run_unknown'])
    const twice = `/v1/runs/run_one/events?access_token=${token}&access_token=${token}`
    expect(await refusal(await l.server.fetch(new Request(`http://127.0.0.1:7411${twice}`)))).toEqual([
      400,
      'repeated_parameter',
    ])
  })

  test('may be made by the page', async () => {
    const b = browser(l)
    await b.open(await linkOf(l))
    const answer = await b.ask('/v1/runs/run_one/tokens', { method: 'POST' })
    const { token } = (await answer.json()) as Made
    expect((await asked('/v1/runs/run_one', token)).status).toBe(200)
  })
})

describe('an open stream', () => {
  const closing = (reason: string) => `,"reason":"${reason}","cursor":"1-4"}`

  test('ends within a second when the time of its token is over, with its cursor, and others go on', async () => {
    // However seldom it would look at its readers for other reasons.
    const c = await connect({ limits: { heartbeatMs: 120_000, stallMs: 120_000 } })
    await c.begin([...stepBegins, ...texts(1)], 'run_live')
    const { token } = await tokenFor('run_live', { expires_in_ms: 10_000 }, owner(c))
    const reader = rawRequest({ port: c.port, path: `/v1/runs/run_live/events?access_token=${token}` })
    const other = c.read('run_live')
    await Promise.all([reader.until('"seq":4'), other.until('"seq":4')])
    await c.clock.advance(9_999)
    await settled()
    expect(reader.whole()).toBe(false)
    await c.clock.advance(1_001)
    await reader.ended
    const said = reader.body().toString()
    expect(said).toContain(closing('token_expired'))
    expect(reader.whole()).toBe(true)
    expect([c.server.readers, c.server.readerCounts.closed]).toEqual([1, 1])
    expect(other.whole()).toBe(false)
  })

  test('ends at once with another token for the server, whatever opened it', async () => {
    const c = await connect({ page: folder.path })
    await c.begin([...stepBegins, ...texts(1)], 'run_live')
    const base = `http://127.0.0.1:${c.port}`
    const b = browser(c, base)
    await b.open(await linkOf(owner(c)))
    const { token } = await tokenFor('run_live', {}, owner(c))
    const page = { Cookie: b.cookie!, 'Sec-Fetch-Site': 'same-origin', Accept: 'text/event-stream' }
    const path = '/v1/runs/run_live/events'
    const readers = [
      c.read('run_live'),
      rawRequest({ port: c.port, path, headers: page }),
      rawRequest({ port: c.port, path, headers: { Authorization: `Bearer ${token}` } }),
    ]
    await Promise.all(readers.map((reader) => reader.until('"seq":4')))
    const next = createToken()
    c.server.replaceToken(next)
    await Promise.all(readers.map((reader) => reader.ended))
    for (const reader of readers) expect(reader.body().toString()).toContain(closing('token_changed'))
    expect(c.server.readers).toBe(0)
    const again = rawRequest({ port: c.port, path, headers: { Authorization: `Bearer ${next}` } })
    await again.until('"seq":4')
    again.socket.destroy()
  })

  test('of the page ends with its session', async () => {
    const c = await connect({ page: folder.path })
    await c.begin([...stepBegins, ...texts(1)], 'run_live')
    const b = browser(c, `http://127.0.0.1:${c.port}`)
    await b.open(await linkOf(owner(c)))
    const headers = { Cookie: b.cookie!, 'Sec-Fetch-Site': 'same-origin' }
    const reader = rawRequest({ port: c.port, path: '/v1/runs/run_live/events', headers })
    await reader.until('"seq":4')
    expect((await b.ask('/v1/page/logout', { method: 'POST' })).status).toBe(204)
    await c.clock.advance(1_000)
    await reader.ended
    expect(reader.body().toString()).toContain(closing('session_ended'))
  })
})
