import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { Batch } from '../../../src/core/batch.ts'
import { formatCursor } from '../../../src/core/cursor.ts'
import type { RunletError } from '../../../src/core/error.ts'
import type { RunEvent } from '../../../src/core/event.ts'
import type { Log } from '../../../src/core/log.ts'
import { unbroken } from '../../../src/formats/shared/unbroken.ts'
import { memoryLog } from '../../../src/logs/memory.ts'
import { defaultHttpLimits } from '../../../src/servers/http/limits.ts'
import { multiplexFormat, runRefused } from '../../../src/servers/http/streams/multiplex-format.ts'
import { fakeClock } from '../../../src/testing/fake-clock.ts'
import { connect, MANY, mebibyte, settled, type Connected } from './connected.ts'
import { ended, lab, runEnds, stepBegins, texts, type Lab } from './lab.ts'
import { several } from './multiplexed.ts'
import { rawRequest, type RawReader } from './raw-reader.ts'

const whole = [...stepBegins, ...texts(4), ...runEnds]

/** A run that is over, of ten entries. */
const finished = (l: Lab, id: string) => l.begin(whole, id)

async function stored(l: Lab, id: string): Promise<string[]> {
  const lines: string[] = []
  for await (const record of (await l.runtime.find(id)).read()) {
    if (record instanceof Batch) lines.push(...unbroken(record.lines).split('\n').slice(0, -1))
  }
  return lines
}

const address = (runs: readonly string[], watch = false) =>
  `/v1/events?${[...runs.map((run) => `run=${encodeURIComponent(run)}`), ...(watch ? ['watch=1'] : [])].join('&')}`

const read = async (l: Lab, runs: readonly string[]) => several(await (await l.ask(address(runs))).text())

/** A reader on a real port. */
function listen(l: Connected, runs: readonly string[], { watch = false, paused = false } = {}): RawReader {
  const headers = { Authorization: `Bearer ${l.token}`, Accept: 'text/event-stream' }
  const reader = rawRequest({ port: l.port, path: address(runs, watch), headers })
  if (paused) reader.socket.pause()
  return reader
}

