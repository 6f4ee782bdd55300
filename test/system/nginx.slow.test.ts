import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { constants, gunzipSync } from 'node:zlib'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { Listening } from '../../src/servers/http/server.ts'
import type { ScriptLine } from '../../src/testing/scripted-provider.ts'
import { usage } from '../../src/testing/scripted-provider.ts'
import { codeOf, pageFolder } from '../servers/http/browser.ts'
import { lab, type Lab, type LabOptions } from '../servers/http/lab.ts'
import { nginxPath, opensslPath, selfSigned, startNginx, type Nginx, type Site } from './nginx.ts'

const NAME = 'runlet.example.org'
const documented = readFileSync(new URL('../../docs/nginx.conf', import.meta.url), 'utf8')

const folder = pageFolder()
afterAll(() => folder.remove())

/** A way in, by a proxy or by none. */
interface Way {
  readonly port: number
  /** The `Host` that is asked for. */
  readonly host: string
  /** The certificate of whoever answers; absent without TLS. */
  readonly ca?: string
}

interface Call {
  readonly method?: string
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  /** What came so far, decompressed. */
  readonly text: () => string
  /** Resolves when the text holds this. */
  until(text: string): Promise<void>
  readonly ended: Promise<void>
  close(): void
}

function call({ port, host, ca }: Way, { method = 'GET', path, headers = {}, body }: Call): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port, method, path, headers: { host, ...headers }, agent: false }
    const request = ca ? httpsRequest({ ...options, ca, servername: host }) : httpRequest(options)
    request.on('error', reject)
    request.on('response', (response) => {
      const zipped = response.headers['content-encoding'] === 'gzip'
      let raw = Buffer.alloc(0)
      // At once, and not when another thread has had its turn.
      const text = () => (zipped ? gunzipSync(raw, { finishFlush: constants.Z_SYNC_FLUSH }) : raw).toString()
      const checks = new Set<() => void>()
      response.on('data', (more: Buffer) => {
        raw = Buffer.concat([raw, more])
        for (const check of checks) check()
      })
      const ended = new Promise<void>((done) => void response.on('close', done))
      resolve({
        status: response.statusCode ?? 0,
        headers: response.headers,
        text,
        until: (wanted) =>
          new Promise((done) => {
            const one = () => {
              if (!text().includes(wanted)) return
              checks.delete(one)
              done()
            }
            checks.add(one)
            one()
          }),
        ended,
        close: () => request.destroy(),
      })
    })
    request.end(body)
  })
}

const WORDS = 20

/** A model that says a word only when it is let. */
function gatedScript(): { readonly lines: readonly ScriptLine[]; readonly say: (word: number) => void } {
  const gates = Array.from({ length: WORDS }, () => gate())
  const lines = gates.flatMap(({ opened }, i): ScriptLine[] => [
    { wait: opened },
    [{ type: 'text', text: `<word ${i}>` }],
  ])
  return {
    lines: [[{ type: 'start', model: 'm' }], ...lines, [{ type: 'done', reason: 'stop', usage: usage(3, 4) }]],
    say: (word) => gates[word]!.open(),
  }
}

function gate(): { readonly opened: Promise<void>; open(): void } {
  let open!: () => void
  const opened = new Promise<void>((resolve) => (open = resolve))
  return { opened, open }
}

const closing: (() => Promise<void> | void)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close()
})

interface Stage {
  readonly l: Lab
  readonly direct: Way
  readonly proxied: Way
  readonly nginx: Nginx
  readonly say: (word: number) => void
}

/** A server with a gated model, and nginx before it. `site` is told where the server listens. */
async function stage(
  site: (place: Site, upstream: number) => string,
  { called, ca, ...options }: LabOptions & { called: (port: number) => string; ca?: string },
): Promise<Stage> {
  const { lines, say } = gatedScript()
  const l = lab({ scripts: [lines], page: folder.path, ...options })
  const at: Listening = await l.server.listen()
  closing.push(() => at.close())
  const nginx = await startNginx((place) => site(place, at.port))
  closing.push(() => nginx.stop())
  return {
    l,
    nginx,
    say,
    direct: { port: at.port, host: `127.0.0.1:${at.port}` },
    proxied: { port: nginx.port, host: called(at.port), ...(ca === undefined ? {} : { ca }) },
  }
}

