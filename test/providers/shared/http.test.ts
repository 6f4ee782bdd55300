import { createServer } from 'node:http'
import { connect, createServer as createSocketServer, type AddressInfo } from 'node:net'
import { inspect } from 'node:util'
import { brotliCompressSync, createGzip, deflateSync, gzipSync } from 'node:zlib'
import { afterEach, expect, test, vi } from 'vitest'
import { ollama } from '../../../src/providers/ollama.ts'
import { openaiChat } from '../../../src/providers/openai-chat.ts'
import { httpClient, type HttpAnswer } from '../../../src/providers/shared/http.ts'
import { loopback, type Loopback } from '../../../src/testing/loopback.ts'

const closing: (() => Promise<unknown>)[] = []

afterEach(async () => {
  vi.unstubAllEnvs()
  await Promise.all(closing.splice(0).map((close) => close()))
})

async function served(handler: Parameters<typeof loopback>[0]): Promise<Loopback> {
  const server = await loopback(handler)
  closing.push(() => server.close())
  return server
}

const never = () => new AbortController().signal
const client = (baseUrl: string, apiKey?: string) => httpClient({ provider: 'test', baseUrl, apiKey })
const get = (baseUrl: string) => client(baseUrl).send('/x', { accept: '*/*', signal: never() })

async function bytesOf(answer: HttpAnswer): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for await (const chunk of answer.bytes) chunks.push(chunk)
  return Buffer.concat(chunks)
}

const text = 'Gr\u00fc\u00dfe '.repeat(1000)
const encodings: [name: string, body: Buffer][] = [
  ['identity', Buffer.from(text)],
  ['gzip', gzipSync(text)],
  ['deflate', deflateSync(text)],
  ['br', brotliCompressSync(text)],
]

for (const [encoding, body] of encodings) {
  test(`http: a body that comes as ${encoding} all the same is read`, async () => {
    const server = await served((_, response) => {
      response.writeHead(200, { 'content-encoding': encoding }).end(body)
    })
    expect((await bytesOf(await get(server.url))).toString()).toBe(text)
  })

  test(`http: a body that comes as ${encoding} and is cut is an error`, async () => {
    const server = await served((_, response) => {
      response.writeHead(200, { 'content-encoding': encoding, 'content-length': body.length })
      response.write(body.subarray(0, -3), () => response.destroy())
    })
    await expect(bytesOf(await get(server.url))).rejects.toMatchObject({
      code: 'network',
      reason: 'stream_eof_before_done',
    })
  })
}

test('http: what a compressing proxy flushes is there before the rest', async () => {
  const gzip = createGzip()
  const server = await served((_, response) => {
    response.writeHead(200, { 'content-encoding': 'gzip' })
    gzip.pipe(response)
    gzip.write('first')
    gzip.flush()
  })
  const answer = await get(server.url)
  const iterator = answer.bytes[Symbol.asyncIterator]()
  expect(Buffer.from((await iterator.next()).value as Uint8Array).toString()).toBe('first')
  gzip.end('second')
  expect(Buffer.from((await iterator.next()).value as Uint8Array).toString()).toBe('second')
  expect((await iterator.next()).done).toBe(true)
})

test('http: a compressed bomb is an error before it is memory', async () => {
  const bomb = gzipSync(Buffer.alloc(64 << 20))
  const server = await served((_, response) => {
    response.writeHead(200, { 'content-encoding': 'gzip' }).end(bomb)
  })
  const answer = await get(server.url)
  let read = 0
  const reading = (async () => {
    for await (const chunk of answer.bytes) read += chunk.length
  })()
  await expect(reading).rejects.toMatchObject({
    code: 'network',
    reason: 'answer_too_long',
    temporary: false,
    provider: 'test',
  })
  expect(read).toBeLessThan(8 << 20)
})

for (const encoding of ['gzip, gzip', 'zstd', 'constructor']) {
  test(`http: a body that comes as ${encoding} is refused`, async () => {
    const server = await served((_, response) => {
      response.writeHead(200, { 'content-encoding': encoding }).end('x')
    })
    await expect(bytesOf(await get(server.url))).rejects.toMatchObject({ reason: 'content_encoding', temporary: false })
  })
}

test('http: of a body without end as much is read as was asked for, and the connection is closed', async () => {
  const server = await served((_, response) => {
    const more = () => response.write('x'.repeat(10_000), () => response.destroyed || setImmediate(more))
    more()
  })
  const answer = await get(server.url)
  expect((await answer.text(50_000)).length).toBe(50_000)
  await server.hungUp()
})

const providers = [
  ['openai-chat', (baseUrl: string) => openaiChat({ baseUrl })],
  ['ollama', (host: string) => ollama({ host })],
] as const
const request = { model: 'm', messages: [], tools: [], options: {} }
const unauthorized = { code: 'unauthorized', temporary: false }