describe('several runs on one connection', () => {
  test('each is read from its own place to its end, and then the connection ends', async () => {
    const l = lab()
    for (const id of ['run_a', 'run_b', 'run_c']) await finished(l, id)
    const response = await l.ask(address(['run_a', 'run_b@1-4', 'run_c@7']))
    expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8')
    const { runs, controls } = several(await response.text())
    const lines = await stored(l, 'run_a')
    expect(lines).toHaveLength(10)
    expect([...runs].map(([run, { ids }]) => [run, ids])).toEqual([
      ['run_a', lines.map((_, i) => `1-${i + 1}`)],
      ['run_b', lines.slice(4).map((_, i) => `1-${i + 5}`)],
      ['run_c', lines.slice(7).map((_, i) => `1-${i + 8}`)],
    ])
    expect(runs.get('run_a')!.lines).toEqual(lines)
    const ts = l.clock.now()
    const opened = ['run_a', 'run_b', 'run_c'].map((run_id) => ({ type: 'opened', ts, run_id, cursor: '1-10' }))
    expect(controls.slice(0, 3)).toEqual(opened)
    expect(controls.slice(3)).toEqual([
      ...['run_a', 'run_b', 'run_c'].map((run_id) => ({ type: 'done', run_id, finished: true })),
      { type: 'done', finished: true },
    ])
    expect(l.readings()).toBe(0)
  })

  test('a run with nothing left is done at once', async () => {
    const l = lab()
    await finished(l, 'run_a')
    expect(await read(l, ['run_a@1-10'])).toEqual({
      runs: new Map(),
      turns: [],
      controls: [
        { type: 'done', run_id: 'run_a', finished: true },
        { type: 'done', finished: true },
      ],
    })
  })

  test('what cannot be read is refused for itself, and the others go on', async () => {
    const l = lab()
    await finished(l, 'run_a')
    await l.begin(undefined, 'run_live')
    const cases: [run: string, id: string, code: string, reason: string, status: number][] = [
      ['nope', 'nope', 'not_found', 'run_unknown', 404],
      ['run_live@x', 'run_live', 'invalid_request', 'cursor_malformed', 400],
      ['run_live@', 'run_live', 'invalid_request', 'cursor_malformed', 400],
      ['run_live@1-99', 'run_live', 'invalid_request', 'cursor_future', 409],
      ['run_live@2-3', 'run_live', 'invalid_request', 'cursor_future', 409],
      ['@1-1', '', 'not_found', 'run_unknown', 404],
    ]
    for (const [asked, run_id, code, reason, status] of cases) {
      const { runs, controls } = await read(l, [asked, 'run_a'])
      expect(runs.get('run_a')!.lines).toEqual(await stored(l, 'run_a'))
      const refused = controls.filter(({ type }) => type === 'refused')
      expect(refused).toEqual([{ type: 'refused', ts: l.clock.now(), run_id, error: expect.any(Object) }])
      expect(refused[0]!.error).toMatchObject({ code, reason, status, temporary: false })
      expect(controls.at(-1)).toEqual({ type: 'done', finished: true })
    }
  })

  const refusals: [name: string, path: string, reason: string, status: number][] = [
    ['nothing', '/v1/events', 'nothing_asked', 400],
    ['nothing but not to watch', '/v1/events?watch=0', 'nothing_asked', 400],
    ['a run twice', address(['run_a', 'run_a@1-4']), 'run_repeated', 400],
    ['65 runs', address(Array.from({ length: 65 }, (_, i) => `run_${i}`)), 'too_many_runs', 400],
    ['a parameter that there is not', `${address(['run_a'])}&after=1-1`, 'unknown_parameter', 400],
    ['watch=yes', `${address(['run_a'])}&watch=yes`, 'bad_parameter', 400],
  ]
  for (const [name, path, reason, status] of refusals) {
    test(`a request is refused as a whole that asks for ${name}`, async () => {
      const response = await lab().ask(path)
      expect([response.status, await response.json()]).toMatchObject([status, { reason }])
    })
  }

  test('it comes as server-sent events, and as nothing else', async () => {
    const response = await lab().ask(address(['x']), { headers: { accept: 'application/x-ndjson' } })
    expect([response.status, await response.json()]).toMatchObject([406, { reason: 'not_acceptable' }])
  })

  test('HEAD tells what GET would, and reads nothing', async () => {
    const l = lab()
    const head = await l.ask(address(['run_a']), { method: 'HEAD' })
    expect([head.status, await head.text(), l.server.readers, l.readings()]).toEqual([200, '', 0, 0])
  })

  test('64 runs are as many as it carries', async () => {
    const l = lab()
    const ids = Array.from({ length: 64 }, (_, i) => `run_${i}`)
    for (const id of ids) await finished(l, id)
    const { runs } = await read(l, ids)
    const lengths = ids.map((id) => runs.get(id)?.lines.length)
    expect(lengths).toEqual(ids.map(() => 10))
  })

  test('line ends that only some readers know are escaped, and frames stay whole', async () => {
    const l = lab()
    const text = 'a\u2028b\u2029c\u0085d\r\ndata: x\n\nid: run_b@1-1\n\n'
    await l.begin([...stepBegins, { type: 'text.delta', step: 1, text }, ...runEnds], 'run_a')
    const body = await (await l.ask(address(['run_a']))).text()
    expect(/[\u0085\u2028\u2029\r]/.test(body)).toBe(false)
    const { runs } = several(body)
    expect([...runs.keys()]).toEqual(['run_a'])
    expect(JSON.parse(runs.get('run_a')!.lines[3]!)).toMatchObject({ text })
  })
})

