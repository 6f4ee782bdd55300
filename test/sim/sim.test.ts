import { once } from 'node:events'
import { connect } from 'node:net'
import { describe, expect, test } from 'vitest'
import type { JsonValue } from '../../src/core/json.ts'
import { createSim } from '../../src/sim/sim.ts'
import { fakeClock } from '../../src/testing/fake-clock.ts'
import { ask, send } from './raw.ts'
import { stage } from './stage.ts'

const { start } = stage()
const chat = (model: string, more: object = {}) => ({
  path: '/api/chat',
  body: { model, messages: [{ role: 'user', content: 'Hi' }], ...more },
})

describe('the address', () => {
  test('is loopback on a free port by default', async () => {
    const sim = await start()
    expect(sim.url).toBe(`http://127.0.0.1:${sim.port}`)
    expect(sim.port).toBeGreaterThan(0)
  })

  test('a port that is in use is a typed error', async () => {
    const { port } = await start()
    await expect(createSim({ port })).rejects.toMatchObject({ code: 'invalid_request', reason: 'port_in_use' })
  })
})

describe('the journal', () => {
  test('tells each request in order: path, model, bytes, status, ending, times', async () => {
    const clock = fakeClock(1000)
    const bodies: (JsonValue | undefined)[] = []
    const sim = await start({ clock, onRequest: (_, body) => bodies.push(body) })
    const whole = await ask(sim.port, chat('echo', { stream: false }))
    await sim.next()
    await clock.advance(500)
    await ask(sim.port, { method: 'GET', path: '/api/version' })
    await sim.next()
    await ask(sim.port, chat('nobody?cut=5'))
    await sim.next()
    expect(sim.requests).toEqual([
      {
        id: 1,
        method: 'POST',
        path: '/api/chat',
        model: 'echo',
        startedAt: 1000,
        status: 200,
        bytesSent: whole.body.length,
        closedByClient: false,
        ending: 'complete',
        endedAt: 1000,
      },
      {
        id: 2,
        method: 'GET',
        path: '/api/version',
        startedAt: 1500,
        status: 200,
        bytesSent: 30,
        closedByClient: false,
        ending: 'complete',
        endedAt: 1500,
      },
      {
        id: 3,
        method: 'POST',
        path: '/api/chat',
        model: 'nobody?cut=5',
        startedAt: 1500,
        status: 404,
        bytesSent: 36,
        closedByClient: false,
        ending: 'complete',
        endedAt: 1500,
      },
    ])
    expect(bodies).toEqual([chat('echo', { stream: false }).body, undefined, chat('nobody?cut=5').body])
  })

  test('keeps the last thousand', async () => {
    const sim = await start()
    const socket = connect(sim.port, '127.0.0.1')
    const count = 1003
    socket.write('GET /api/ps HTTP/1.1\r\nhost: sim\r\n\r\n'.repeat(count))
    socket.resume()
    for (let i = 0; i < count; i++) await sim.next()
    expect([sim.requests.length, sim.requests[0]!.id, sim.requests.at(-1)!.id]).toEqual([1000, 4, count])
    socket.destroy()
  })

  test('notices a client that closes between two tokens', async () => {
    const clock = fakeClock()
    const sim = await start({ clock, tokensPerSecond: 1 })
    const connection = send(sim.port, chat('lorem-100'))
    await connection.until(({ status }) => status === 200)
    await clock.advance(2000)
    const { body } = await connection.until((answer) => answer.body.toString().split('\n').length === 3)
    connection.socket.destroy()
    expect(await sim.next()).toMatchObject({ closedByClient: true, ending: 'client_closed', bytesSent: body.length })
    await clock.advance(5000)
    expect([sim.requests[0]!.bytesSent, clock.pending]).toEqual([body.length, 0])
  })
})

describe('what is not served', () => {
  const cases: [name: string, request: Parameters<typeof ask>[1], status: number, error: unknown][] = [
    ['an unknown route', { method: 'GET', path: '/nothing' }, 404, expect.objectContaining({ code: 'route_unknown' })],
    [
      'an unknown Ollama route',
      { path: '/api/pull', body: {} },
      404,
      expect.stringMatching(/^POST \/api\/pull is not served here; served are POST \/v1\/chat\/completions, /),
    ],
    ['another method', { method: 'DELETE', path: '/api/chat' }, 404, expect.stringContaining('DELETE /api/chat')],
    ['a body that is not JSON', { path: '/api/chat', body: '{' }, 400, 'no valid JSON from character 1 on'],
    ['a body that is no object', { path: '/api/chat', body: 'null' }, 400, expect.stringContaining('expected object')],
    ['no model', { path: '/api/chat', body: { messages: [] } }, 400, expect.stringMatching(/^model: /)],
    [
      'a bad message',
      { path: '/api/chat', body: { model: 'echo', messages: [{ role: 'robot' }] } },
      400,
      expect.stringMatching(/^messages\.0\.role: /),
    ],
    [
      'a body without end',
      { path: '/api/chat', body: '"'.padEnd(10 * 1024 * 1024 + 1, 'x') },
      413,
      expect.stringContaining('larger than'),
    ],
    [
      'a bad fault in the header',
      { ...chat('echo'), headers: { 'x-sim-fault': 'cut=x' } },
      400,
      expect.stringContaining('write cut=BYTES'),
    ],
  ]
  for (const [name, request, status, error] of cases) {
    test(name, async () => {
      const sim = await start()
      const answer = await ask(sim.port, request)
      expect([answer.status, JSON.parse(answer.body.toString())]).toEqual([status, { error }])
    })
  }
})

describe('closing', () => {
  test('ends open streams, and says in the journal that the client did not', async () => {
    const clock = fakeClock()
    const sim = await createSim({ clock, tokensPerSecond: 1 })
    const connection = send(sim.port, chat('lorem-100'))
    await connection.until(({ status }) => status === 200)
    const closed = once(connection.socket, 'close')
    await sim.close()
    await closed
    expect(sim.requests[0]).toMatchObject({ ending: 'sim_closed', closedByClient: false })
    expect(clock.pending).toBe(0)
  })
})

describe('equal requests', () => {
  test('get equal bytes; other requests other ids', async () => {
    const sim = await start({ clock: fakeClock() })
    const answers = [
      await ask(sim.port, chat('echo')),
      await ask(sim.port, chat('echo')),
      await ask(sim.port, chat('lorem-1')),
    ]
    const [first, second, third] = answers.map(({ body }) => body.toString())
    expect(second).toBe(first)
    expect(third).not.toBe(first)
    expect(answers.map(({ headers }) => headers['x-request-id'])).toEqual(['req_sim_1', 'req_sim_2', 'req_sim_3'])
  })
})
