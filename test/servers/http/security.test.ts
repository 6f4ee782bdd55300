import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { hostList } from '../../../src/servers/http/auth/hosts.ts'
import { routes } from '../../../src/servers/http/routes.ts'
import { createHttpServer, type Listening } from '../../../src/servers/http/server.ts'
import { createToken } from '../../../src/servers/http/auth/token.ts'
import { lab, stepBegins, type Lab } from './lab.ts'
import { rawRequest } from './raw-reader.ts'

const ORIGIN = 'https://app.example.org'
let l: Lab
let port: number
let listening: Listening

beforeAll(async () => {
  l = lab({ origins: [ORIGIN], hosts: ['runlet.example.org'] })
  listening = await l.server.listen()
  port = listening.port
  await l.begin(stepBegins, 'run_lab')
})
afterAll(() => listening.close())

/** Everything the server answers, and something it does not. */
const calls = [
  ...routes.map(({ method, path, open = false }) => ({
    method,
    path: path.replace(/:id(?:\{[^}]*\})?/, 'run_lab').replace(/:\w+/, 'one'),
    open,
  })),
  { method: 'GET', path: '/nowhere', open: false },
  { method: 'DELETE', path: '/v1/runs', open: false },
]

/** The status of one call over a real socket. A header given as undefined is left away. */
async function status(
  call: { readonly method: string; readonly path: string },
  headers: Record<string, string | undefined> = {},
): Promise<number> {
  const all = { Authorization: `Bearer ${l.token}`, Connection: 'close', ...headers }
  const given = Object.fromEntries(
    Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== undefined),
  )
  const reader = rawRequest({ port, ...call, headers: given })
  const head = await reader.head
  reader.socket.destroy()
  return Number(head.split(' ')[1])
}

const refused = [400, 401, 403, 421]

describe('a name that is not ours, on every route', () => {
  const hosts: [name: string, host: (port: number) => string][] = [
    ['another host', () => 'evil.example'],
    ['another host with our port', (p) => `evil.example:${p}`],
    ['no port', () => '127.0.0.1'],
    ['another port', (p) => `127.0.0.1:${p + 1}`],
    ['a trailing dot', (p) => `localhost.:${p}`],
    ['a name that begins as ours', (p) => `localhost.evil.example:${p}`],
    ['a name that ends as ours', (p) => `evil-localhost:${p}`],
    ['an address in a name', (p) => `127.0.0.1.nip.io:${p}`],
    ['every address', (p) => `0.0.0.0:${p}`],
    ['every address, IPv6', (p) => `[::]:${p}`],
    ['an address mapped into IPv6', (p) => `[::ffff:127.0.0.1]:${p}`],
    ['IPv6 without brackets', (p) => `::1:${p}`],
    ['a short address', (p) => `127.1:${p}`],
    ['a decimal address', (p) => `2130706433:${p}`],
    ['upper case', (p) => `LOCALHOST:${p}`],
    ['a user', (p) => `127.0.0.1:${p}@evil.example`],
    ['a configured name with a port', (p) => `runlet.example.org:${p}`],
    ['nothing', () => ''],
  ]
  for (const [name, host] of hosts) {
    test(`${name}: refused`, async () => {
      for (const call of calls) expect(refused).toContain(await status(call, { Host: host(port) }))
    })
  }

  const raw: [name: string, head: (call: { method: string; path: string }) => string][] = [
    ['no Host', ({ method, path }) => `${method} ${path} HTTP/1.1\r\n`],
    [
      'two Hosts, ours first',
      ({ method, path }) => `${method} ${path} HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\nHost: evil.example\r\n`,
    ],
    [
      'two Hosts, ours last',
      ({ method, path }) => `${method} ${path} HTTP/1.1\r\nHost: evil.example\r\nHost: 127.0.0.1:PORT\r\n`,
    ],
    [
      'an absolute target',
      ({ method, path }) => `${method} http://evil.example${path} HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\n`,
    ],
    [
      'an absolute target of ours',
      ({ method, path }) => `${method} http://127.0.0.1:PORT${path} HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\n`,
    ],
  ]
  for (const [name, head] of raw) {
    test(`${name}: refused`, async () => {
      for (const call of calls) {
        const text = await exchange(
          `${head(call).replaceAll('PORT', String(port))}Authorization: Bearer ${l.token}\r\nConnection: close\r\n\r\n`,
        )
        expect(refused).toContain(Number(text.split(' ')[1]))
      }
    })
  }

  test('our own names are answered to', async () => {
    for (const host of [`127.0.0.1:${port}`, `localhost:${port}`, `[::1]:${port}`, 'runlet.example.org']) {
      expect(await status({ method: 'GET', path: '/v1/runs' }, { Host: host })).toBe(200)
    }
  })
})

