import { EventEmitter } from 'node:events'
import type { Server } from 'node:http'
import { connect as connectTo, type Socket } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { Strangers } from '../../../src/servers/http/auth/strangers.ts'
import { connect, settled, type Connected } from './connected.ts'
import { stepBegins, texts } from './lab.ts'
import { rawRequest, type RawReader } from './raw-reader.ts'

const opened: Socket[] = []
afterEach(() => {
  for (const socket of opened.splice(0)) socket.destroy()
})

interface Idle {
  readonly socket: Socket
  /** Whether the server has cut it. */
  cut: boolean
}

/** A connection that says no more than `text`. */
function idle(port: number, text = ''): Promise<Idle> {
  return new Promise((resolve) => {
    const socket = connectTo(port, '127.0.0.1')
    const it: Idle = { socket, cut: false }
    opened.push(socket)
    socket.on('error', () => {})
    socket.on('close', () => (it.cut = true))
    socket.on('connect', () => {
      if (text !== '') socket.write(text)
      resolve(it)
    })
  })
}

async function idles(port: number, count: number): Promise<Idle[]> {
  const all: Idle[] = []
  for (let i = 0; i < count; i++) all.push(await idle(port))
  return all
}

const cut = (all: readonly Idle[]) => all.map((one) => one.cut)

/** Answers once whatever was accepted before has been dealt with. */
async function alive(c: Connected): Promise<string> {
  const reader = rawRequest({
    port: c.port,
    path: '/v1/runs',
    headers: { Authorization: `Bearer ${c.token}`, Connection: 'close' },
  })
  const head = await reader.head
  await settled()
  return head.slice(0, 15)
}

/** Another request on the connection of a reader. */
async function again({ socket }: RawReader, port: number, path: string): Promise<void> {
  socket.write(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`)
  await settled()
}

test('of too many connections that have shown nothing, the one that was quiet longest makes room', async () => {
  const c = await connect({ limits: { maxStrangers: 3 } })
  const all = await idles(c.port, 3)
  await settled()
  expect(cut(all)).toEqual([false, false, false])
  all.push(...(await idles(c.port, 2)))
  expect(await alive(c)).toBe('HTTP/1.1 200 OK')
  // One more was for the request that just came through.
  expect(cut(all)).toEqual([true, true, true, false, false])
})

test('half a request, or a wrong token, is nothing that was shown', async () => {
  const c = await connect({ limits: { maxStrangers: 2 } })
  const half = await idle(c.port, `GET /v1/runs HTTP/1.1\r\nHost: 127.0.0.1:${c.port}\r\nAuthorization: Bea`)
  const wrong = rawRequest({ port: c.port, path: '/v1/runs', headers: { Authorization: 'Bearer x' } })
  expect((await wrong.head).slice(0, 12)).toBe('HTTP/1.1 401')
  opened.push(wrong.socket)
  await idles(c.port, 2)
  await settled()
  await wrong.ended
  expect([half.cut, wrong.socket.destroyed || wrong.socket.readableEnded]).toEqual([true, true])
})

test('whoever has shown a token stays, however many come', async () => {
  const c = await connect({ limits: { maxStrangers: 2 } })
  await c.begin([...stepBegins, ...texts(1)], 'run_live')
  const reader = c.read('run_live')
  await reader.until('"seq":4')
  const kept = rawRequest({ port: c.port, path: '/v1/runs', headers: { Authorization: `Bearer ${c.token}` } })
  await kept.ended
  await idles(c.port, 20)
  await settled()
  expect(await alive(c)).toBe('HTTP/1.1 200 OK')
  expect([reader.socket.destroyed, kept.socket.destroyed]).toEqual([false, false])
  kept.socket.destroy()
})

test('a browser that is just loading the page is not the one that was quiet longest', async () => {
  const c = await connect({ limits: { maxStrangers: 3 } })
  const page = rawRequest({ port: c.port, path: '/healthz' })
  await page.ended
  opened.push(page.socket)
  const all = await idles(c.port, 2)
  await again(page, c.port, '/healthz')
  all.push(...(await idles(c.port, 1)))
  await settled()
  expect(await alive(c)).toBe('HTTP/1.1 200 OK')
  expect([page.socket.destroyed || page.socket.readableEnded, ...cut(all)]).toEqual([false, true, true, false])
})

/** A turn of the event loop, with what comes from the network in it. */
const turn = () => new Promise<void>((resolve) => void setImmediate(resolve))

test('many who come in one turn are all heard in the next, before it is judged who is quiet', async () => {
  const server = new EventEmitter()
  const strangers = new Strangers(2)
  strangers.watch(server as Server)
  const cutOff: number[] = []
  const sockets = Array.from({ length: 20 }, (_, i) => {
    const socket = Object.assign(new EventEmitter(), { destroy: () => void cutOff.push(i) }) as unknown as Socket
    server.emit('connection', socket)
    return socket
  })
  await turn()
  // The first ten show a token, two more ask for something that is open to all.
  for (const socket of sockets.slice(0, 10)) strangers.know(socket)
  for (const socket of sockets.slice(10, 12)) server.emit('request', { socket })
  expect(cutOff).toEqual([])
  await turn()
  await turn()
  expect(cutOff).toEqual([12, 13, 14, 15, 16, 17, 18, 19])
  expect(strangers.size).toBe(2)
})
