import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Agent, request } from 'undici'
import { afterEach, describe, expect, test } from 'vitest'
import type { Log } from '../../../src/core/log.ts'
import { memoryLog } from '../../../src/logs/memory.ts'
import { sqliteLog } from '../../../src/logs/sqlite.ts'
import { claimOf } from '../../../src/servers/http/runs/idempotency.ts'
import { defaultHttpLimits } from '../../../src/servers/http/limits.ts'
import { fakeClock } from '../../../src/testing/fake-clock.ts'
import { connect, settled, type Connected } from './connected.ts'
import { held } from './held.ts'
import { ended, lab } from './lab.ts'

const closing: (() => Promise<void> | void)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close()
})

/** As many connections as there are requests: nobody waits for anybody. */
function crowd(): Agent {
  const agent = new Agent({ pipelining: 1, keepAliveTimeout: 1_000 })
  closing.push(() => agent.destroy())
  return agent
}

interface Answer {
  readonly status: number
  readonly run: unknown
  readonly replayed: unknown
  readonly text: string
}

async function start(
  c: Connected,
  dispatcher: Agent,
  { key = 'k', body = { prompt: 'Hi' }, headers = {} } = {},
): Promise<Answer> {
  const response = await request(`http://127.0.0.1:${c.port}/v1/runs`, {
    method: 'POST',
    dispatcher,
    headers: {
      authorization: `Bearer ${c.token}`,
      'content-type': 'application/json',
      accept: 'text/event-stream',
      'idempotency-key': key,
      ...headers,
    },
    body: JSON.stringify(body),
  })
  const { 'x-run-id': run, 'idempotency-replayed': replayed } = response.headers
  return { status: response.statusCode, run, replayed, text: await response.body.text() }
}

const stores: [name: string, open: () => Promise<Log>][] = [
  ['memory', async () => memoryLog({ clock: fakeClock() })],
  [
    'sqlite',
    async () => {
      const folder = mkdtempSync(join(tmpdir(), 'runlet-http-'))
      const log = await sqliteLog(join(folder, 'runs.db'), { clock: fakeClock() })
      closing.push(async () => {
        await log.close()
        rmSync(folder, { recursive: true, force: true })
      })
      return log
    },
  ],
]

for (const [name, open] of stores) {
  describe(`one key, over HTTP, into ${name}`, () => {
    test('a thousand starts at once make one model call, and get the same stream each', async () => {
      const { scripts, release } = held()
      const c = await connect({ scripts, log: await open() })
      const dispatcher = crowd()
      const asked = Array.from({ length: 1_000 }, () => start(c, dispatcher))
      while (c.server.readers < 1_000) await settled()
      release()
      const answers = await Promise.all(asked)
      const [first] = answers
      expect(c.provider.requests).toHaveLength(1)
      expect(await c.runtime.list()).toHaveLength(1)
      expect(new Set(answers.map(({ text }) => text)).size).toBe(1)
      expect(new Set(answers.map(({ status, run }) => `${status} ${String(run)}`))).toEqual(
        new Set([`200 ${String(first!.run)}`]),
      )
      expect(answers.filter(({ replayed }) => replayed !== 'true')).toHaveLength(1)
      const types = ['start', 'turn.start', 'step.start', 'text.delta', 'text.delta', 'step.end', 'turn.end', 'finish']
      expect(first!.text.match(/^event: .*$/gm)).toEqual([...types, 'done'].map((type) => `event: ${type}`))
    })

    test('keys are told apart: a hundred, ten times each, are a hundred runs', async () => {
      const c = await connect({ log: await open() })
      const dispatcher = crowd()
      const answers = await Promise.all(
        Array.from({ length: 1_000 }, (_, i) =>
          start(c, dispatcher, { key: `k${i % 100}`, body: { prompt: `${i % 100}` } }),
        ),
      )
      const runs = new Map<string, Set<string>>()
      answers.forEach(({ run, text }, i) => {
        const key = `k${i % 100}`
        runs.set(key, (runs.get(key) ?? new Set()).add(`${String(run)} ${text}`))
      })
      expect([...runs.values()].map((seen) => seen.size)).toEqual(Array.from({ length: 100 }, () => 1))
      expect(c.provider.requests).toHaveLength(100)
    })

    test('another body is a conflict, also in the middle of a crowd', async () => {
      const { scripts, release } = held()
      const c = await connect({ scripts, log: await open() })
      const dispatcher = crowd()
      const asked = Array.from({ length: 100 }, (_, i) =>
        start(c, dispatcher, { body: { prompt: i % 10 === 9 ? 'Ho' : 'Hi' } }),
      )
      while (c.server.readers < 10) await settled()
      release()
      const statuses = (await Promise.all(asked)).map(({ status }) => status)
      // Whoever came first has the key; those who ask something else are refused.
      const [mine, count] = statuses[0] === 200 ? ['Hi', 90] : ['Ho', 10]
      expect(statuses).toEqual(Array.from({ length: 100 }, (_, i) => ((i % 10 === 9) === (mine === 'Ho') ? 200 : 422)))
      expect(statuses.filter((status) => status === 200)).toHaveLength(count)
      expect(c.provider.requests).toHaveLength(1)
    })
  })
}

