import { afterEach, describe, expect, test } from 'vitest'
import { Batch } from '../../../src/core/batch.ts'
import type { Entry, RunEvent } from '../../../src/core/event.ts'
import { emptyView, fold } from '../../../src/core/fold.ts'
import type { Log } from '../../../src/core/log.ts'
import { randomEvents, seededRandom } from '../../../src/testing/random-run.ts'
import { gaiClient, type GaiClient } from '../../formats/gai-client.ts'
import { lab, runEnds, stepBegins, texts, type Lab } from './lab.ts'
import { rawRequest } from './raw-reader.ts'

const accepts = { sse: 'text/event-stream', ndjson: 'application/x-ndjson' } as const
type Accept = keyof typeof accepts
const framings = Object.keys(accepts) as Accept[]

/** A run that ended, with all kinds of events, in batches of up to 8; small enough to be cut at each byte. */
async function recorded(l: Lab): Promise<{ id: string; entries: Entry[] }> {
  const events = randomEvents(seededRandom(84), { turns: 1, steps: 2, rows: 3 })
  const id = await l.begin(events.slice(1, 4))
  for (let at = 4; at < events.length; at += 8) await l.log.append(id, 1, events.slice(at, at + 8))
  const entries: Entry[] = []
  for await (const record of l.log.read(id)) if (record instanceof Batch) entries.push(...record.entries)
  return { id, entries }
}

async function bytesOf(response: Response): Promise<Uint8Array> {
  expect(response.status).toBe(200)
  return new Uint8Array(await response.arrayBuffer())
}

function fed(framing: Accept, ...pieces: Uint8Array[]): GaiClient {
  const client = gaiClient({ framing })
  for (const bytes of pieces) client.feed(bytes)
  return client
}

describe('GET /v1/runs/{id}/events', () => {
  for (const framing of framings) {
    const events = (l: Lab, id: string, query = '', headers: Record<string, string> = {}) =>
      l.ask(`/v1/runs/${id}/events${query}`, { headers: { accept: accepts[framing], ...headers } })

    test(`${framing}: what is streamed folds to what the log holds`, async () => {
      const l = lab()
      const { id, entries } = await recorded(l)
      for (const query of ['', '?compact=1', '?compact=0', '?format=gai']) {
        const client = fed(framing, await bytesOf(await events(l, id, query)))
        expect(client.state).toEqual(fold(emptyView, entries))
        expect(client.done).toBe(true)
      }
    })

    test(`${framing}: cut after any byte, a client comes back with its last event and has what the uncut one has`, async () => {
      const l = lab()
      const { id, entries } = await recorded(l)
      const whole = await bytesOf(await events(l, id))
      // The tail behind each place is asked for once; cuts within one event come back to the same place.
      const tails = new Map<string, Uint8Array>()
      for (let cut = 0; cut < whole.length; cut++) {
        const client = fed(framing, whole.subarray(0, cut))
        client.cut()
        const { cursor, done } = client
        if (done) continue
        const place = cursor ? `${cursor.epoch}-${cursor.seq}` : ''
        if (!tails.has(place)) {
          const response = await events(l, id, '', place ? { 'last-event-id': place } : {})
          // Nothing is left behind the terminal event: an EventSource is told to stay away.
          const over = framing === 'sse' && cursor?.seq === entries.length
          expect(response.status).toBe(over ? 204 : 200)
          tails.set(place, new Uint8Array(await response.arrayBuffer()))
        }
        client.feed(tails.get(place)!)
        expect(client.state).toEqual(fold(emptyView, entries))
      }
      expect(tails.size).toBe(entries.length + 1)
    })

    test(`${framing}: ?after= and Last-Event-ID give the same tail from every place`, async () => {
      const l = lab()
      const { id, entries } = await recorded(l)
      for (let seq = 0; seq < entries.length; seq++) {
        const tail = await bytesOf(await events(l, id, `?after=1-${seq}`))
        expect(await bytesOf(await events(l, id, '', { 'last-event-id': `1-${seq}` }))).toEqual(tail)
        // A browser that comes back repeats its first URL; what its header says is newer.
        expect(await bytesOf(await events(l, id, '?after=1-0', { 'last-event-id': `1-${seq}` }))).toEqual(tail)
        // A run with one owner needs no epoch.
        expect(await bytesOf(await events(l, id, `?after=${seq}`))).toEqual(tail)
      }
    })

    test(`${framing}: a snapshot, and then what comes`, async () => {
      const l = lab()
      const id = await l.begin()
      await l.log.append(id, 1, texts(5))
      const response = await events(l, id, '?snapshot=1')
      await l.log.append(id, 1, [...texts(2), ...runEnds])
      const client = fed(framing, await bytesOf(response))
      expect(client.controls).toEqual([
        { type: 'snapshot', ts: l.clock.now(), cursor: '1-8', view: expect.objectContaining({ seq: 8 }) },
      ])
      expect(client.entries.map(({ seq }) => seq)).toEqual([9, 10, 11, 12, 13])
      expect(client.state).toEqual(await (await l.runtime.find(id)).view())
      // Whoever is cut behind the snapshot comes back to its place, not to another snapshot.
      const again = Buffer.from(
        await bytesOf(await events(l, id, '?snapshot=1', { 'last-event-id': '1-8' })),
      ).toString()
      expect([again.includes('snapshot'), /"seq":(\d+)/.exec(again)?.[1]]).toEqual([false, '9'])
    })
  }

  test('a snapshot of a run that ended ends, and an EventSource that comes back is told to stay away', async () => {
    const l = lab()
    const { id, entries } = await recorded(l)
    const client = fed('sse', await bytesOf(await l.ask(`/v1/runs/${id}/events?snapshot=1`)))
    expect([client.state, client.done]).toEqual([fold(emptyView, entries), true])
    const headers = { 'last-event-id': `${client.cursor!.epoch}-${client.cursor!.seq}` }
    expect((await l.ask(`/v1/runs/${id}/events?snapshot=1`, { headers })).status).toBe(204)
  })

  test('SSE is what a client gets that takes anything; and HEAD gets its headers', async () => {
    const l = lab()
    const { id } = await recorded(l)
    for (const headers of [{}, { accept: '*/*' }, { accept: 'text/*' }] as Record<string, string>[]) {
      const response = await l.ask(`/v1/runs/${id}/events`, { headers })
      expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8')
      await response.body!.cancel()
    }
    const head = await l.ask(`/v1/runs/${id}/events`, { method: 'HEAD' })
    expect([head.status, head.headers.get('content-type'), await head.text()]).toEqual([
      200,
      'text/event-stream; charset=utf-8',
      '',
    ])
    expect(l.server.readers).toBe(0)
  })
})

