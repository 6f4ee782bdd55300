import { connect } from 'node:net'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { RunletError } from '../../../src/core/error.ts'
import type { ProviderEvent } from '../../../src/core/provider.ts'
import { formats } from '../../../src/formats/index.ts'
import { routes } from '../../../src/servers/http/routes.ts'
import type { Listening } from '../../../src/servers/http/server.ts'
import { cutOff, says, usage, type Script } from '../../../src/testing/scripted-provider.ts'
import { referenceSse } from '../../formats/sse-reference.ts'
import { pageFolder } from './browser.ts'
import { ended, lab, stepBegins, type Lab } from './lab.ts'
import { rawRequest } from './raw-reader.ts'

const OWN = 'http://127.0.0.1:7411'
const folder = pageFolder()
afterAll(() => folder.remove())

let l: Lab
beforeEach(async () => {
  l = lab({ page: folder.path })
  await l.begin(stepBegins, 'run_lab')
})

/** Every route with a body, and the most that it reads of one. */
const posts = routes
  .filter(({ method }) => method === 'POST')
  .map(({ path, open, doc }) => ({
    path: path.replace(':id', 'run_lab'),
    maxBytes: open ? 1_024 : 10 * 1024 * 1024,
    schema: doc?.body?.['application/json']?.schema,
  }))

const json = { 'content-type': 'application/json' }

function post(path: string, body: BodyInit | null, headers: Record<string, string>): Promise<Response> {
  return l.ask(path, { method: 'POST', body, headers: { origin: OWN, ...headers }, duplex: 'half' } as RequestInit)
}

/** What an answer says of an error, as Runlet spells it or as OpenAI does. */
async function told(response: Response): Promise<{ status: number; reason: string; detail: string }> {
  const text = await response.text()
  const { reason, detail, error } = JSON.parse(text) as {
    reason?: string
    detail?: string
    error?: { code?: string; message?: string }
  }
  return { status: response.status, reason: reason ?? error?.code ?? '', detail: detail ?? error?.message ?? '' }
}

test('the bodies below go to every route that takes one', () => {
  expect(posts.length).toBeGreaterThan(7)
})

describe('a body that is none, on every route', () => {
  const deep = (levels: number) => `{"x":${'['.repeat(levels - 1)}${']'.repeat(levels - 1)}}`
  const bodies: [name: string, body: BodyInit, headers: Record<string, string>, refused: [number, string]][] = [
    ['cut JSON', '{"prompt":', json, [400, 'bad_json']],
    ['JSON and more', '{} {}', json, [400, 'bad_json']],
    ['no JSON', 'prompt=Hi', json, [400, 'bad_json']],
    ['a byte order mark and nothing', '\uFEFF\uFEFF{}', json, [400, 'bad_json']],
    ['an array', '[]', json, [400, 'bad_json']],
    ['null', 'null', json, [400, 'bad_json']],
    ['a number', '1', json, [400, 'bad_json']],
    ['NaN', '{"x":NaN}', json, [400, 'bad_json']],
    ['a raw control character', '{"x":"\n"}', json, [400, 'bad_json']],
    ['bytes that are no UTF-8', new Uint8Array([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]), json, [400, 'bad_utf8']],
    ['UTF-16', Buffer.from('{"x":1}', 'utf16le'), json, [400, 'bad_json']],
    ['65 levels', deep(65), json, [400, 'json_too_deep']],
    ['no type', '{}', { 'content-type': '', 'content-length': '2' }, [415, 'content_type']],
    ['plain text', '{}', { 'content-type': 'text/plain' }, [415, 'content_type']],
    ['a form', 'x=1', { 'content-type': 'application/x-www-form-urlencoded' }, [415, 'content_type']],
    ['parts', '{}', { 'content-type': 'multipart/form-data; boundary=x' }, [415, 'content_type']],
    ['a type that begins as ours', '{}', { 'content-type': 'application/jsonp' }, [415, 'content_type']],
    ['two types', '{}', { 'content-type': 'text/plain, application/json' }, [415, 'content_type']],
    ['compressed', '{}', { ...json, 'content-encoding': 'gzip' }, [415, 'content_encoding']],
  ]
  for (const [name, body, headers, refused] of bodies) {
    test(`${name}: ${refused.join(' ')}`, async () => {
      for (const { path } of posts) {
        const { status, reason } = await told(await post(path, body, headers))
        expect([path, status, reason]).toEqual([path, ...refused])
      }
      expect(l.provider.requests).toEqual([])
    })
  }

  test('more members than are read: 400, or 413 where less is read', async () => {
    const many = `{"x":[${'0,'.repeat(100_000)}0]}`
    for (const { path, maxBytes } of posts) {
      const { status, reason } = await told(await post(path, many, json))
      const refused = maxBytes < many.length ? [413, 'body_too_large'] : [400, 'json_too_many']
      expect([path, status, reason]).toEqual([path, ...refused])
    }
  })

  test('more bytes than are read: 413, told before or found on the way', async () => {
    for (const { path, maxBytes } of posts) {
      const body = `{"x":"${'x'.repeat(maxBytes - 7)}"}`
      expect(body.length).toBe(maxBytes + 1)
      const onTheWay = new Blob([body]).stream()
      for (const sent of [body, onTheWay]) {
        const { status, reason } = await told(await post(path, sent, json))
        expect([path, status, reason]).toEqual([path, 413, 'body_too_large'])
      }
    }
  })
})