/**
 * Which words a reader by the proxy has, each time that a reader without one has the next, and before the model says
 * more. No time is measured: two requests that went through the same proxy meanwhile show that it had its turns.
 */
async function wordsInTime({ l, direct, proxied, say }: Stage, accept: string, more: Record<string, string> = {}) {
  const authorization = `Bearer ${l.token}`
  const headers = { authorization, accept, ...more }
  const started = await call(direct, {
    method: 'POST',
    path: '/v1/runs',
    headers: { authorization, 'content-type': 'application/json' },
    body: '{"prompt":"Hi"}',
  })
  await started.ended
  const path = `/v1/runs/${(JSON.parse(started.text()) as { run_id: string }).run_id}/events`
  const near = await call(direct, { path, headers })
  closing.push(() => near.close())
  // A proxy that buffers does not even say that there is an answer.
  let far: Answer | undefined
  const beginning = call(proxied, { path, headers }).then((answer) => (far = answer))
  const had: boolean[] = []
  for (let word = 0; word < WORDS; word++) {
    say(word)
    await near.until(`<word ${word}>`)
    for (let turn = 0; turn < 2; turn++) {
      const other = await call(proxied, { path: '/v1/runs', headers: { authorization } })
      await other.ended
      expect(other.status).toBe(200)
    }
    for (let turn = 0; turn < 20; turn++) await new Promise<void>((resolve) => void setImmediate(resolve))
    had.push(far?.text().includes(`<word ${word}>`) ?? false)
  }
  const { status, headers: given, text, ended } = await beginning
  await Promise.all([near.ended, ended])
  expect([status, given['content-type']?.split(';')[0], text()]).toEqual([200, accept, near.text()])
  return { had, encoding: given['content-encoding'] }
}

const all = Array.from({ length: WORDS }, () => true)
const framings = ['text/event-stream', 'application/x-ndjson']

const defaults = (more: string) => (place: Site, upstream: number) =>
  `${more} server { listen 127.0.0.1:${place.port}; location / { proxy_pass http://127.0.0.1:${upstream}; } }`
/** nginx names its upstream where it is not told otherwise. */
const upstreamName = (port: number) => `127.0.0.1:${port}`

describe.skipIf(nginxPath === undefined)('through nginx', () => {
  for (const accept of framings) {
    test(`with its defaults, ${accept} comes word by word`, async () => {
      const s = await stage(defaults(''), { called: upstreamName })
      expect(await wordsInTime(s, accept)).toEqual({ had: all, encoding: undefined })
    })

    test(`that compresses everything, ${accept} comes word by word`, async () => {
      const gzip = 'gzip on; gzip_types *; gzip_proxied any; gzip_min_length 0; gzip_comp_level 9;'
      const s = await stage(defaults(gzip), { called: upstreamName })
      expect(await wordsInTime(s, accept, { 'accept-encoding': 'gzip' })).toEqual({ had: all, encoding: 'gzip' })
    })

    test(`that is told to buffer whatever we say, ${accept} does not, and so this would be seen`, async () => {
      const s = await stage(defaults('proxy_ignore_headers X-Accel-Buffering;'), { called: upstreamName })
      const { had } = await wordsInTime(s, accept)
      // Until its first buffer is full.
      expect(had.slice(0, 5)).toEqual([false, false, false, false, false])
    })
  }
})