describe('refusals, before a stream begins', () => {
  const cases: [name: string, query: string, headers: Record<string, string>, status: number, reason: string][] = [
    ['no cursor', '?after=x', {}, 400, 'cursor_malformed'],
    ['a negative one', '?after=-1', {}, 400, 'cursor_malformed'],
    ['a fraction', '?after=1.5', {}, 400, 'cursor_malformed'],
    ['one beyond numbers', '?after=9007199254740993', {}, 400, 'cursor_malformed'],
    ['epoch 0', '?after=0-3', {}, 400, 'cursor_malformed'],
    ['an empty one', '?after=', {}, 400, 'cursor_malformed'],
    ['one with spaces', '?after=%201-3', {}, 400, 'cursor_malformed'],
    ['a list', '', { 'last-event-id': '1-3, 1-4' }, 400, 'cursor_malformed'],
    ['the future', '?after=1-9', {}, 409, 'cursor_future'],
    ['the far future', '', { 'last-event-id': '1-999999999999999' }, 409, 'cursor_future'],
    ['another owner to come', '?after=3-4', {}, 409, 'cursor_future'],
    ['a place that was never there', '?after=2-4', {}, 409, 'cursor_foreign'],
    ['a place that was lost', '?after=1-8', {}, 409, 'cursor_foreign'],
    ['no epoch, where it matters', '?after=4', {}, 400, 'cursor_epoch_required'],
    ['a cursor and a snapshot', '?after=1-3&snapshot=1', {}, 400, 'cursor_and_snapshot'],
    ['a misspelt parameter', '?afer=1-3', {}, 400, 'unknown_parameter'],
    ['an unknown format', '?format=gia', {}, 400, 'unknown_format'],
    ['a format named like a member of all objects', '?format=constructor', {}, 400, 'unknown_format'],
    ['a flag that is none', '?snapshot=yes', {}, 400, 'bad_parameter'],
    ['a media type it does not have', '', { accept: 'text/html' }, 406, 'not_acceptable'],
  ]
  /** A run whose first owner wrote 7 entries and died, and whose second wrote entry 8, the end. */
  async function twoOwners(): Promise<Lab> {
    const { memoryLog, sharedMemory } = await import('../../../src/logs/memory.ts')
    const memory = sharedMemory()
    const dead = memoryLog({ memory })
    const l = lab({ log: memoryLog({ memory }) })
    await l.begin(stepBegins, 'run_lab', dead)
    await dead.append('run_lab', 1, texts(4))
    await dead.close()
    expect(await l.log.takeOver('run_lab')).toBe(2)
    const error = { code: 'internal', reason: 'owner_lost', message: 'the owner died', temporary: true } as const
    await l.log.append('run_lab', 2, [{ type: 'error', error }])
    return l
  }
  for (const [name, query, headers, status, reason] of cases) {
    test(`${name}: ${status} ${reason}`, async () => {
      const l = await twoOwners()
      const response = await l.ask(`/v1/runs/run_lab/events${query}`, { headers })
      expect(response.headers.get('content-type')).toBe('application/problem+json')
      expect([response.status, (await response.json()).reason]).toEqual([status, reason])
      expect(l.server.readers).toBe(0)
    })
  }

  test('the cursors of both owners are good', async () => {
    const l = await twoOwners()
    for (const after of ['1-0', '1-7']) {
      const text = Buffer.from(await bytesOf(await l.ask(`/v1/runs/run_lab/events?after=${after}`))).toString()
      expect(text).toContain('id: 2-8\nevent: error\n')
    }
    expect((await l.ask('/v1/runs/run_lab/events?after=2-8')).status).toBe(204)
  })

  test('events that retention took: 410', async () => {
    const l = lab()
    const { id } = await recorded(l)
    await l.clock.advance(10)
    await l.log.prune({ maxAgeMs: 1 })
    for (const query of ['', '?after=1-3']) {
      const response = await l.ask(`/v1/runs/${id}/events${query}`)
      expect([response.status, await response.json()]).toEqual([
        410,
        expect.objectContaining({ code: 'not_found', reason: 'cursor_expired', run_id: id }),
      ])
    }
  })
})

