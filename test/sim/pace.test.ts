import { once } from 'node:events'
import http from 'node:http'
import { describe, expect, test } from 'vitest'
import { systemClock } from '../../src/core/clock.ts'
import { ticker } from '../../src/sim/ticker.ts'
import { fakeClock } from '../../src/testing/fake-clock.ts'
import { ask, send } from './raw.ts'
import { ownFixtures, stage } from './stage.ts'

const { start } = stage()
const path = '/api/chat'
const chat = (model: string, more: object = {}) => ({
  path,
  body: { model, messages: [{ role: 'user', content: 'a b c d e' }], ...more },
})
const lines = (body: Buffer) => body.toString().split('\n').length - 1

describe('tokens per second', () => {
  test('n tokens are there after n token-times, not before and not later', async () => {
    const clock = fakeClock()
    const sim = await start({ clock, tokensPerSecond: 10 })
    const connection = send(sim.port, chat('lorem-25'))
    await connection.until(({ status }) => status === 200)
    for (const [ms, count] of [
      [99, 0],
      [1, 1],
      [100, 2],
      [50, 2],
      [50, 3],
      [1700, 20],
      [499, 24],
    ] as const) {
      await clock.advance(ms)
      const { body } = await connection.until(({ body: sofar }) => lines(sofar) >= count)
      expect(lines(body)).toBe(count)
      expect(sim.requests[0]!.bytesSent).toBe(body.length)
    }
    await clock.advance(1)
    expect(await connection.until(({ whole }) => whole)).toMatchObject({ whole: true })
    connection.socket.destroy()
  })

  test('tokens that are late come together, and the next is on time: nothing adds up', async () => {
    const clock = fakeClock()
    const lateClock = { ...clock, after: (ms: number, callback: () => void) => clock.after(ms + 35, callback) }
    const sim = await start({ clock: lateClock, tokensPerSecond: 100 })
    const connection = send(sim.port, chat('lorem-100'))
    await connection.until(({ status }) => status === 200)
    await clock.advance(1000)
    const { body } = await connection.until(({ body: sofar }) => lines(sofar) >= 96)
    // Every timer is 35 ms late: at 45, 85 … 965 ms. Lateness that added up would leave 22 tokens.
    expect(lines(body)).toBe(96)
    connection.socket.destroy()
  })

  test('a fraction of a millisecond per token is kept', async () => {
    const clock = fakeClock()
    const sim = await start({ clock, tokensPerSecond: 3000 })
    const connection = send(sim.port, chat('lorem-1000'))
    await connection.until(({ status }) => status === 200)
    await clock.advance(200)
    const { body } = await connection.until(({ body: sofar }) => lines(sofar) >= 600)
    expect(lines(body)).toBe(600)
    connection.socket.destroy()
  })

  test('the request may choose: tps in its faults', async () => {
    const clock = fakeClock()
    const sim = await start({ clock, tokensPerSecond: 1 })
    const answer = await ask(sim.port, chat('lorem-25?tps=max'))
    expect(lines(answer.body)).toBe(26)
  })

  test('a whole answer comes when its stream would have ended', async () => {
    const clock = fakeClock()
    const sim = await start({ clock, tokensPerSecond: 10 })
    const connection = send(sim.port, chat('echo', { stream: false }))
    await connection.until(({ status }) => status === 200)
    await clock.advance(499)
    expect(sim.requests[0]!.bytesSent).toBe(0)
    await clock.advance(1)
    expect((await connection.until(({ whole }) => whole)).whole).toBe(true)
    connection.socket.destroy()
  })
})

describe('a script’s own pace', () => {
  test('holds where nobody asks for another, pauses included', async () => {
    const clock = fakeClock()
    const sim = await start({ clock })
    const connection = send(sim.port, chat('slow'))
    await connection.until(({ status }) => status === 200)
    await clock.advance(2499)
    expect(sim.requests[0]!.bytesSent).toBe(0)
    await clock.advance(501)
    const { body } = await connection.until(({ body: sofar }) => lines(sofar) >= 2)
    expect(lines(body)).toBe(2)
    connection.socket.destroy()
  })

  test('is overruled by max, pauses included', async () => {
    const sim = await start({ clock: fakeClock(), tokensPerSecond: Number.POSITIVE_INFINITY })
    expect((await ask(sim.port, chat('slow'))).whole).toBe(true)
  })
})

