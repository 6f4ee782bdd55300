import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import express from 'express'
import fastify from 'fastify'
import { afterEach, describe, expect, test } from 'vitest'
import {
  createStreams,
  ndjsonHandler,
  nodeHandler,
  sendNdjson,
  sendSse,
  sse,
  sseHandler,
} from '../../../../src/http.ts'
import { says, scriptedProvider, type Script } from '../../../../src/testing/scripted-provider.ts'
import { settled } from '../connected.ts'
import { lab, runEnds, stepBegins, texts, type Lab } from '../lab.ts'
import { rawRequest } from '../raw-reader.ts'

const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close()
})

async function listen(listener: RequestListener): Promise<number> {
  const server = createServer(listener)
  server.listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  closing.push(() => {
    server.closeAllConnections()
    server.close()
  })
  return (server.address() as AddressInfo).port
}

/** A handler whose model repeats the prompt word by word. */
function parrot() {
  const script = (request: { messages: readonly { content?: unknown }[] }) =>
    says(...String(request.messages.at(-1)?.content).split(/(?<= )/))
  const provider = scriptedProvider([script as Script])
  const handler = ndjsonHandler(
    provider,
    async (request) => ({ prompt: ((await request.json()) as { prompt: string }).prompt }),
    { model: 'scripted' },
  )
  closing.push(() => handler.close())
  return { provider, handler }
}

/** 24 MiB in batches that are each handed over at once; loopback connections here buffer less. */
async function appendMuch(l: Lab, id: string): Promise<void> {
  for (let n = 0; n < MUCH; n++) {
    await l.log.append(id, 1, texts(1, 'x'.repeat(16 * 1024)))
    await new Promise<void>((resolve) => void setImmediate(resolve))
  }
}
const MUCH = 24 * 64

const ask = (port: number, body: object, headers: Record<string, string> = {}) =>
  fetch(`http://127.0.0.1:${port}/chat`, {
    method: 'POST',
    body: JSON.stringify(body),
    headers: { 'content-type': 'application/json', ...headers },
  })
const said = (body: string) =>
  body
    .split('\n')
    .slice(0, -1)
    .map((line) => (JSON.parse(line) as { text?: string }).text ?? '')
    .join('')

describe('nodeHandler', () => {
  const servers: [name: string, listen: (node: ReturnType<typeof nodeHandler>) => Promise<number>][] = [
    ['node:http', (node) => listen(node)],
    ['Express', (node) => listen(express().all('/chat', node))],
    ['Express, whose parser has read the body', (node) => listen(express().use(express.json()).all('/chat', node))],
    [
      'Fastify, which has read the body',
      async (node) => {
        const app = fastify()
        app.all('/chat', (request, reply) => {
          reply.hijack()
          node(request.raw, reply.raw, request.body)
        })
        await app.listen({ port: 0, host: '127.0.0.1' })
        closing.push(() => app.close())
        return (app.server.address() as AddressInfo).port
      },
    ],
  ]
  for (const [name, start] of servers) {
    test(`${name}: starts, streams, reads on, and refuses`, async () => {
      const { handler } = parrot()
      const port = await start(nodeHandler(handler))
      const response = await ask(port, { prompt: 'say it word by word' })
      const body = await response.text()
      expect([response.status, said(body)]).toEqual([200, 'say it word by word'])
      const tail = await fetch(`http://127.0.0.1:${port}/chat?run=${response.headers.get('x-run-id')}&after=1-5`)
      expect(await tail.text()).toBe(body.split('\n').slice(5).join('\n'))
      const refused = await fetch(`http://127.0.0.1:${port}/chat?run=nope`)
      expect([refused.status, await refused.json()]).toMatchObject([404, { reason: 'run_unknown' }])
    })
  }

  test('a key works over a body that a parser has read, too', async () => {
    const { handler, provider } = parrot()
    const port = await listen(express().use(express.json()).all('/chat', nodeHandler(handler)))
    const key = { 'idempotency-key': 'k' }
    const bodies = await Promise.all([1, 2, 3].map(async () => (await ask(port, { prompt: 'once' }, key)).text()))
    expect([new Set(bodies).size, provider.requests.length]).toEqual([1, 1])
    expect((await ask(port, { prompt: 'twice' }, key)).status).toBe(422)
  })

  test('64 clients at once get whole streams', async () => {
    const { handler } = parrot()
    const port = await listen(nodeHandler(handler))
    const words = Array.from({ length: 64 }, (_, i) => `${`word${i} `.repeat(100)}end`)
    const bodies = await Promise.all(words.map(async (prompt) => (await ask(port, { prompt })).text()))
    expect(bodies.map(said)).toEqual(words)
  })

  for (const [way, bare] of [
    ['the fast way', false],
    ['a web stream', true],
  ] as const) {
    test(`${way}: one that goes is noticed, and ends the run where that was asked for`, async () => {
      const silent: Script = [
        [{ type: 'start', model: 'm' }],
        [{ type: 'text', text: 'Hel' }],
        { wait: new Promise(() => {}) },
      ]
      const provider = scriptedProvider([silent])
      const handler = sseHandler(provider, () => ({ prompt: 'Hi' }), { model: 'scripted', cancelOnDisconnect: true })
      closing.push(() => handler.close())
      const port = await listen(nodeHandler(bare ? (request) => handler(request) : handler))
      const reader = rawRequest({ port, method: 'POST', path: '/chat', headers: { 'Content-Length': '0' } })
      await reader.until('Hel')
      expect(provider.active).toBe(1)
      reader.socket.destroy()
      while (provider.active > 0) await settled()
      expect(provider.active).toBe(0)
    })

    test(`${way}: a slow client gets everything, and holds back no more than its bound`, async () => {
      const l = lab()
      const id = await l.begin(stepBegins)
      const run = await l.runtime.find(id)
      const streams = createStreams({ clock: l.clock })
      const fast = (_: IncomingMessage, response: ServerResponse) => void streams.sendSse(run, response)
      const port = await listen(bare ? nodeHandler(() => streams.sse(run)) : fast)
      const reader = rawRequest({ port, path: '/' })
      await reader.until('id: 1-3\n')
      reader.socket.pause()
      await appendMuch(l, id)
      await settled()
      expect(streams.pendingBytes).toBeGreaterThan(0)
      expect(streams.pendingBytes).toBeLessThan(256 * 1024)
      await l.log.append(id, 1, runEnds)
      for (let n = 0; n < 20; n++) await reader.take(1_000)
      reader.socket.resume()
      await reader.ended
      const ids = reader
        .body()
        .toString()
        .match(/^id: .*$/gm)
      expect(ids).toEqual(Array.from({ length: 3 + MUCH + 3 }, (_, i) => `id: 1-${i + 1}`))
      expect(reader.whole()).toBe(true)
    })
  }

  test('a handler of anybody that throws is a 500 that tells nothing', async () => {
    const port = await listen(
      nodeHandler(() => {
        throw new Error('secret')
      }),
    )
    const response = await fetch(`http://127.0.0.1:${port}/`)
    const body = await response.text()
    expect([response.status, JSON.parse(body)]).toMatchObject([500, { code: 'internal' }])
    expect(body).not.toContain('secret')
  })
})

