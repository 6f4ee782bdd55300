import { describe, expect, test } from 'vitest'
import { connect, MANY, mebibyte, settled, silent } from './connected.ts'
import { lab } from './lab.ts'
import { rawRequest } from './raw-reader.ts'

describe('a reader that goes', () => {
  test('ends its reading at once, and nothing of it is left', async () => {
    const l = await connect()
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

  for (const [cancels, body] of [
    [true, { prompt: 'Hi', cancel_on_disconnect: true }],
    [false, { prompt: 'Hi' }],
  ] as const) {
    test(`${cancels ? 'cancels' : 'does not cancel'} the run that it started${cancels ? ', if it asked for that' : ''}`, async () => {
      const l = await connect({ scripts: silent })
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

  test('does not cancel a run that it only found again, by its idempotency key', async () => {
    const l = await connect({ scripts: silent })
    const body = { prompt: 'Hi', cancel_on_disconnect: true, idempotency_key: 'k' }
    const starter = l.start(body)
    await starter.until('"text":"Hel"')
    const other = l.start(body)
    await other.until('"text":"Hel"')
    expect(await other.head).toMatch(/^idempotency-replayed: true/im)
    other.socket.destroy()
    await settled()
    expect([l.server.readers, l.provider.active]).toEqual([1, 1])
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

  test('does not cancel a run whose starter asked for that if it should go', async () => {
    const l = await connect({ scripts: silent })
    const starter = l.start({ prompt: 'Hi', cancel_on_disconnect: true })
    await starter.until('"text":"Hel"')
    await l.close()
    await settled()
    expect([l.server.readers, l.provider.active]).toEqual([0, 1])
  })

  test('does not wait for a reader that takes nothing', async () => {
    const l = await connect({ limits: { closeMs: 20, maxPendingBytes: 32 * 1024 * 1024 } })
    const id = await l.begin()
    const stuck = l.read(id, { paused: true })
    await settled()
    for (let n = 0; n < MANY; n++) await l.log.append(id, 1, mebibyte)
    await settled()
    expect(l.server.pendingBytes).toBeGreaterThan(0)
    await l.close()
    expect(l.server.readers).toBe(0)
    stuck.socket.resume()
    await stuck.ended
    expect(stuck.whole()).toBe(false)
  })

  test('once is closing it, however often it is asked', async () => {
    const l = await connect()
    await Promise.all([l.close(), l.close()])
    await l.close()
    await expect(rawRequest({ port: l.port, path: '/healthz' }).head).rejects.toThrow('ended')
  })
})