describe('a recording that knows its time', () => {
  const request = chat('timed')

  test('is played with it when asked to', async () => {
    const clock = fakeClock()
    const sim = await start({ clock, dirs: [ownFixtures], recordedTiming: true })
    const connection = send(sim.port, request)
    await connection.until(({ status }) => status === 200)
    const sent: number[] = []
    for (const ms of [0, 39, 1, 59, 1, 900]) {
      await clock.advance(ms)
      sent.push(sim.requests[0]!.bytesSent)
    }
    // Three chunks, at 0, 40 and 100.5 ms; the second ends inside a character.
    expect(sent).toEqual([60, 60, 95, 95, 95, 241])
    expect((await connection.until(({ whole }) => whole)).whole).toBe(true)
    connection.socket.destroy()
  })

  test('is otherwise one frame per token-time', async () => {
    const clock = fakeClock()
    const sim = await start({ clock, dirs: [ownFixtures], tokensPerSecond: 10 })
    const connection = send(sim.port, request)
    await connection.until(({ status }) => status === 200)
    await clock.advance(100)
    expect(lines((await connection.until(({ body }) => lines(body) >= 1)).body)).toBe(1)
    connection.socket.destroy()
  })
})

describe('as fast as the socket takes it', () => {
  test('a client that does not read holds the writer, and gets everything once it does', async () => {
    const sim = await start()
    const { body } = chat('lorem-100000')
    const request = http.request(`${sim.url}${path}`, { method: 'POST' })
    request.end(JSON.stringify(body))
    const [answer] = (await once(request, 'response')) as [http.IncomingMessage]
    // Whole rounds of the loop without progress mean that the writer waits for the socket.
    let held = -1
    for (let still = 0; still < 50;) {
      await new Promise((resolve) => setImmediate(resolve))
      const { bytesSent } = sim.requests[0]!
      still = bytesSent === held ? still + 1 : 0
      held = bytesSent
    }
    expect(sim.requests[0]!.endedAt).toBeUndefined()
    let length = 0
    let count = 0
    for await (const chunk of answer as AsyncIterable<Buffer>) {
      length += chunk.length
      count += lines(chunk)
    }
    expect([answer.complete, count]).toEqual([true, 100_001])
    expect(held).toBeLessThan(length)
    expect(await sim.next()).toMatchObject({ bytesSent: length, ending: 'complete' })
  })
})

describe('one ticker for all', () => {
  test('a hundred streams that began together wait on one timer, and all are whole', async () => {
    const clock = fakeClock()
    const sim = await start({ clock, tokensPerSecond: 20 })
    const connections = Array.from({ length: 100 }, () => send(sim.port, chat('lorem-40')))
    await Promise.all(connections.map((connection) => connection.until(({ status }) => status === 200)))
    expect(clock.pending).toBe(1)
    await clock.advance(2000)
    const answers = await Promise.all(connections.map((connection) => connection.until(({ whole }) => whole)))
    expect(answers.filter(({ whole, body }) => whole && lines(body) === 41)).toHaveLength(100)
    for (const { socket } of connections) socket.destroy()
  })

  test('shares a timer between all that are due in the same millisecond', async () => {
    const clock = fakeClock(1000)
    const shared = ticker(clock)
    const called: string[] = []
    shared.at(1010, () => called.push('a'))
    shared.at(1009.2, () => called.push('b'))
    shared.at(1005, () => called.push('c'))
    shared.at(900, () => called.push('late'))
    expect(clock.pending).toBe(3)
    await clock.advance(10)
    expect(called).toEqual(['late', 'c', 'a', 'b'])
  })

  test('a caller may ask again from its call', async () => {
    const clock = fakeClock(0)
    const shared = ticker(clock)
    const times: number[] = []
    const again = () => {
      times.push(clock.now())
      if (times.length < 3) shared.at(clock.now() + 5, again)
    }
    shared.at(0, again)
    await clock.advance(100)
    expect(times).toEqual([0, 5, 10])
  })

  test('closing calls off everything', () => {
    const clock = fakeClock()
    const shared = ticker(clock)
    shared.at(clock.now() + 1, () => {})
    shared.close()
    expect(clock.pending).toBe(0)
  })

  test('reads the machine’s clock where none is given', () => {
    const shared = ticker(systemClock)
    expect(shared.now()).toBeGreaterThan(1_600_000_000_000)
    shared.close()
  })
})