describe('a page that may not call, on every route', () => {
  const origins = [
    'null',
    'http://evil.example',
    'https://app.example.org.evil.example',
    'https://evil-app.example.org',
    'https://app.example.org:8443',
    'http://app.example.org',
    'https://APP.example.org',
    'https://app.example.org/',
    'https://app.example.org https://evil.example',
    'https://sub.app.example.org',
    'http://localhost',
    'http://localhost:3000',
    'http://localhost.evil.example',
    'http://127.0.0.1',
    'http://127.0.0.1:1',
    'file://',
    'chrome-extension://abcdef',
    '*',
    '',
  ]
  for (const origin of origins) {
    test(`${JSON.stringify(origin)}: refused, even with the token, and not told what it may do`, async () => {
      for (const call of calls) {
        expect([call.path, await status(call, { Origin: origin })]).toEqual([call.path, 403])
      }
      const reader = rawRequest({
        port,
        path: '/v1/runs',
        headers: { Origin: origin, Authorization: `Bearer ${l.token}` },
      })
      expect(await reader.head).not.toMatch(/access-control/i)
      reader.socket.destroy()
    })
  }

  for (const site of ['cross-site', 'same-site']) {
    test(`no Origin, but ${site} (an image, a frame, a link): refused`, async () => {
      for (const call of calls) expect(await status(call, { 'Sec-Fetch-Site': site })).toBe(403)
    })
  }

  test('a link on another site leads to the page alone, as a whole page and by a GET', async () => {
    const followed = { 'Sec-Fetch-Site': 'cross-site', 'Sec-Fetch-Mode': 'navigate', 'Sec-Fetch-Dest': 'document' }
    for (const call of calls) {
      const page = call.method === 'GET' && call.path === '/'
      // There is no page in this server; what counts is that the guard has let it through.
      expect([call.path, await status(call, followed)]).toEqual([call.path, page ? 404 : 403])
    }
    const root = { method: 'GET', path: '/' } as const
    expect(await status(root, { ...followed, 'Sec-Fetch-Dest': 'iframe' })).toBe(403)
    expect(await status(root, { ...followed, 'Sec-Fetch-Mode': 'no-cors' })).toBe(403)
    expect(await status(root, { ...followed, Origin: 'https://evil.example' })).toBe(403)
  })

  test('a listed page and our own may call, from wherever the browser says that they come', async () => {
    for (const Origin of [ORIGIN, `http://127.0.0.1:${port}`]) {
      for (const site of [undefined, 'cross-site', 'same-origin']) {
        expect(await status({ method: 'GET', path: '/v1/runs' }, { Origin, 'Sec-Fetch-Site': site })).toBe(200)
      }
    }
    expect(await status({ method: 'GET', path: '/v1/runs' }, { 'Sec-Fetch-Site': 'none' })).toBe(200)
  })
})

describe('CORS', () => {
  test('names exactly the origin that asked, on streams and problems too', async () => {
    for (const path of ['/v1/runs', '/v1/runs/run_lab/events', '/v1/runs/nope']) {
      const reader = rawRequest({ port, path, headers: { Origin: ORIGIN, Authorization: `Bearer ${l.token}` } })
      const head = (await reader.head).toLowerCase()
      expect(head).toContain(`\r\naccess-control-allow-origin: ${ORIGIN}\r\n`)
      expect(head).toContain('\r\nvary: origin\r\n')
      expect(head).not.toContain('access-control-allow-credentials')
      reader.socket.destroy()
    }
  })

  const preflight = async (path: string, origin: string, asked?: string) => {
    const headers = {
      Origin: origin,
      'Access-Control-Request-Method': 'POST',
      ...(asked === undefined ? {} : { 'Access-Control-Request-Headers': asked }),
    }
    const reader = rawRequest({ port, method: 'OPTIONS', path, headers })
    const head = (await reader.head).toLowerCase()
    reader.socket.destroy()
    return head
  }

  test('answers a preflight of a listed page without a token, on every route', async () => {
    for (const { path } of calls) {
      const head = await preflight(path, ORIGIN)
      expect(head).toMatch(/^http\/1\.1 204/)
      expect(head).toContain(`\r\naccess-control-allow-origin: ${ORIGIN}\r\n`)
      expect(head).toContain('\r\nvary: origin\r\n')
      expect(head).toContain('\r\naccess-control-allow-headers: authorization, content-type, idempotency-key, ')
      expect(head).not.toContain('access-control-allow-credentials')
      const methods = /\r\naccess-control-allow-methods: (.*)\r\n/.exec(head)?.[1]?.split(', ')
      expect(methods?.toSorted()).toEqual([...new Set(routes.map(({ method }) => method.toLowerCase()))].toSorted())
    }
  })

  test('answers a preflight of no other page, on no route', async () => {
    for (const { path } of calls) {
      const head = await preflight(path, 'https://evil.example')
      expect(head).toMatch(/^http\/1\.1 403/)
      expect(head).not.toContain('access-control-')
    }
  })

  test('lets a listed page send what headers its client has, and repeats nothing that is no list of names', async () => {
    const line = async (asked: string) =>
      /\r\naccess-control-allow-headers: (.*)\r\n/.exec(await preflight('/v1/runs', ORIGIN, asked))?.[1]
    expect(await line('authorization, x-stainless-lang')).toBe('authorization, x-stainless-lang')
    for (const asked of ['*', 'a b', '<b>', 'x'.repeat(41), '']) expect(await line(asked)).toMatch(/^authorization, /)
  })

  for (const origin of ['*', 'null', 'https://app.example.org/', 'HTTPS://app.example.org', 'app.example.org', '']) {
    test(`a list with ${JSON.stringify(origin)} in it is refused when the server is made`, () => {
      expect(() => lab({ origins: [ORIGIN, origin] })).toThrow(expect.objectContaining({ reason: 'bad_origin' }))
    })
  }
})