describe('a live stream', () => {
  const open: { close(): Promise<void> }[] = []
  afterEach(async () => {
    for (const listening of open.splice(0)) await listening.close()
  })
  async function listen(l: Lab): Promise<number> {
    const listening = await l.server.listen()
    open.push(listening)
    return listening.port
  }
  const headersOf = (l: Lab, accept = 'text/event-stream') => ({ Authorization: `Bearer ${l.token}`, Accept: accept })

  for (const framing of framings) {
    test(`${framing}: headers come before the first token, and each batch when it is there`, async () => {
      const l = lab()
      const port = await listen(l)
      const id = await l.begin()
      const reader = rawRequest({
        port,
        path: `/v1/runs/${id}/events?after=1-3`,
        headers: headersOf(l, accepts[framing]),
      })
      expect(await reader.head).toMatch(/^HTTP\/1\.1 200 OK\r\n/)
      expect((await reader.head).toLowerCase()).toContain('\r\nx-accel-buffering: no')
      for (const text of ['one', 'two']) {
        await l.log.append(id, 1, texts(1, text))
        await reader.until(`"text":"${text}"`)
      }
      await l.log.append(id, 1, runEnds)
      await reader.ended
      expect(reader.whole()).toBe(true)
      expect(reader.body().toString().trimEnd().endsWith('{"type":"done","finished":true}')).toBe(true)
      reader.socket.destroy()
    })

    test(`${framing}: signs of life come every 15 s while the run says nothing, from the headers on`, async () => {
      const l = lab()
      const port = await listen(l)
      const id = await l.begin()
      const reader = rawRequest({
        port,
        path: `/v1/runs/${id}/events?after=1-3`,
        headers: headersOf(l, accepts[framing]),
      })
      await reader.head
      const sign = framing === 'sse' ? ': keep-alive\n\n' : '{"type":"heartbeat","ts":'
      const signs = () => reader.body().toString().split(sign).length - 1
      for (let n = 1; n <= 4; n++) {
        await l.clock.advance(15_000)
        await reader.until(sign.repeat(1))
        expect(signs()).toBe(n)
      }
      // What is said counts as life.
      await l.clock.advance(10_000)
      await l.log.append(id, 1, texts(1, 'late'))
      await l.clock.advance(10_000)
      expect(signs()).toBe(4)
      reader.socket.destroy()
    })
  }

  test('an error in the middle of a run is an event, and the stream ends as it should', async () => {
    const l = lab()
    const port = await listen(l)
    const id = await l.begin()
    const reader = rawRequest({ port, path: `/v1/runs/${id}/events`, headers: headersOf(l) })
    const error = { code: 'network', reason: 'stream_eof_before_done', message: 'cut', temporary: true } as const
    await l.log.append(id, 1, [...texts(2), { type: 'error', error }])
    await reader.ended
    const client = fed('sse', reader.body())
    expect([client.state.status, client.state.error, client.done]).toEqual(['failed', error, true])
    reader.socket.destroy()
  })

  test('entries that the store lost are told as a gap', async () => {
    const l = lab()
    const id = await l.begin()
    const gap = { type: 'gap', run: id, from: 4, to: 6, reason: 'corrupt' } as const
    const damaged: Log = {
      ...l.log,
      async *read(run, options) {
        for await (const record of l.log.read(run, options)) {
          if (record.type === 'batch' && record.first === 4) {
            yield gap
            yield record.after(6)
          } else yield record
        }
      },
    }
    await l.log.append(id, 1, [...texts(4), ...runEnds])
    const client = fed('sse', await bytesOf(await lab({ log: damaged }).ask(`/v1/runs/${id}/events`)))
    expect(client.controls).toEqual([{ type: 'gap', ts: l.clock.now(), from: 4, to: 6, reason: 'corrupt' }])
    expect(client.entries.map(({ seq }) => seq)).toEqual([1, 2, 3, 7, 8, 9, 10])
  })

  test('a log that fails or closes ends the connection with its cursor, and never as if the run had ended', async () => {
    const l = lab()
    const id = await l.begin()
    const failing: Log = {
      ...l.log,
      async *read(run, options) {
        yield* l.log.read(run, { ...options, follow: false })
        throw new Error('disk on fire')
      },
    }
    const broken = lab({ log: failing })
    const text = Buffer.from(await bytesOf(await broken.ask(`/v1/runs/${id}/events`))).toString()
    expect(text.split('\n\n').slice(-2)).toEqual([
      `event: closing\ndata: {"type":"closing","ts":${l.clock.now()},"reason":"unexpected","cursor":"1-3"}`,
      '',
    ])
    expect(broken.diagnostics).toMatchObject([{ code: 'reader_failed', run_id: id, cause: new Error('disk on fire') }])

    const response = await l.ask(`/v1/runs/${id}/events`)
    await l.log.close()
    expect(await response.text()).toMatch(/"reason":"[a-z_]+","cursor":"1-3"}\n\n$/)
  })

  test('an EventSource that is cut again and again sees each event once', async () => {
    const l = lab()
    const port = await listen(l)
    const id = await l.begin()
    const events: RunEvent[] = [...texts(20), ...runEnds]
    let last: string | undefined
    const seen: string[] = []
    let status = 200
    while (status === 200) {
      const reader = rawRequest({
        port,
        path: `/v1/runs/${id}/events`,
        headers: { ...headersOf(l), ...(last === undefined ? {} : { 'Last-Event-ID': last }) },
      })
      status = Number((await reader.head).split(' ')[1])
      if (status === 200) {
        const next = events.splice(0, 3)
        if (next.length > 0) await l.log.append(id, 1, next)
        await reader.until(`id: 1-${next.length > 0 ? 26 - events.length : 26}\n`)
        const ids = [
          ...reader
            .body()
            .toString()
            .matchAll(/^id: (\S+)$/gm),
        ].map((match) => match[1]!)
        seen.push(...ids)
        last = ids.at(-1)
      }
      reader.socket.destroy()
    }
    expect(seen).toEqual(Array.from({ length: 26 }, (_, i) => `1-${i + 1}`))
    expect(status).toBe(204)
  })
})