describe('a member of another type', () => {
  const values = ['text', '', 7, -1, 1.5, true, null, [], [1], {}, { x: 1 }]
  for (const { path, schema } of posts) {
    if (!(schema instanceof z.ZodObject)) continue
    for (const [field, member] of Object.entries<z.ZodType>(schema.shape)) {
      const wrong = values.filter((value) => !member.safeParse(value).success)
      // What is passed on as it is may be anything.
      if (wrong.length === 0) continue
      test(`POST ${path}: ${field} is refused with its name, and what was expected`, async () => {
        for (const value of wrong) {
          const answer = await told(await post(path, JSON.stringify({ [field]: value }), json))
          expect([value, answer.status]).toEqual([value, 400])
          expect(answer.detail).toMatch(new RegExp(`\\b${field}(?:\\.\\w+)*: .*\\bexpected\\b`))
        }
        expect(l.provider.requests).toEqual([])
      })
    }
  }
})

describe('CR, LF and NUL', () => {
  /** Tries to end a line of SSE, of NDJSON and of a header, and to say something of its own. */
  const hostile =
    'x\r\nevent: evil\r\ndata: {"type":"evil"}\r\rid: 9-9\n\n{"type":"evil"}\nSet-Cookie: evil=1\r\n\0\u0085\u2028\u2029'

  /** A head without a header of theirs, and a body in which each record is one of ours. */
  function expectWhole(head: string, body: string): void {
    expect(head).not.toMatch(/^(?:set-cookie: *evil|event:|data:|id:)/im)
    if (/content-type: text\/event-stream/i.test(head)) {
      const { events } = referenceSse(Buffer.from(body))
      expect(events.length).toBeGreaterThan(0)
      expect(events.map(({ type }) => type)).not.toContain('evil')
      for (const { data } of events) if (data !== '[DONE]') JSON.parse(data)
      expect(events.map(({ lastEventId }) => lastEventId)).not.toContain('9-9')
    } else if (/content-type: application\/x-ndjson/i.test(head)) {
      for (const line of body.split('\n').slice(0, -1)) {
        expect((JSON.parse(line) as { type?: string }).type).not.toBe('evil')
      }
    } else if (body !== '') {
      JSON.parse(body)
    }
  }

  let at: Listening
  const opened: Listening[] = []
  afterAll(async () => {
    for (const one of opened) await one.close()
  })
  async function listen(scripts?: readonly Script[]): Promise<void> {
    l = lab({ page: folder.path, ...(scripts ? { scripts } : {}) })
    at = await l.server.listen()
    opened.push(at)
  }

  /** Over a real socket, where a header that was broken up would be seen. */
  async function raw(
    method: string,
    path: string,
    headers: Record<string, string>,
    body = '',
  ): Promise<[string, string]> {
    const origin = { Origin: `http://127.0.0.1:${at.port}` }
    const length: Record<string, string> =
      method === 'POST' ? { 'Content-Length': String(Buffer.byteLength(body)) } : {}
    const all = { ...origin, Authorization: `Bearer ${l.token}`, Connection: 'close', ...length, ...headers }
    const reader = rawRequest({ port: at.port, method, path, headers: all, body })
    const head = await reader.head
    await reader.ended
    reader.socket.destroy()
    return [head, reader.body().toString()]
  }

  const accepts = ['text/event-stream', 'application/x-ndjson', 'application/json']

  test('in every member of a body become neither a header nor an event', async () => {
    await listen()
    for (const { path, schema } of posts) {
      const fields = schema instanceof z.ZodObject ? Object.keys(schema.shape) : ['x']
      for (const field of fields) {
        for (const value of [hostile, [hostile], { [hostile]: hostile }, [{ role: 'user', content: hostile }]]) {
          for (const Accept of accepts) {
            const body = JSON.stringify({ prompt: 'Hi', stream: true, [field]: value, [hostile]: 1 })
            const [head, answer] = await raw('POST', path, { ...jsonType, Accept }, body)
            expect([path, field, Number(head.split(' ')[1]) < 500]).toEqual([path, field, true])
            expectWhole(head, answer)
          }
        }
      }
    }
  })

  const jsonType = { 'Content-Type': 'application/json' }

  test('in a path or a query become neither', async () => {
    await listen()
    const id = encodeURIComponent(hostile)
    for (const { method, path } of routes) {
      for (const place of [
        path.replace(/:\w+(?:\{[^}]*\})?/, id),
        `${path.replace(/:\w+(?:\{[^}]*\})?/, 'run_lab')}?${id}=${id}&after=${id}&before=${id}`,
      ]) {
        const [head, answer] = await raw(
          method,
          place,
          method === 'POST' ? jsonType : {},
          method === 'POST' ? '{}' : '',
        )
        expect(head).not.toMatch(/^set-cookie: *evil/im)
        if (!/content-type: (?:text\/html|text\/plain)/i.test(head)) expectWhole(head, answer)
      }
    }
  })

  test('in an idempotency key, a session or an id of the caller are refused', async () => {
    await listen()
    const body = JSON.stringify({ prompt: 'Hi', idempotency_key: hostile })
    expect((await raw('POST', '/v1/runs', jsonType, body))[1]).toContain('"reason":"idempotency_key"')
    const session = JSON.stringify({ prompt: 'Hi', session_id: hostile })
    expect((await raw('POST', '/v1/runs', jsonType, session))[0]).toMatch(/^HTTP\/1\.1 404 /)
    for (const name of ['X-Request-Id', 'X-Trace-Id']) {
      const [head] = await raw('POST', '/v1/runs', { ...jsonType, [name]: 'a\tb' }, '{"prompt":"Hi"}')
      expect([name, head.split(' ')[1]]).toEqual([name, '400'])
    }
    // A line that is broken up is no HTTP at all.
    for (const value of ['a\rb', 'a\0b', 'a\nb']) {
      const [head] = await raw('GET', '/v1/runs', { 'X-Request-Id': value })
      expect([value, head.split(' ')[1]]).toEqual([value, '400'])
    }
    expect(l.provider.requests).toEqual([])
  })

  const events: ProviderEvent[] = [
    { type: 'start', model: hostile },
    { type: 'reasoning', text: hostile },
    { type: 'text', text: hostile },
    { type: 'tool_call_delta', call_id: hostile, name: hostile, json: hostile },
    { type: 'citations', citations: [{ uri: hostile, title: hostile }] },
    { type: 'safety', category: hostile, action: hostile },
    { type: 'audio', chunk: hostile, format: hostile },
    { type: 'fields', fields: { [hostile]: hostile } },
    { type: 'warning', code: hostile, message: hostile },
    { type: 'tool_call', call_id: hostile, name: hostile, input: { [hostile]: hostile } },
    { type: 'done', reason: 'tool_calls', usage: usage(3, 4) },
  ]
  const broken = new RunletError('network', { reason: hostile, message: hostile, provider: hostile })
  const scripts: [name: string, script: Script][] = [
    ['every event', [events]],
    ['an error', [[{ type: 'start', model: hostile }], [{ type: 'text', text: hostile }], { throw: broken }]],
    ['an error of something else', [[{ type: 'start', model: 'm' }], { throw: new Error(hostile) }]],
    ['half an answer', [[{ type: 'start', model: 'm' }], [{ type: 'text', text: hostile }], { throw: cutOff() }]],
  ]
  for (const [name, script] of scripts) {
    test(`of a provider, in ${name}, become neither, in any format and framing`, async () => {
      await listen([script, says('done')])
      const started = await l.server.fetch(
        new Request(`${at.url}/v1/runs`, {
          method: 'POST',
          headers: { ...jsonType, authorization: `Bearer ${l.token}` },
          body: '{"prompt":"Hi"}',
        }),
      )
      const { run_id } = (await started.json()) as { run_id: string }
      await ended(l, run_id)
      for (const format of Object.keys(formats)) {
        for (const Accept of accepts.slice(0, 2)) {
          const path = `/v1/runs/${run_id}/events?format=${format}`
          const [head, body] = await raw('GET', path, { Accept })
          if (head.includes(' 406 ')) continue
          expect(head).toMatch(/^HTTP\/1\.1 200 /)
          expectWhole(head, body)
        }
      }
      for (const path of [`/v1/runs/${run_id}`, '/v1/runs']) expectWhole(...(await raw('GET', path, {})))
      const chat = JSON.stringify({
        model: 'lab/scripted',
        stream: true,
        messages: [{ role: 'user', content: hostile }],
      })
      expectWhole(...(await raw('POST', '/v1/chat/completions', jsonType, chat)))
    })
  }
})