describe('a hundred starts that all find the key free before any has begun', () => {
  /** A log that answers whether a key is taken only when everybody has asked. */
  function atOnce(log: Log, count: number): Log {
    let asked = 0
    let open!: () => void
    const all = new Promise<void>((resolve) => {
      open = resolve
    })
    return {
      ...log,
      async claimed(claim) {
        const answer = await log.claimed(claim)
        if (++asked === count) open()
        await all
        return answer
      },
    }
  }

  const begin = async (log: Log) => {
    const l = lab({ log: atOnce(log, 100) })
    const asked = Array.from({ length: 100 }, () => l.post('/v1/runs', { prompt: 'Hi' }, { 'idempotency-key': 'k' }))
    const runs = (await Promise.all(asked)).map((response) => response.headers.get('x-run-id')!)
    for (const run of new Set(runs)) await ended(l, run)
    return { runs: new Set(runs).size, calls: l.provider.requests.length }
  }

  for (const [name, open] of stores) {
    test(`are one run in ${name}, since run and key are stored as one step`, async () => {
      expect(await begin(await open())).toEqual({ runs: 1, calls: 1 })
    })
  }

  test('would be a hundred in a store that forgets the key', async () => {
    const log = memoryLog({ clock: fakeClock() })
    const forgetful: Log = {
      ...log,
      create: ({ start: begun, events, request: asked }) => log.create({ start: begun, events, request: asked }),
    }
    expect(await begin(forgetful)).toEqual({ runs: 100, calls: 100 })
  })
})

describe('how long a key holds', () => {
  test('is what the server was told', async () => {
    const l = lab({ limits: { idempotencyMs: 5_000 } })
    const post = async () => {
      const response = await l.post('/v1/runs', { prompt: 'Hi' }, { 'idempotency-key': 'k' })
      await ended(l, response.headers.get('x-run-id')!)
      return response.headers.get('idempotency-replayed')
    }
    const seen = [await post()]
    await l.clock.advance(4_999)
    seen.push(await post())
    await l.clock.advance(1)
    seen.push(await post())
    expect(seen).toEqual([null, 'true', null])
    expect(l.provider.requests).toHaveLength(2)
  })
})

describe('a claim', () => {
  const http = { clock: fakeClock(), limits: defaultHttpLimits }
  const claim = (json: object, route = 'POST /v1/runs') => claimOf('k', json as never, http, route)

  test('does not depend on the order of members, nor on the key that may stand among them', () => {
    const one = claim({ a: { b: 1, c: [1, 2] }, d: null, idempotency_key: 'k' })
    expect(claim({ d: null, a: { c: [1, 2], b: 1 } })).toEqual(one)
  })

  const others: [name: string, json: object][] = [
    ['another value', { a: { b: 2, c: [1, 2] }, d: null }],
    ['another order of a list', { a: { b: 1, c: [2, 1] }, d: null }],
    ['a number that is a text', { a: { b: '1', c: [1, 2] }, d: null }],
    ['a member less', { a: { b: 1, c: [1, 2] } }],
    ['a member that is only here ignored', { a: { b: 1, c: [1, 2] }, d: null, e: 1 }],
    ['a name that holds what separates', { 'a":{"b': 1, d: null }],
  ]
  for (const [name, json] of others) {
    test(`depends on ${name}`, () => {
      expect(claim(json).fingerprint).not.toBe(claim({ a: { b: 1, c: [1, 2] }, d: null }).fingerprint)
    })
  }

  test('is of one route, and of the owner', () => {
    expect(claim({}).scope).toBe('owner POST /v1/runs')
    expect(claim({}, 'POST /v1/chat/completions').scope).toBe('owner POST /v1/chat/completions')
  })

  test('ends in a day, where nobody said when', () => {
    expect(claim({}).expires_at - http.clock.now()).toBe(24 * 60 * 60 * 1_000)
  })
})