describe('what is not read yet', () => {
  test('runs come as they are written, mixed, each in its order', async () => {
    const l = await connect()
    const ids = ['run_a', 'run_b', 'run_c']
    for (const id of ids) await l.begin(undefined, id)
    const reader = listen(l, ids)
    await reader.until('run_c@1-3')
    for (let n = 0; n < 5; n++) for (const id of ids) await l.log.append(id, 1, texts(1, `${id} ${n}`))
    for (const id of ids) await l.log.append(id, 1, runEnds)
    await reader.ended
    const { runs, turns, controls } = several(reader.body())
    for (const id of ids) expect(runs.get(id)!.lines).toEqual(await stored(l, id))
    // Three openings and five rounds: nobody had to wait for another's end.
    expect(turns.length).toBeGreaterThan(6)
    expect(controls.at(-1)).toEqual({ type: 'done', finished: true })
  })

  test('a run whose store hangs holds up nobody', async () => {
    const inner = memoryLog()
    const log: Log = {
      ...inner,
      async *read(run, how) {
        if (run === 'run_hung') await new Promise(() => {})
        yield* inner.read(run, how)
      },
    }
    const l = await connect({ log })
    await l.begin(whole, 'run_hung')
    await l.begin(whole, 'run_a')
    const reader = listen(l, ['run_hung', 'run_a'])
    await reader.until('"run_id":"run_a","finished":true')
    expect(several(reader.body()).runs.get('run_a')!.lines).toHaveLength(10)
    reader.socket.destroy()
  })

  test('a run whose store fails in the middle is ended for itself', async () => {
    const inner = memoryLog()
    const log: Log = {
      ...inner,
      async *read(run, how) {
        yield* inner.read(run, { ...how, follow: false })
        if (run === 'run_bad' && how?.follow) throw new Error('the disk is gone')
      },
    }
    const l = await connect({ log })
    await l.begin(undefined, 'run_bad')
    await l.begin(whole, 'run_a')
    const reader = listen(l, ['run_bad', 'run_a'])
    await reader.ended
    const { controls, runs } = several(reader.body())
    expect(runs.get('run_a')!.lines).toHaveLength(10)
    expect(controls).toContainEqual({
      type: 'closing',
      ts: l.clock.now(),
      run_id: 'run_bad',
      reason: 'unexpected',
      cursor: '1-3',
    })
  })

  test('entries that are lost are told of, with their run', async () => {
    const inner = memoryLog()
    const log: Log = {
      ...inner,
      async *read(run, how) {
        for await (const record of inner.read(run, how)) {
          if (record instanceof Batch && record.first === 4 && record.last >= 7) {
            yield { type: 'gap', run, from: 4, to: 5, reason: 'corrupt' }
            yield record.after(5)
          } else yield record
        }
      },
    }
    const l = lab({ log })
    await l.begin(stepBegins, 'run_a')
    await l.log.append('run_a', 1, [...texts(4), ...runEnds])
    const { runs, controls } = await read(l, ['run_a'])
    expect(runs.get('run_a')!.ids).toEqual(['1-1', '1-2', '1-3', '1-6', '1-7', '1-8', '1-9', '1-10'])
    const gap = { type: 'gap', ts: l.clock.now(), run_id: 'run_a', from: 4, to: 5, reason: 'corrupt' }
    expect(controls).toContainEqual(gap)
  })
})

describe('watching', () => {
  test('tells of every run that begins and ends, and outlives them', async () => {
    const l = await connect()
    const reader = listen(l, [], { watch: true })
    await reader.head
    await settled()
    const run = await l.runtime.start({ prompt: 'Hi' })
    await ended(l, run.id)
    await reader.until('"status":"completed"')
    const header = await run.header()
    const told = { ...header, cursor: formatCursor(header.cursor) }
    const { controls } = several(reader.body())
    expect(controls).toMatchObject([
      { type: 'run', run: { run_id: run.id, status: 'running' } },
      { type: 'run', run: told },
    ])
    expect(reader.whole()).toBe(false)
    reader.socket.destroy()
    await settled()
    expect(l.server.readers).toBe(0)
  })

  test('goes on when the runs that were asked for have ended', async () => {
    const l = await connect()
    await finished(l, 'run_a')
    const reader = listen(l, ['run_a'], { watch: true })
    await reader.until('"finished":true')
    await settled()
    expect(reader.whole()).toBe(false)
    const run = await l.runtime.start({ prompt: 'Hi' })
    await reader.until(run.id)
    reader.socket.destroy()
  })

  test('where nothing happens, signs of life come that an EventSource hears', async () => {
    const l = await connect()
    const reader = listen(l, [], { watch: true })
    await reader.head
    await settled()
    await l.clock.advance(15_000)
    await reader.until('heartbeat')
    expect(several(reader.body()).controls).toEqual([{ type: 'heartbeat', ts: expect.any(Number) }])
    reader.socket.destroy()
  })
})