describe.skipIf(nginxPath === undefined || opensslPath === undefined)('through nginx as docs/nginx.md has it', () => {
  let tls: string
  let ca: string
  beforeAll(() => {
    tls = mkdtempSync(join(tmpdir(), 'runlet-tls-'))
    // For nginx to enter, which runs as somebody else.
    chmodSync(tls, 0o755)
    ca = readFileSync(selfSigned(tls, NAME).cert, 'utf8')
    return () => rmSync(tls, { recursive: true })
  })

  /** The file of the documentation, word for word but for its places. */
  const site = ({ port, prefix }: Site, upstream: number): string => {
    const places: [string, string][] = [
      ['listen 443 ssl;', `listen 127.0.0.1:${port} ssl;`],
      ['/etc/ssl/certs/runlet.example.org.pem', join(tls, 'cert.pem')],
      ['/etc/ssl/private/runlet.example.org.key', join(tls, 'key.pem')],
      ['/var/log/nginx/runlet.log', join(prefix, 'runlet.log')],
      ['http://127.0.0.1:7411', `http://127.0.0.1:${upstream}`],
    ]
    let text = documented
    for (const [there, here] of places) {
      expect(text.split(there)).toHaveLength(2)
      text = text.replace(there, here)
    }
    return text
  }
  const documentedStage = () => stage(site, { called: () => NAME, ca, hosts: [NAME], behindProxy: true })

  for (const accept of framings) {
    test(`${accept} comes word by word`, async () => {
      expect(await wordsInTime(await documentedStage(), accept)).toEqual({ had: all, encoding: undefined })
    })
  }

  test('lines that are sent are taken one by one, while the answer streams', async () => {
    const { l, direct, proxied, say } = await documentedStage()
    const headers = { authorization: `Bearer ${l.token}`, host: NAME, 'content-type': 'application/x-ndjson' }
    const request = httpsRequest({
      host: '127.0.0.1',
      port: proxied.port,
      ca,
      servername: NAME,
      method: 'POST',
      path: '/v1/runs',
      headers,
      agent: false,
    })
    let text = ''
    const runId = new Promise<string>((resolve) => {
      request.on('response', (response) => {
        response.setEncoding('utf8').on('data', (more: string) => (text += more))
        resolve(String(response.headers['x-run-id']))
      })
    })
    request.write('{"prompt":"Hi"}\n')
    const id = await runId
    request.write('{"type":"follow_up","text":"And?"}\n')
    say(0)
    const near = await call(direct, {
      path: `/v1/runs/${id}/events`,
      headers: { authorization: headers.authorization },
    })
    await near.until('<word 0>')
    request.write('{"type":"cancel"}\n')
    await near.ended
    request.end()
    await new Promise((resolve) => void request.on('close', resolve))
    expect(text).toContain('"input_accepted"')
    expect(text.trimEnd().endsWith('"finished":true}')).toBe(true)
  })

  test('the page is entered by its own name, with a cookie for TLS alone, and no query stands in the log', async () => {
    const { l, proxied, nginx } = await documentedStage()
    const authorization = `Bearer ${l.token}`
    const made = await call(proxied, { method: 'POST', path: '/v1/page/links', headers: { authorization } })
    await made.ended
    const { url } = JSON.parse(made.text()) as { url: string }
    expect(url.split('#')[0]).toBe(`https://${NAME}/`)
    const own = { origin: `https://${NAME}`, 'sec-fetch-site': 'same-origin' }
    const login = await call(proxied, {
      method: 'POST',
      path: '/v1/page/login',
      headers: { ...own, 'content-type': 'application/json' },
      body: JSON.stringify({ code: codeOf(url) }),
    })
    const [pair = '', ...attributes] = String(login.headers['set-cookie']).split('; ')
    expect([login.status, pair.split('=')[0], attributes]).toEqual([
      204,
      'runlet',
      ['HttpOnly', 'SameSite=Strict', 'Path=/', 'Max-Age=604800', 'Secure'],
    ])
    const session = await call(proxied, { path: '/v1/page/session?secret=1', headers: { ...own, cookie: pair } })
    await session.ended
    expect(session.status).toBe(400)
    const foreign = { ...own, origin: 'https://evil.example', cookie: pair }
    expect((await call(proxied, { path: '/v1/runs', headers: foreign })).status).toBe(403)
    const plain = { origin: `http://${NAME}`, 'sec-fetch-site': 'cross-site', cookie: pair }
    expect((await call(proxied, { path: '/v1/runs', headers: plain })).status).toBe(403)
    const log = nginx.read('runlet.log')
    expect(log).toContain('"GET /v1/page/session" 400')
    expect(log).not.toMatch(/secret|#login|runlet_/)
  })
})
