import { describe, expect, test } from 'vitest'
import { createStreams } from '../../../src/servers/http/handlers/streams.ts'
import { connect, MANY, mebibyte, settled, understood } from './connected.ts'
import { runEnds, texts, lab } from './lab.ts'

describe('a reader with overflow=disconnect', () => {
  const bounds: [query: string, waitMs: number][] = [
    ['max_lag_events=300', 2_000],
    ['max_lag_ms=5000', 8_000],
    ['max_lag_events=100000&max_lag_ms=5000', 8_000],
  ]
  for (const [query, waitMs] of bounds) {
    test(`${query}: is closed once it is that far behind, and comes back to where it was`, async () => {
      const l = await connect()
      const id = await l.begin()
      const stuck = l.read(id, { paused: true, query: `?overflow=disconnect&${query}` })
      const quick = l.read(id, { query: `?overflow=disconnect&${query}` })
      await settled()
      for (let n = 1; n <= MANY; n++) {
        await l.log.append(id, 1, mebibyte)
        await quick.until(`id: 1-${3 + 16 * n}\n`)
      }
      expect(l.server.readers).toBe(2)
      await l.clock.advance(waitMs)
      expect(l.server.readerCounts).toMatchObject({ lagged: 1, overflowed: 0 })
      expect(l.diagnostics).toMatchObject([{ level: 'warning', code: 'reader_lagging', run_id: id }])

      stuck.socket.resume()
      await stuck.ended
      const client = understood(stuck)
      expect(client.done).toBe(false)
      client.cut()
      const back = l.read(id, { query: `?after=1-${client.cursor!.seq}` })
      await l.log.append(id, 1, runEnds)
      await Promise.all([back.ended, quick.ended])
      client.feed(back.body())
      // The one that took everything at once was never behind.
      expect(client.state).toEqual(understood(quick).state)
      expect([client.done, understood(quick).controls]).toEqual([true, []])
    })
  }

  test('without that policy it is left to catch up', async () => {
    const l = await connect()
    const id = await l.begin()
    const stuck = l.read(id, { paused: true })
    await settled()
    for (let n = 0; n < MANY; n++) await l.log.append(id, 1, mebibyte)
    await l.clock.advance(8_000)
    expect([l.server.readers, l.server.readerCounts.lagged]).toEqual([1, 0])
    stuck.socket.destroy()
  })

  test('that begins behind is judged from when it has caught up', async () => {
    const l = await connect()
    const id = await l.begin()
    for (let n = 0; n < MANY; n++) await l.log.append(id, 1, mebibyte)
    const late = l.read(id, { paused: true, query: '?overflow=disconnect&max_lag_events=10' })
    await settled()
    await l.clock.advance(10_000)
    expect(l.server.readers).toBe(1)
    late.socket.resume()
    await late.until(`id: 1-${3 + 16 * MANY}\n`)
    late.socket.pause()
    for (let n = 0; n < MANY; n++) await l.log.append(id, 1, mebibyte)
    await settled()
    await l.clock.advance(2_000)
    expect(l.server.readerCounts.lagged).toBe(1)
  })
})

test('the bound of a stream in a framework holds as well: it is told the reason and its place, and its run lives on', async () => {
  const l = lab({ scripts: [[[{ type: 'start', model: 'm' }], { wait: new Promise(() => {}) }]] })
  const run = await l.runtime.start({ prompt: 'Hi' })
  const streams = createStreams({ clock: l.clock, maxPendingBytes: 4_096 })
  const overflow = { type: 'disconnect', maxLagEvents: 20 } as const
  const response = await streams.ndjson(run, { overflow, cancelOnDisconnect: true })
  await settled()
  await l.log.append(run.id, 1, texts(2, 'x'.repeat(1_700)))
  await settled()
  for (let n = 0; n < 30; n++) await l.log.append(run.id, 1, texts(1))
  await l.clock.advance(2_000)
  const lines = (await response.text()).trimEnd().split('\n')
  const said = lines.map((line) => JSON.parse(line) as Record<string, unknown>)
  const last = said.at(-2)!['seq']
  expect(said.at(-1)).toMatchObject({ type: 'overflow', reason: 'lagging', cursor: `1-${String(last)}` })
  expect(streams.overflows).toEqual({ slowConsumer: 0, lagging: 1 })
  expect((await run.header()).status).toBe('running')
  await run.cancel()
})

describe('the query', () => {
  const cases: [query: string, reason: string][] = [
    ['overflow=block', 'bad_parameter'],
    ['overflow=disconnect&max_lag_events=0', 'bad_parameter'],
    ['overflow=disconnect&max_lag_ms=-5', 'bad_parameter'],
    ['max_lag_ms=5000', 'bad_parameter'],
    ['overflow=catch-up&max_lag_events=5', 'bad_parameter'],
    ['overflow=disconnect&overflow=disconnect', 'repeated_parameter'],
  ]
  for (const [query, reason] of cases) {
    test(`${query} is ${reason}`, async () => {
      const l = lab()
      const response = await l.ask(`/v1/runs/${await l.begin()}/events?${query}`)
      expect([response.status, await response.json()]).toMatchObject([400, { reason }])
    })
  }
})