describe('a connection that takes nothing', () => {
  const { maxPendingBytes } = defaultHttpLimits
  const ids = ['run_a', 'run_b', 'run_c']

  test('is held at a bound, and has everything once it reads on', async () => {
    const l = await connect()
    for (const id of ids) await l.begin(undefined, id)
    const stuck = listen(l, ids, { paused: true })
    const quick = listen(l, ids)
    await settled()
    let most = 0
    for (let n = 0; n < MANY; n++) {
      for (const id of ids) await l.log.append(id, 1, mebibyte)
      for (const id of ids) await quick.until(`id: ${id}@1-${3 + 16 * (n + 1)}\n`)
      most = Math.max(most, l.server.pendingBytes)
    }
    // Of each run at most one batch, which all share, what the connection was given and has not taken, and the last
    // frame of the quick one, of which `until` has seen the beginning.
    expect(most).toBeGreaterThanOrEqual(maxPendingBytes)
    expect(most).toBeLessThan(ids.length * (1024 * 1024 + 4096) + 4 * maxPendingBytes + 16 * 1024)
    for (const id of ids) await l.log.append(id, 1, runEnds)
    await quick.ended
    stuck.socket.resume()
    await stuck.ended
    const [late, early] = [several(stuck.body()), several(quick.body())]
    for (const id of ids) {
      expect(late.runs.get(id)!.ids).toHaveLength(3 + 16 * MANY + 3)
      expect(late.runs.get(id)).toEqual(early.runs.get(id))
    }
    expect(late.controls.at(-1)).toEqual({ type: 'done', finished: true })
  })

  test('is told the reason, if it takes it after all', async () => {
    const l = await connect({ limits: { maxPendingBytes: 32 * 1024 * 1024 } })
    await l.begin(undefined, 'run_a')
    const stuck = listen(l, ['run_a'], { paused: true })
    await settled()
    for (let n = 0; n < MANY; n++) await l.log.append('run_a', 1, mebibyte)
    await settled()
    await l.clock.advance(31_000)
    stuck.socket.resume()
    await stuck.ended
    const { runs, controls } = several(stuck.body())
    expect([stuck.whole(), runs.get('run_a')!.ids.length]).toEqual([true, 3 + 16 * MANY])
    expect(controls.slice(1)).toEqual([{ type: 'overflow', ts: expect.any(Number), reason: 'slow_consumer' }])
    expect(l.server.readerCounts).toMatchObject({ opened: 1, overflowed: 1, disconnected: 0 })
    expect(l.diagnostics.map(({ message }) => message)).toEqual([
      'a connection with 1 run took nothing for 30 s and is closed',
    ])
  })

  test('is closed after 30 s', async () => {
    const l = await connect()
    for (const id of ids) await l.begin(undefined, id)
    const stuck = listen(l, ids, { paused: true })
    await settled()
    for (let n = 0; n < MANY; n++) for (const id of ids) await l.log.append(id, 1, mebibyte)
    await settled()
    await l.clock.advance(29_000)
    expect(l.server.readers).toBe(1)
    await l.clock.advance(62_000)
    await settled()
    expect([l.server.readers, l.readings(), l.server.pendingBytes]).toEqual([0, 0, 0])
    expect(l.server.readerCounts).toMatchObject({ opened: 3, overflowed: 3, disconnected: 0 })
    expect(l.diagnostics).toContainEqual({
      level: 'warning',
      code: 'slow_consumer',
      message: 'a connection with 3 runs took nothing for 30 s and is closed',
    })
    stuck.socket.resume()
    await stuck.ended
    expect(stuck.whole()).toBe(false)
  })
})

test('a server that stops sends every run away with its cursor, and says so to all', async () => {
  const l = await connect()
  for (const id of ['run_a', 'run_b']) await l.begin(undefined, id)
  const reader = listen(l, ['run_a', 'run_b@1-1'], { watch: true })
  await reader.until('run_b@1-3')
  await l.close()
  await reader.ended
  expect(reader.whole()).toBe(true)
  const ts = l.clock.now()
  const closing = { type: 'closing', ts, reason: 'shutting_down' }
  expect(several(reader.body()).controls.filter(({ type }) => type !== 'opened')).toEqual([
    { ...closing, run_id: 'run_a', cursor: '1-3' },
    { ...closing, run_id: 'run_b', cursor: '1-3' },
    closing,
  ])
})

test('what many connections carry is encoded once', () => {
  const clock = fakeClock()
  const format = multiplexFormat(() => clock.now())
  const event: RunEvent = { type: 'text.delta', step: 1, text: 'x' }
  const batch = Batch.of('run_a', 1, [{ seq: 4, ts: 1, event }])
  const header = { run_id: 'run_a', cursor: { epoch: 1, seq: 4 } } as Parameters<typeof format.open>[0]
  const [one, other] = [format, multiplexFormat(() => 0)].map((each) =>
    each.open(header, { framing: 'sse' }).batch(batch),
  )
  expect(one).toBe(other)
})

test('the frames that PROTOCOL.md shows are those that are sent', async () => {
  const page = readFileSync(new URL('../../../PROTOCOL.md', import.meta.url), 'utf8')
  const shown = /```\n(id: run_1@.*?\n\n)```/s.exec(page)![1]
  const format = multiplexFormat(() => 0)
  const header = { run_id: 'run_1', cursor: { epoch: 1, seq: 4 } } as Parameters<typeof format.open>[0]
  const event: RunEvent = { type: 'text.delta', step: 1, text: 'It is ' }
  const entry = format
    .open(header, { framing: 'sse' })
    .batch(Batch.of('run_1', 1, [{ seq: 4, ts: 1_705_314_600_012, event }]))
  const l = lab()
  const error: unknown = await l.runtime.find('run_2').catch((thrown: unknown) => thrown)
  const frames = [entry, runRefused(1_705_314_600_500, 'run_2', error as RunletError)]
  expect(Buffer.concat(frames).toString()).toBe(shown)
})
