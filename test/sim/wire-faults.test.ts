/** Every fault does on the wire what it says, seen by a client that is a bare socket. */
import { describe, expect, test } from 'vitest'
import { fakeClock } from '../../src/testing/fake-clock.ts'
import { type RawAnswer, ask, send } from './raw.ts'
import { stage } from './stage.ts'

const { start } = stage()

const routes = {
  openai: {
    path: '/v1/chat/completions',
    body: (model: string) => ({ model, stream: true, messages: [{ role: 'user', content: 'one two three' }] }),
  },
  ollama: {
    path: '/api/chat',
    body: (model: string) => ({ model, messages: [{ role: 'user', content: 'one two three' }] }),
  },
} as const
type Route = keyof typeof routes

const request = (route: Route, model: string) => ({ path: routes[route].path, body: routes[route].body(model) })
const framesOf = (route: Route, { body }: RawAnswer) =>
  body.toString().split(route === 'openai' ? /(?<=\n\n)/ : /(?<=\n)/)

for (const route of ['openai', 'ollama'] as const) {
  describe(route, () => {
    const setUp = async () => {
      const sim = await start()
      const healthy = await ask(sim.port, request(route, 'echo'))
      await sim.next()
      const harmed = (faults: string) => ask(sim.port, request(route, `echo?${faults}`))
      return { sim, healthy, harmed }
    }

    test('without a fault the answer is whole', async () => {
      const { healthy } = await setUp()
      expect([healthy.status, healthy.whole, healthy.closed]).toEqual([200, true, 'open'])
      expect(framesOf(route, healthy)).toHaveLength(route === 'openai' ? 6 : 4)
    })

    test('cut closes with FIN after exactly so many bytes, wherever that is', async () => {
      const { sim, healthy, harmed } = await setUp()
      for (const bytes of [0, 1, 17, 150, healthy.body.length - 1, healthy.body.length]) {
        const answer = await harmed(`cut=${bytes}`)
        expect(answer).toMatchObject({ status: 200, whole: false, closed: 'fin' })
        expect(answer.body).toEqual(healthy.body.subarray(0, bytes))
        expect(await sim.next()).toMatchObject({ bytesSent: bytes, ending: 'fault', closedByClient: false })
      }
    })

    test('a cut beyond the end is not reached', async () => {
      const { healthy, harmed } = await setUp()
      const answer = await harmed(`cut=${healthy.body.length + 1}`)
      expect([answer.whole, answer.closed, answer.body]).toEqual([true, 'open', healthy.body])
    })

    test('cut with rst resets the connection, after the same bytes', async () => {
      const { healthy, harmed } = await setUp()
      for (const [faults, bytes] of [
        ['cut=150&rst', 150],
        ['cut=0:rst', 0],
        ['rst', 0],
      ] as const) {
        const answer = await harmed(faults)
        expect([answer.status, answer.whole, answer.closed]).toEqual([200, false, 'rst'])
        expect(answer.body).toEqual(healthy.body.subarray(0, bytes))
      }
    })

    test('end is whole for HTTP, though bytes are missing', async () => {
      const { sim, healthy, harmed } = await setUp()
      const answer = await harmed('end=150')
      expect([answer.whole, answer.closed, answer.body]).toEqual([true, 'open', healthy.body.subarray(0, 150)])
      expect(await sim.next()).toMatchObject({ bytesSent: 150, ending: 'fault', closedByClient: false })
    })

    test('drip writes so many bytes at a time', async () => {
      const clock = fakeClock()
      const sim = await start({ clock })
      const healthy = await ask(sim.port, request(route, 'echo'))
      for (const size of [1, 7]) {
        const connection = send(sim.port, request(route, `echo?drip=${size}`))
        await connection.until(({ status }) => status === 200)
        await clock.advance(healthy.body.length)
        const { chunks, whole } = await connection.until((answer) => answer.whole)
        connection.socket.destroy()
        expect(whole).toBe(true)
        const starts = Array.from({ length: Math.ceil(healthy.body.length / size) }, (_, i) => i * size)
        expect(chunks).toEqual(starts.map((at) => healthy.body.subarray(at, at + size)))
      }
    })

    test('malformed breaks the JSON of one frame, and leaves the others as they are', async () => {
      const { healthy, harmed } = await setUp()
      const frames = framesOf(route, healthy)
      const broken = framesOf(route, await harmed('malformed=3'))
      expect([...broken.slice(0, 2), ...broken.slice(3)]).toEqual([...frames.slice(0, 2), ...frames.slice(3)])
      const payload = broken[2]!.replace(/^data: /, '').trim()
      expect(frames[2]!.replace(/^data: /, '').startsWith(payload)).toBe(true)
      expect(() => void JSON.parse(payload)).toThrow(SyntaxError)
    })

    test('error comes after so many frames, and nothing after it', async () => {
      const { healthy, harmed } = await setUp()
      const answer = await harmed('error=2')
      const frames = framesOf(route, answer)
      expect(frames.slice(0, -1)).toEqual(framesOf(route, healthy).slice(0, 2))
      expect(JSON.parse(frames.at(-1)!.replace(/^data: /, ''))).toEqual(
        route === 'openai'
          ? { error: expect.objectContaining({ type: 'server_error' }) }
          : { error: 'an error was encountered while running the model' },
      )
      expect([answer.status, answer.whole]).toEqual([200, true])
    })

    test('no-done leaves out the end mark only', async () => {
      const { healthy, harmed } = await setUp()
      const answer = await harmed('no-done')
      expect(framesOf(route, answer)).toEqual(framesOf(route, healthy).slice(0, -1))
      expect(answer.whole).toBe(true)
    })

    test('content-type changes the header only', async () => {
      const { healthy, harmed } = await setUp()
      const answer = await harmed('content-type=text/html')
      expect([healthy, answer].map(({ headers }) => headers['content-type'])).toEqual([
        route === 'openai' ? 'text/event-stream; charset=utf-8' : 'application/x-ndjson',
        'text/html',
      ])
      expect(answer.body).toEqual(healthy.body)
    })

    test('status answers with an error of the API’s own shape, and Retry-After', async () => {
      const { harmed } = await setUp()
      const answer = await harmed('status=429:retry-after=2')
      expect([answer.status, answer.headers['retry-after'], answer.headers['content-type']]).toEqual([
        429,
        '2',
        'application/json; charset=utf-8',
      ])
      const message = 'Rate limit reached. Please try again later.'
      expect(JSON.parse(answer.body.toString())).toEqual(
        route === 'openai'
          ? { error: { message, type: 'requests', param: null, code: 'rate_limit_exceeded' } }
          : { error: message },
      )
    })

    test('fail-first fails so many requests, then answers', async () => {
      const { healthy, harmed } = await setUp()
      const answers = [await harmed('fail-first=2'), await harmed('fail-first=2'), await harmed('fail-first=2')]
      expect(answers.map(({ status }) => status)).toEqual([503, 503, 200])
      expect(answers[2]!.body).toEqual(healthy.body)
    })
  })
}