describe('a token that is not ours, on every route', () => {
  const wrong: [name: string, authorization: (token: string) => string | undefined][] = [
    ['none', () => undefined],
    ['empty', () => ''],
    ['no token in it', () => 'Bearer'],
    ['another', () => `Bearer ${createToken()}`],
    ['one character less', (token) => `Bearer ${token.slice(1)}`],
    ['one character more', (token) => `Bearer ${token}x`],
    ['another case', (token) => `Bearer ${token.toLowerCase() === token ? token.toUpperCase() : token.toLowerCase()}`],
    ['two', (token) => `Bearer ${token} ${token}`],
    ['a list', (token) => `Bearer ${token},x`],
    ['another scheme', (token) => `Basic ${token}`],
    ['no scheme', (token) => token],
    ['not ASCII', () => 'Bearer ü'],
    ['very long', () => `Bearer ${'x'.repeat(8_000)}`],
  ]
  for (const [name, authorization] of wrong) {
    test(`${name}: 401`, async () => {
      for (const call of calls) {
        const answered = await status(call, { Authorization: authorization(l.token) })
        expect([call.path, answered === 401]).toEqual([call.path, !call.open])
      }
    })
  }

  test('in the URL is no token', async () => {
    expect(await status({ method: 'GET', path: `/v1/runs?token=${l.token}` }, { Authorization: undefined })).toBe(401)
  })

  test('is asked for by its scheme, and not told', async () => {
    const reader = rawRequest({ port, path: '/v1/runs', headers: { Connection: 'close' } })
    expect((await reader.head).toLowerCase()).toContain('\r\nwww-authenticate: bearer\r\n')
    await reader.ended
    expect(JSON.parse(reader.body().toString())).toMatchObject({
      status: 401,
      code: 'unauthorized',
      reason: 'token_missing',
    })
    expect(reader.body().toString()).not.toContain(l.token)
  })

  test('the routes without one hold nothing of the user', async () => {
    const open = ['/', '/assets/:file', '/healthz', '/openapi.json', '/v1/page/login']
    expect(routes.flatMap((route) => (route.open ? [route.path] : [])).toSorted()).toEqual(open)
    const reader = rawRequest({ port, path: '/healthz', headers: { Connection: 'close' } })
    await reader.ended
    expect(reader.body().toString()).toBe('{"status":"ok"}')
  })

  for (const token of ['', 'secret', 'x'.repeat(42), `${'x'.repeat(42)} `, 'ü'.repeat(43)]) {
    test(`a server is not made with the token ${JSON.stringify(token.slice(0, 10))}`, () => {
      expect(() => createHttpServer({ runtime: l.runtime, token })).toThrow(
        expect.objectContaining({ reason: 'token_weak' }),
      )
    })
  }
})