for (const [name, make] of providers) {
  const refused = (url: string, signal = never()) => {
    const events = make(url).stream(request, { signal })[Symbol.asyncIterator]()
    return events.next().catch((thrown: unknown) => thrown)
  }

  test(`http: a refusal whose body hangs or drips is what its status says, and is hung up on, from ${name}`, async () => {
    const hanging = await served((_, response) => {
      response.writeHead(401).write('{"error":')
    })
    const dripping = await served((_, response) => {
      const drip = () => response.write(' ', () => response.destroyed || setTimeout(drip, 20))
      response.writeHead(401)
      drip()
    })
    const errors = await Promise.all([refused(hanging.url), refused(dripping.url)])
    expect(errors).toMatchObject([{ ...unauthorized, cause: { message: '{"error":' } }, unauthorized])
    await Promise.all([hanging.hungUp(), dripping.hungUp()])
  })

  test(`http: a refusal whose body breaks off or cannot be read is what its status says, from ${name}`, async () => {
    const bomb = gzipSync(Buffer.alloc(64 << 20))
    const bodies: Parameters<typeof loopback>[0][] = [
      (_, response) => {
        response.writeHead(401, { 'content-length': 99 }).write('{', () => response.destroy())
      },
      (_, response) => {
        response.writeHead(401, { 'content-encoding': 'zstd' }).end('x')
      },
      (_, response) => {
        response.writeHead(401, { 'content-encoding': 'gzip' }).end('x')
      },
      (_, response) => {
        response.writeHead(401, { 'content-encoding': 'gzip' }).end(bomb)
      },
    ]
    for (const body of bodies) expect(await refused((await served(body)).url)).toMatchObject(unauthorized)
  })

  test(`http: who stops while a refusal is read is not kept waiting, from ${name}`, async () => {
    const stop = new AbortController()
    const server = await served((_, response) => {
      response.writeHead(401).write('{', () => setImmediate(() => stop.abort(new Error('enough'))))
    })
    expect(await refused(server.url, stop.signal)).toEqual(new Error('enough'))
  })
}

test('http: a server that goes on talking behind its end mark is hung up on, and the answer is whole', async () => {
  const chunk = '{"choices":[{"index":0,"delta":{"content":"x"},"finish_reason":"stop"}]}'
  let talked = 0
  const server = await served((_, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.write(`data: ${chunk}\n\ndata: [DONE]\n\n`)
    const more = () => {
      talked += 10_000
      response.write(': '.repeat(5000), () => response.destroyed || setImmediate(more))
    }
    more()
  })
  const types: string[] = []
  for await (const events of openaiChat({ baseUrl: server.url }).stream(request, { signal: never() })) {
    types.push(...events.map(({ type }) => type))
  }
  expect(types).toEqual(['start', 'text', 'done'])
  await server.hungUp()
  // The buffers of two sockets, not what a second of talking would come to.
  expect(talked).toBeLessThan(16 << 20)
})

for (const baseUrl of ['', 'example.com', 'ftp://example.com', 'http://user:pw@example.com', '//example.com']) {
  test(`http: ${JSON.stringify(baseUrl)} is no base URL`, () => {
    expect(() => client(baseUrl)).toThrow(expect.objectContaining({ code: 'invalid_request', reason: 'bad_base_url' }))
  })
}

test('http: a key with a line end is refused at once, and not shown', () => {
  expect(() => client('http://example.com', 'sk-secret-key\n')).toThrow(
    expect.objectContaining({
      reason: 'bad_header',
      message: 'the API key for example.com holds a line end or another character that no header can carry',
    }),
  )
})

test('http: a key is in no error and in no description of a provider', async () => {
  const key = 'sk-secret-key'
  const server = await served(({ headers }, response) => {
    response.writeHead(401).end(JSON.stringify({ error: { message: `bad key ${headers['authorization']}` } }))
  })
  const provider = openaiChat({ baseUrl: server.url, apiKey: key })
  const error = await provider.models({ signal: never() }).catch((thrown: unknown) => thrown)
  expect(error).toMatchObject({ code: 'unauthorized' })
  for (const value of [error, (error as Error).cause, provider]) {
    expect(inspect(value, { depth: 10, showHidden: true })).not.toContain(key)
  }
  expect(inspect((error as Error).cause)).toContain('[redacted]')
})

test('http: a server that is not HTTP is told so', async () => {
  const server = createSocketServer((socket) => socket.resume().end('SSH-2.0-OpenSSH_9.2\r\n'))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closing.push(() => new Promise((resolve) => server.close(resolve)))
  const { port } = server.address() as AddressInfo
  await expect(get(`http://127.0.0.1:${port}`)).rejects.toMatchObject({ code: 'network', reason: 'not_http' })
  await expect(get(`https://127.0.0.1:${port}`)).rejects.toMatchObject({ code: 'network', reason: 'not_http' })
})

test('http: proxy variables are honoured, but never for this machine itself', async () => {
  const server = await served((_, response) => {
    response.end('here')
  })
  const asked: (string | undefined)[] = []
  const proxy = createServer()
  proxy.on('connect', ({ url }, socket) => {
    asked.push(url)
    const { port } = new URL(server.url)
    const tunnel = connect(Number(port), '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n')
      tunnel.pipe(socket).pipe(tunnel)
    })
    tunnel.on('error', () => socket.destroy())
    socket.on('error', () => tunnel.destroy())
  })
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
  closing.push(() => {
    proxy.closeAllConnections()
    return new Promise((resolve) => proxy.close(resolve))
  })
  const url = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`
  for (const name of ['http_proxy', 'HTTP_PROXY']) vi.stubEnv(name, url)
  for (const name of ['no_proxy', 'NO_PROXY', 'https_proxy', 'HTTPS_PROXY']) vi.stubEnv(name, '')
  expect(await (await get(server.url)).text(100)).toBe('here')
  expect(asked).toEqual([])
  const far = await get('http://models.example')
  expect(await far.text(100)).toBe('here')
  expect(asked).toEqual(['models.example:80'])
})
