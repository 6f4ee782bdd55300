import { afterEach, describe, expect, test } from 'vitest'
import type { RunEvent } from '../../../src/core/event.ts'
import { defaultHttpLimits } from '../../../src/servers/http/limits.ts'
import { gaiClient, type GaiClient } from '../../formats/gai-client.ts'
import { lab, runEnds, texts, type Lab, type LabOptions } from './lab.ts'
import { rawRequest, type RawReader } from './raw-reader.ts'

const closing: (() => Promise<void> | void)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close()
})

interface Listening extends Lab {
  readonly port: number
  /** A reader; a paused one takes nothing until its socket is resumed. */
  read(id: string, options?: { readonly paused?: boolean; readonly query?: string }): RawReader
  start(body: object): RawReader
}

async function listening(options: LabOptions = {}): Promise<Listening> {
  const l = lab(options)
  const open = await l.server.listen()
  const { port } = open
  closing.push(() => open.close())
  const ask = (request: { method?: string; path: string; headers?: Record<string, string>; body?: string }) => {
    const headers = { Authorization: `Bearer ${l.token}`, Accept: 'text/event-stream', ...request.headers }
    const reader = rawRequest({ port, ...request, headers })
    closing.push(() => void reader.socket.destroy())
    return reader
  }
  return {
    ...l,
    port,
    read(id, { paused = false, query = '' } = {}) {
      const reader = ask({ path: `/v1/runs/${id}/events${query}` })
      if (paused) reader.socket.pause()
      return reader
    },
    start(request) {
      const body = JSON.stringify(request)
      const headers = { 'Content-Type': 'application/json', 'Content-Length': String(body.length) }
      return ask({ method: 'POST', path: '/v1/runs', headers, body })
    },
  }
}

/** Lets sockets do what they can do at once. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 100; turn++) await new Promise<void>((resolve) => void setImmediate(resolve))
}

function understood(reader: RawReader): GaiClient {
  const client = gaiClient({ framing: 'sse' })
  client.feed(reader.body())
  return client
}

/** 1 MiB in one batch. Loopback connections here buffer less than 24 of these. */
const mebibyte: readonly RunEvent[] = texts(16, 'x'.repeat(64 * 1024))
const MANY = 24

