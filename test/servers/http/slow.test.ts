import { describe, expect, test } from 'vitest'
import { defaultHttpLimits } from '../../../src/servers/http/limits.ts'
import { connect, MANY, mebibyte, settled, understood } from './connected.ts'
import { lab, runEnds, texts, type Lab } from './lab.ts'

/** A mebibyte in 64 batches, each small enough to be handed over at once. */
async function appendInSmallBatches(l: Lab, id: string): Promise<void> {
  for (let n = 0; n < 64; n++) await l.log.append(id, 1, texts(1, 'x'.repeat(16 * 1024)))
}

describe('a reader that takes nothing', () => {
  const { maxPendingBytes } = defaultHttpLimits
  const sizes = [
    ['large', 16, (l: Lab, id: string) => l.log.append(id, 1, mebibyte), 1024 * 1024 + maxPendingBytes],
    ['small', 64, appendInSmallBatches, 2 * maxPendingBytes],
  ] as const
  for (const [size, events, append, bound] of sizes) {
    test(`is held at a bound, holds up nobody, and has everything once it reads on: ${size} batches`, async () => {
      const l = await connect()
      const id = await l.begin()
      const stuck = l.read(id, { paused: true })
      const quick = l.read(id)
      await settled()
      let most = 0
      for (let n = 0; n < MANY; n++) {
        await append(l, id)
        await quick.until(`id: 1-${3 + events * (n + 1)}\n`)
        most = Math.max(most, l.server.pendingBytes)
      }
      // What is pending is the stuck one's; the rest of the run lies in the log.
      expect(most).toBeGreaterThanOrEqual(maxPendingBytes)
      expect(most).toBeLessThan(bound + 16 * 1024)
      await l.log.append(id, 1, runEnds)
      await quick.ended
      expect(understood(quick).done).toBe(true)

      stuck.socket.resume()
      await stuck.ended
      const [late, early] = [understood(stuck), understood(quick)]
      expect([late.done, late.entries.length]).toEqual([true, 3 + events * MANY + 3])
      expect(late.state).toEqual(early.state)
      // It was live, and was told how far behind it had fallen when it came back.
      expect(late.controls.filter(({ type }) => type !== 'lag')).toEqual([])
      expect(early.controls).toEqual([])
    })
  }

  test('is told of its lag, once, when it comes back', async () => {
    const l = await connect({ limits: { lagEvents: 100 } })
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
    const l = await connect()
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
    const l = await connect({ limits: { maxPendingBytes: 32 * 1024 * 1024 } })
    const id = await l.begin()
    const [stuck, dead] = [l.read(id, { paused: true }), l.read(id, { paused: true })]
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
    // One that does not take it within as long again is cut.
    await l.clock.advance(29_000)
    expect(l.server.readers).toBe(1)
    await l.clock.advance(3_000)
    await settled()
    expect(l.server.readers).toBe(0)
    dead.socket.resume()
    await dead.ended
    expect(dead.whole()).toBe(false)
  })

  test('is not closed while it takes a little now and then', async () => {
    const l = await connect()
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
  const l = await connect()
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

describe('a web stream that is not read', () => {
  test('is filled to a bound, and goes on when it is read', async () => {
    const l = lab({ limits: { maxPendingBytes: 1_000 } })
    const id = await l.begin()
    const response = await l.ask(`/v1/runs/${id}/events?after=1-3`)
    for (let n = 0; n < 50; n++) await l.log.append(id, 1, texts(1, 'x'.repeat(500)))
    await settled()
    expect(l.server.pendingBytes).toBeGreaterThanOrEqual(1_000)
    expect(l.server.pendingBytes).toBeLessThan(2_000)
    await l.log.append(id, 1, runEnds)
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