describe('limits of HTTP', () => {
  test('headers over 16 KiB: 431', async () => {
    expect(await status({ method: 'GET', path: '/v1/runs' }, { 'X-Long': 'x'.repeat(17_000) })).toBe(431)
  })

  test('a body over 10 MiB: 413, by its length before it is sent, and found out while it is', async () => {
    const head = `POST /v1/runs HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nAuthorization: Bearer ${l.token}\r\nContent-Type: application/json\r\n`
    const told = await exchange(`${head}Content-Length: 10485761\r\n\r\n`, '413')
    expect(told).toMatch(/^HTTP\/1\.1 413 /)
    const chunk = `10000\r\n${' '.repeat(0x10000)}\r\n`
    const found = await exchange(`${head}Transfer-Encoding: chunked\r\n\r\n${chunk.repeat(161)}`, '413')
    expect(found).toMatch(/^HTTP\/1\.1 413 /)
    expect(l.provider.requests).toEqual([])
  })

  test('a client that never ends its headers is cut', async () => {
    const slow = lab({ limits: { headersMs: 50 } })
    const its = await slow.server.listen()
    const text = await exchange('GET /healthz HTTP/1.1\r\nHost: 127', undefined, its.port)
    expect(text).toMatch(/^HTTP\/1\.1 408 /)
    await its.close()
  })

  test('a request line that is no HTTP gets 400 and nothing from inside', async () => {
    const text = await exchange(`GET /\\evil HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: close\r\n\r\n`)
    expect(text).toMatch(/^HTTP\/1\.1 400 /)
    expect(text).toContain('"reason":"bad_request"')
    expect(text).not.toMatch(/node_modules|\.ts|\.js/)
  })

  test('text from a request cannot become a header', async () => {
    const id = encodeURIComponent('x\r\nSet-Cookie: a=b')
    for (const path of [`/v1/runs/${id}`, `/v1/runs/${id}/events`, `/v1/sessions/${id}`, `/${id}`]) {
      const text = await exchange(
        `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nAuthorization: Bearer ${l.token}\r\nConnection: close\r\n\r\n`,
      )
      expect(text.split('\r\n\r\n', 1)[0]).not.toMatch(/set-cookie/i)
      expect(text).toMatch(/^HTTP\/1\.1 404 /)
    }
  })

  test('HTTP/1.0 gets a stream that ends with its connection', async () => {
    const id = await l.begin(
      [...stepBegins, { type: 'error', error: { code: 'internal', reason: 'x', message: 'y', temporary: false } }],
      'run_10',
    )
    const text = await exchange(
      `GET /v1/runs/${id}/events HTTP/1.0\r\nHost: 127.0.0.1:${port}\r\nAuthorization: Bearer ${l.token}\r\n\r\n`,
    )
    const [head, body] = [text.slice(0, text.indexOf('\r\n\r\n')), text.slice(text.indexOf('\r\n\r\n') + 4)]
    expect(head.toLowerCase()).not.toContain('transfer-encoding')
    expect(body.startsWith('retry: 2000\n\nid: 1-1\n')).toBe(true)
    expect(body.endsWith('"finished":true}\n\n')).toBe(true)
  })
})

describe('listening', () => {
  test('a port in use is a typed error that says what to do', async () => {
    const second = lab({ port })
    await expect(second.server.listen()).rejects.toMatchObject({
      code: 'invalid_request',
      reason: 'port_in_use',
      message: `port ${port} of 127.0.0.1 is in use: stop the program that listens there, or choose another port (0 takes a free one)`,
    })
  })

  test('an address that is not ours is one too', async () => {
    await expect(lab({ host: '192.0.2.1' }).server.listen()).rejects.toMatchObject({ reason: 'address_unavailable' })
  })

  test('the names of a server are those of its address', () => {
    const bound = (address: string, p: number) => {
      const hosts = hostList(['runlet.example.org'])
      hosts.bind(address, p)
      return (host: string) => hosts.admits(host)
    }
    expect(
      ['10.0.0.5:80', '10.0.0.5', 'localhost', 'runlet.example.org', '10.0.0.6'].map(bound('10.0.0.5', 80)),
    ).toEqual([true, true, true, true, false])
    expect(['0.0.0.0:7411', '[::]:7411', 'localhost:7411'].map(bound('0.0.0.0', 7411))).toEqual([false, false, true])
    expect(['[fd00::1]:7411', 'fd00::1:7411'].map(bound('fd00::1', 7411))).toEqual([true, false])
  })
})

/** Sends text on a socket and gives all that comes until the other side closes, or until `enough` came. */
function exchange(request: string, enough?: string, to = port): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(to, '127.0.0.1')
    let text = ''
    socket.on('data', (bytes) => {
      text += bytes.toString('latin1')
      if (enough !== undefined && text.includes(enough)) socket.destroy()
    })
    socket.on('error', () => {})
    socket.on('close', () => resolve(text))
    socket.write(request)
  })
}