describe('a reader that takes nothing', () => {
  test('is held at a bound, holds up nobody, and has everything once it reads on', async () => {
    const l = await listening()
    const id = await l.begin()
    const stuck = l.read(id, { paused: true })
    const quick = l.read(id)
    await settled()
    let most = 0
    for (let n = 0; n < MANY; n++) {
      await l.log.append(id, 1, mebibyte)
      await quick.until(`id: 1-${3 + 16 * (n + 1)}\n`)
      most = Math.max(most, l.server.pendingBytes)
    }
    // What the stuck one was given of the last batch it pulled; the rest of the run lies in the log.
    expect(most).toBeGreaterThan(defaultHttpLimits.maxPendingBytes)
    expect(most).toBeLessThan(2 * 1024 * 1024)
    await l.log.append(id, 1, runEnds)
    await quick.ended
    expect(understood(quick).done).toBe(true)

    stuck.socket.resume()
    await stuck.ended
    const [late, early] = [understood(stuck), understood(quick)]
    expect([late.done, late.entries.length]).toEqual([true, 3 + 16 * MANY + 3])
    expect(late.state).toEqual(early.state)
    // It was live, and was told how far behind it had fallen when it came back.
    expect(late.controls.filter(({ type }) => type !== 'lag')).toEqual([])
    expect(early.controls).toEqual([])
  })

  test('is told of its lag, once, when it comes back', async () => {
    const l = await listening({ limits: { lagEvents: 100 } })
    const id = await l.begin()
    const stuck = l.read(id, { paused: true })
    await settled()
    for (let n = 0; n < MANY; n++) await l.log.append(id, 1, mebibyte)
    await l.log.append(id, 1, texts(500))
    await settled()
    stuck.socket.resume()
    await stuck.until(`id: 1-${3 + 16 * MANY + 500}\n`)
    const { controls, entries } = understood(stuck)
    const [lag] = controls
    expect(controls).toEqual([
      { type: 'lag', ts: l.clock.now(), events: expect.any(Number), cursor: expect.stringMatching(/^1-\d+$/) },
    ])
    const place = Number(String(lag!.cursor).slice(2))
    expect(Number(lag!.events) + place).toBe(entries.length)
    expect(l.diagnostics).toEqual([
      { level: 'info', code: 'reader_lag', message: expect.stringContaining(String(lag!.events)), run_id: id },
    ])
  })

  test('is closed after 30 s, and can come back to where it was', async () => {
    const l = await listening()
    const id = await l.begin()
    const stuck = l.read(id, { paused: true })
    await settled()
    for (let n = 0; n < MANY; n++) await l.log.append(id, 1, mebibyte)
    await l.log.append(id, 1, runEnds)
    await settled()
    await l.clock.advance(29_000)
    expect(l.server.readers).toBe(1)
    await l.clock.advance(62_000)
    await settled()
    expect([l.server.readers, l.server.pendingBytes, l.readings()]).toEqual([0, 0, 0])
    expect(l.diagnostics).toMatchObject([{ level: 'warning', code: 'slow_consumer', run_id: id }])

    stuck.socket.resume()
    await stuck.ended
    expect(stuck.whole()).toBe(false)
    const client = understood(stuck)
    expect(client.done).toBe(false)
    client.cut()
    const rest = l.read(id, { query: `?after=1-${client.cursor!.seq}` })
    await rest.ended
    client.feed(rest.body())
    expect([client.done, client.entries.length]).toEqual([true, 3 + 16 * MANY + 3])
  })

  test('is told the reason, if it takes it after all', async () => {
    const l = await listening({ limits: { maxPendingBytes: 32 * 1024 * 1024 } })
    const id = await l.begin()
    const stuck = l.read(id, { paused: true })
    await settled()
    for (let n = 0; n < MANY; n++) await l.log.append(id, 1, mebibyte)
    await settled()
    await l.clock.advance(31_000)
    stuck.socket.resume()
    await stuck.ended
    const client = understood(stuck)
    expect([stuck.whole(), client.done, client.entries.length]).toEqual([true, false, 3 + 16 * MANY])
    expect(client.controls).toEqual([
      { type: 'overflow', ts: expect.any(Number), reason: 'slow_consumer', cursor: `1-${3 + 16 * MANY}` },
    ])
  })

  test('is not closed while it takes a little now and then', async () => {
    const l = await listening()
    const id = await l.begin()
    const slow = l.read(id, { paused: true })
    await settled()
    for (let n = 0; n < MANY; n++) await l.log.append(id, 1, mebibyte)
    await settled()
    for (let n = 0; n < 4; n++) {
      expect(l.server.pendingBytes).toBeGreaterThan(0)
      await l.clock.advance(25_000)
      await slow.take(4 * 1024 * 1024)
      await settled()
    }
    expect(l.server.readers).toBe(1)
    expect(l.diagnostics.filter(({ code }) => code === 'slow_consumer')).toEqual([])
  })
})

test('of 256 readers half are stuck: the others get each batch, and the stuck ones everything when they read', async () => {
  const l = await listening()
  const id = await l.begin()
  const readers = Array.from({ length: 256 }, (_, i) => l.read(id, { paused: i % 2 === 1 }))
  const quick = readers.filter((_, i) => i % 2 === 0)
  await Promise.all(quick.map((reader) => reader.head))
  for (let n = 0; n < 10; n++) {
    await l.log.append(id, 1, texts(64))
    await Promise.all(quick.map((reader) => reader.until(`id: 1-${3 + 64 * (n + 1)}\n`)))
  }
  await l.log.append(id, 1, runEnds)
  for (const reader of readers) reader.socket.resume()
  await Promise.all(readers.map((reader) => reader.ended))
  const [first] = readers
  expect(readers.filter((reader) => !reader.whole() || !reader.body().equals(first!.body()))).toEqual([])
  expect(understood(first!).entries).toHaveLength(3 + 640 + 3)
})

describe('a reader that goes', () => {
  test('ends its reading at once, and nothing of it is left', async () => {
    const l = await listening()
    const id = await l.begin()
    const readers = Array.from({ length: 20 }, () => l.read(id))
    await Promise.all(readers.map((reader) => reader.until('step.start')))
    expect([l.server.readers, l.readings()]).toEqual([20, 20])
    for (const reader of readers) reader.socket.destroy()
    await settled()
    expect([l.server.readers, l.readings()]).toEqual([0, 0])
    // The one timer of all readers is gone with the last.
    expect(l.clock.pending).toBe(0)
    expect(await (await l.runtime.find(id)).header()).toMatchObject({ status: 'running' })
  })

  test('ends its reading also where the body is a web stream', async () => {
    const l = lab()
    const id = await l.begin()
    const response = await l.ask(`/v1/runs/${id}/events`)
    expect([l.server.readers, l.readings()]).toEqual([1, 1])
    await response.body!.cancel()
    await settled()
    expect([l.server.readers, l.readings()]).toEqual([0, 0])
  })

  const silent = [
    [
      [{ type: 'start', model: 'm' } as const],
      [{ type: 'text', text: 'Hel' } as const],
      { wait: new Promise(() => {}) },
    ],
  ]
  for (const [cancels, body] of [
    [true, { prompt: 'Hi', cancel_on_disconnect: true }],
    [false, { prompt: 'Hi' }],
  ] as const) {
    test(`${cancels ? 'cancels' : 'does not cancel'} the run that it started${cancels ? ', if it asked for that' : ''}`, async () => {
      const l = await listening({ scripts: silent })
      const starter = l.start(body)
      await starter.until('"text":"Hel"')
      const id = /^x-run-id: (\S+)/im.exec(await starter.head)![1]!
      const watcher = l.read(id)
      await watcher.until('"text":"Hel"')
      watcher.socket.destroy()
      await settled()
      expect(l.provider.active).toBe(1)
      starter.socket.destroy()
      await settled()
      expect(l.provider.active).toBe(cancels ? 0 : 1)
      expect(await (await l.runtime.find(id)).header()).toMatchObject({ status: cancels ? 'cancelled' : 'running' })
    })
  }
})