describe('sendSse and sendNdjson', () => {
  test('write what sse and ndjson respond, byte for byte', async () => {
    const l = lab()
    const run = await l.runtime.find(await l.begin([...stepBegins, ...texts(3), ...runEnds]))
    const port = await listen((request, response) => {
      const send = request.url === '/sse' ? sendSse : sendNdjson
      send(run, response, { request }).catch(() => response.destroy())
    })
    const response = await fetch(`http://127.0.0.1:${port}/sse`)
    const direct = await sse(run)
    expect(await response.text()).toBe(await direct.text())
    for (const [name, value] of direct.headers) expect([name, response.headers.get(name)]).toEqual([name, value])
    const tail = await fetch(`http://127.0.0.1:${port}/lines`, { headers: { 'last-event-id': '1-8' } })
    expect((await tail.text()).split('\n').map((line) => /"type":"([^"]*)"/.exec(line)?.[1])).toEqual([
      'finish',
      'done',
      undefined,
    ])
    const over = await fetch(`http://127.0.0.1:${port}/sse`, { headers: { 'last-event-id': '1-9' } })
    expect(over.status).toBe(204)
  })

  test('what is wrong is thrown while the head can still say it', async () => {
    const l = lab()
    const run = await l.runtime.find(await l.begin())
    const port = await listen((request, response) => {
      sendSse(run, response, { request }).catch((error: { status: number }) => {
        expect(response.headersSent).toBe(false)
        response.writeHead(error.status).end()
      })
    })
    expect((await fetch(`http://127.0.0.1:${port}/?after=1-77`)).status).toBe(409)
  })

  test('those who do not take their last bytes are cut when a registry’s patience is over', async () => {
    const l = lab()
    const id = await l.begin()
    const run = await l.runtime.find(id)
    const streams = createStreams({ clock: l.clock, closeMs: 500 })
    const port = await listen((_, response) => void streams.sendSse(run, response))
    const stuck = rawRequest({ port, path: '/' })
    await stuck.until('id: 1-3\n')
    stuck.socket.pause()
    await appendMuch(l, id)
    await settled()
    const closed = streams.close()
    await l.clock.advance(499)
    expect(streams.readers).toBe(1)
    await l.clock.advance(1)
    await closed
    await settled()
    expect(streams.readers).toBe(0)
    stuck.socket.resume()
    await stuck.ended
    expect([stuck.whole(), (await run.header()).status]).toEqual([false, 'running'])
  })
})
