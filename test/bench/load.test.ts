import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { startFlood } from '../../bench/load/flood.ts'
import { startFollow } from '../../bench/load/follow.ts'
import type { Ask } from '../../bench/load/line.ts'
import { readOnce } from '../../bench/load/read-once.ts'

const HEAD = 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n'
const ask: Ask = { method: 'GET', path: '/' }
const chunk = (text: string) => `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`
const LAST = '0\r\n\r\n'
const answer = `${HEAD}${chunk('data: a@\n\n')}${chunk('data: 0@\n\ndata: é@\n\n')}${LAST}`

const open: { server: Server; sockets: Set<Socket> }[] = []

/** A server that does this for each request. */
async function serving(onRequest: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => socket.destroy())
    socket.on('data', () => onRequest(socket))
  })
  open.push({ server, sockets })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

afterEach(async () => {
  for (const { server, sockets } of open.splice(0)) {
    for (const socket of sockets) socket.destroy()
    await new Promise((resolve) => server.close(resolve))
  }
})

describe('the clients of the benchmarks', () => {
  test('find the end of an answer, and every token, wherever the bytes are cut', async () => {
    const bytes = Buffer.from(answer)
    let cut = 0
    const port = await serving((socket) => {
      socket.setNoDelay(true)
      socket.write(bytes.subarray(0, cut), () => setImmediate(() => socket.write(bytes.subarray(cut))))
    })
    const events: number[] = []
    for (cut = 1; cut < bytes.length; cut++) events.push((await readOnce({ port, ask })).events)
    expect(events).toEqual(Array.from({ length: bytes.length - 1 }, () => 3))
  })

  const broken: [name: string, act: (socket: Socket) => void, message: string][] = [
    [
      'an answer that breaks off',
      (socket) => socket.end(answer.slice(0, -LAST.length)),
      'before the end of the answer',
    ],
    ['an answer that is not 200', (socket) => socket.end('HTTP/1.1 401 Unauthorized\r\n\r\n'), 'HTTP/1.1 401'],
  ]
  for (const [name, act, message] of broken) {
    test(`${name} is a failure, not a figure`, async () => {
      const port = await serving(act)
      await expect(readOnce({ port, ask })).rejects.toThrow(message)
    })
  }

  test('a flood counts what came, over kept connections', async () => {
    const port = await serving((socket) => socket.write(answer))
    const flood = startFlood({ port, ask, tokens: 3, runs: 4 })
    while (flood.count().answers < 20) await new Promise((resolve) => setImmediate(resolve))
    await flood.stop({ atOnce: false })
    const { tokens, answers, failure } = flood.count()
    expect({ tokens, failure }).toEqual({ tokens: answers * 3, failure: undefined })
  })

  test('a relay that loses tokens fails the flood, however fast it is', async () => {
    const port = await serving((socket) => socket.write(answer))
    const flood = startFlood({ port, ask, tokens: 4, runs: 1 })
    while (flood.count().failure === undefined) await new Promise((resolve) => setImmediate(resolve))
    await flood.stop({ atOnce: true })
    expect(flood.count().failure).toBe('an answer had 3 tokens instead of 4')
  })

  test('readers that got different numbers of events fail the fan-out', async () => {
    let readers = 0
    const port = await serving((socket) => socket.write(readers++ === 0 ? answer : `${HEAD}${chunk('@')}${LAST}`))
    const following = await startFollow({ port, ask, readers: 2 })
    await expect(following.ended).rejects.toThrow(/reader \d got \d events, reader 0 got \d/)
    following.stop()
  })
})