describe('connections that are not used as they should be', () => {
  let port: number
  let listening: Listening
  beforeAll(async () => {
    l = lab()
  })
  beforeEach(async () => {
    listening = await l.server.listen()
    port = listening.port
    return () => listening.close()
  })

  /** What comes back until the other side closes. `end` closes our half after the text. */
  const exchange = (text: string, end = false): Promise<string> =>
    new Promise((resolve) => {
      const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
      let answer = ''
      socket.on('data', (bytes) => (answer += bytes.toString('latin1')))
      socket.on('error', () => {})
      socket.on('end', () => socket.destroy())
      socket.on('close', () => resolve(answer))
      if (end) socket.end(text)
      else socket.write(text)
    })
  const head = (lines: readonly string[]) =>
    `POST /v1/runs HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: close\r\n${lines.map((line) => `${line}\r\n`).join('')}\r\n`

  test('a half that is closed in the middle of a request starts nothing, and harms nobody', async () => {
    const authorised = [`Authorization: Bearer ${l.token}`, 'Content-Type: application/json', 'Content-Length: 20']
    const whole = `${head(authorised)}{"prompt":`
    for (const cut of ['', 'P', 'POST /v1/runs HTTP/1.1\r\nHost: 127', head(authorised), whole]) {
      const answer = await exchange(cut, true)
      expect(answer === '' || answer.startsWith('HTTP/1.1 400 ')).toBe(true)
    }
    expect(l.provider.requests).toEqual([])
    expect(
      (await exchange(`GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: close\r\n\r\n`)).slice(0, 15),
    ).toBe('HTTP/1.1 200 OK')
  })

  test('a body is not waited for before the token was looked at', async () => {
    const bodies = ['Content-Length: 10485760', 'Transfer-Encoding: chunked']
    for (const body of bodies) {
      for (const authorization of [[], ['Authorization: Bearer x']]) {
        const answer = await exchange(head([body, 'Content-Type: application/json', ...authorization]))
        expect(answer.slice(0, 13)).toBe('HTTP/1.1 401 ')
      }
    }
  })

  const smuggled: [name: string, lines: readonly string[]][] = [
    ['a length and chunks', ['Content-Length: 5', 'Transfer-Encoding: chunked']],
    ['two lengths', ['Content-Length: 5', 'Content-Length: 6']],
    ['a length that is no number', ['Content-Length: 5x']],
    ['a negative length', ['Content-Length: -1']],
    ['an encoding that is unknown', ['Transfer-Encoding: xchunked']],
    ['a space before the colon', ['X-One : 1']],
    ['a folded header', ['X-One: 1', ' Host: evil.example']],
    ['a name that is none', ['X(One): 1']],
  ]
  for (const [name, lines] of smuggled) {
    test(`${name}: 400, and the connection is over`, async () => {
      const answer = await exchange(
        head([`Authorization: Bearer ${l.token}`, 'Content-Type: application/json', ...lines]),
      )
      expect(answer).toMatch(/^HTTP\/1\.1 400 /)
      expect(answer.match(/^HTTP\/1\.1 /gm)).toHaveLength(1)
      expect(l.provider.requests).toEqual([])
    })
  }
})

describe('a cursor of another run', () => {
  test('is refused where this run never was, and so is what is none', async () => {
    const asked = async (after: string) =>
      told(await l.ask(`/v1/runs/run_lab/events?after=${encodeURIComponent(after)}`))
    expect(await asked('1-99')).toMatchObject({ status: 409, reason: 'cursor_future' })
    expect(await asked('2-1')).toMatchObject({ status: 409, reason: 'cursor_future' })
    for (const bad of ['run_other 1-2', '1-2,1-3', '-1', '1-', '1-1e3', '1-0x2', ' 1-2', '1-2\0', '9'.repeat(40)]) {
      expect([bad, await asked(bad)]).toMatchObject([bad, { status: 400, reason: 'cursor_malformed' }])
    }
  })
})