describe('a web stream that is not read', () => {
  test('is filled to a bound, and goes on when it is read', async () => {
    const l = lab({ limits: { maxPendingBytes: 1_000 } })
    const id = await l.begin()
    const response = await l.ask(`/v1/runs/${id}/events?after=1-3`)
    for (let n = 0; n < 50; n++) await l.log.append(id, 1, texts(1, 'x'.repeat(500)))
    await l.log.append(id, 1, runEnds)
    await settled()
    expect(l.server.pendingBytes).toBeLessThan(3_000)
    const text = await response.text()
    expect(text.match(/^id: .*$/gm)).toEqual(Array.from({ length: 53 }, (_, i) => `id: 1-${i + 4}`))
    expect(text.endsWith('"finished":true}\n\n')).toBe(true)
  })

  test('breaks off after 30 s', async () => {
    const l = lab({ limits: { maxPendingBytes: 1_000 } })
    const id = await l.begin()
    const response = await l.ask(`/v1/runs/${id}/events?after=1-3`)
    await l.log.append(id, 1, texts(1, 'x'.repeat(5_000)))
    await settled()
    await l.clock.advance(31_000)
    await expect(response.text()).rejects.toMatchObject({ code: 'timeout', reason: 'slow_consumer' })
    expect([l.server.readers, l.readings()]).toEqual([0, 0])
  })
})

describe('closing the server', () => {
  test('ends each stream with its cursor, refuses what comes, and leaves the runs alone', async () => {
    const l = lab()
    const open = await l.server.listen()
    const { port } = open
    const id = await l.begin()
    const headers = { Authorization: `Bearer ${l.token}` }
    const idle = rawRequest({ port, path: '/healthz' })
    await idle.ended
    const readers = ['text/event-stream', 'application/x-ndjson'].map((Accept) =>
      rawRequest({ port, path: `/v1/runs/${id}/events`, headers: { ...headers, Accept } }),
    )
    await Promise.all(readers.map((reader) => reader.until('step.start')))
    await open.close()
    await Promise.all(readers.map((reader) => reader.ended))
    const record = `{"type":"closing","ts":${l.clock.now()},"reason":"shutting_down","cursor":"1-3"}`
    const tails = readers.map((reader) => reader.body().toString().split('"attempt":1}').at(-1)!.trimStart())
    expect(tails).toEqual([`event: closing\ndata: ${record}\n\n`, `${record}\n`])
    expect(readers.map((reader) => reader.whole())).toEqual([true, true])
    expect(await (await l.runtime.find(id)).header()).toMatchObject({ status: 'running' })
    await expect(rawRequest({ port, path: '/healthz' }).head).rejects.toThrow('ended')
    // Another framework may still hold its `fetch`.
    const late = await l.server.fetch(new Request(`http://127.0.0.1:${port}/v1/runs/${id}/events`, { headers }))
    expect([late.status, (await late.json()).reason, late.headers.get('retry-after')]).toEqual([
      503,
      'shutting_down',
      '1',
    ])
  })

  test('does not wait for a reader that takes nothing', async () => {
    const l = lab({ limits: { closeMs: 20 } })
    const open = await l.server.listen()
    const { port } = open
    const id = await l.begin()
    const stuck = rawRequest({ port, path: `/v1/runs/${id}/events`, headers: { Authorization: `Bearer ${l.token}` } })
    stuck.socket.pause()
    await settled()
    for (let n = 0; n < MANY; n++) await l.log.append(id, 1, mebibyte)
    await settled()
    await open.close()
    expect(l.server.readers).toBe(0)
    stuck.socket.destroy()
  })
})