describe('silence', () => {
  test('stall sends so many bytes and then nothing, with the connection open', async () => {
    const clock = fakeClock()
    const sim = await start({ clock })
    const connection = send(sim.port, request('openai', 'lorem-50?stall=500'))
    const answer = await connection.until(({ body }) => body.length === 500)
    expect([answer.status, answer.whole, answer.closed]).toEqual([200, false, 'open'])
    await clock.advance(3_600_000)
    expect([sim.requests[0]!.bytesSent, sim.requests[0]!.endedAt, clock.pending]).toEqual([500, undefined, 0])
    connection.socket.destroy()
    expect(await sim.next()).toMatchObject({ bytesSent: 500, closedByClient: true })
  })

  test('stall without a number sends not even headers', async () => {
    const clock = fakeClock()
    let arrived = () => {}
    const asked = new Promise<void>((resolve) => (arrived = resolve))
    const sim = await start({ clock, onRequest: arrived })
    const connection = send(sim.port, request('ollama', 'echo?stall'))
    await asked
    await clock.advance(3_600_000)
    expect([sim.requests[0]!.status, connection.socket.bytesRead]).toEqual([undefined, 0])
    connection.socket.destroy()
    expect(await sim.next()).toMatchObject({ bytesSent: 0, closedByClient: true })
  })

  test('slow-headers waits before the headers', async () => {
    const clock = fakeClock()
    let arrived = () => {}
    const asked = new Promise<void>((resolve) => (arrived = resolve))
    const sim = await start({ clock, onRequest: arrived })
    const connection = send(sim.port, request('ollama', 'echo?slow-headers=2000'))
    await asked
    await clock.advance(1999)
    expect(sim.requests[0]!.status).toBeUndefined()
    await clock.advance(1)
    expect(await connection.until(({ whole }) => whole)).toMatchObject({ status: 200, whole: true })
    connection.socket.destroy()
  })

  test('drip waits between its writes', async () => {
    const clock = fakeClock()
    const sim = await start({ clock })
    const connection = send(sim.port, request('ollama', 'echo?drip=10,every=100'))
    await connection.until(({ body }) => body.length === 10)
    await clock.advance(99)
    expect(sim.requests[0]!.bytesSent).toBe(10)
    await clock.advance(1)
    expect(sim.requests[0]!.bytesSent).toBe(20)
    await clock.advance(300)
    expect(sim.requests[0]!.bytesSent).toBe(50)
    connection.socket.destroy()
  })
})

describe('where faults are chosen', () => {
  const cut = { status: 200, whole: false, closed: 'fin' }

  test('a header works as the suffix does', async () => {
    const sim = await start()
    const headers = { 'x-sim-fault': 'cut=20' }
    const answer = await ask(sim.port, { ...request('openai', 'echo'), headers })
    expect(answer).toMatchObject(cut)
    expect(answer.body).toHaveLength(20)
  })

  test('flags hold for every request to a model; header and suffix go before them', async () => {
    const sim = await start({ faults: { cut: 30, failFirst: 3 } })
    const lengths = [
      await ask(sim.port, request('openai', 'echo')),
      await ask(sim.port, { ...request('openai', 'echo'), headers: { 'x-sim-fault': 'cut=20' } }),
      await ask(sim.port, { ...request('openai', 'echo?cut=10'), headers: { 'x-sim-fault': 'cut=20' } }),
    ].map(({ body }) => body.length)
    expect(lengths).toEqual([30, 20, 10])
    expect((await ask(sim.port, request('openai', 'echo'))).whole).toBe(true)
  })

  test('lists of models are not harmed by flags, but by a header', async () => {
    const sim = await start({ faults: { status: 500 } })
    const list = { method: 'GET', path: '/api/tags' }
    expect((await ask(sim.port, list)).status).toBe(200)
    expect((await ask(sim.port, { ...list, headers: { 'x-sim-fault': 'status=502' } })).status).toBe(502)
  })

  test('a whole answer is harmed too', async () => {
    const sim = await start()
    const whole = (model: string) =>
      ask(sim.port, { path: '/api/chat', body: { ...routes.ollama.body(model), stream: false } })
    expect(await whole('echo?cut=15')).toMatchObject(cut)
    const broken = await whole('echo?malformed=1')
    expect(broken.whole).toBe(true)
    expect(() => void JSON.parse(broken.body.toString())).toThrow(SyntaxError)
  })
})
