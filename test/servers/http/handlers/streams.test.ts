import { describe, expect, test } from 'vitest'
import type { RunletError } from '../../../../src/core/error.ts'
import { createStreams, ndjson, sse, type Streams } from '../../../../src/servers/http/handlers/streams.ts'
import type { NdjsonOptions, SseOptions, StreamsOptions } from '../../../../src/servers/http/handlers/options.ts'
import { lab, runEnds, stepBegins, texts, type Lab } from '../lab.ts'

/** A run that has ended, and streams whose time stands still. */
async function shop(options: StreamsOptions = {}): Promise<{ l: Lab; streams: Streams; run: Run }> {
  const l = lab()
  const id = await l.begin([...stepBegins, ...texts(2), ...runEnds])
  return { l, streams: createStreams({ clock: l.clock, ...options }), run: await l.runtime.find(id) }
}
type Run = Awaited<ReturnType<Lab['runtime']['find']>>

const page = (headers: Record<string, string> = {}, query = '') =>
  new Request(`http://shop.example/answer${query}`, { headers })

/** The frames of a stream, field by field. */
const framesOf = (text: string) =>
  text
    .split('\n\n')
    .filter((frame) => frame !== '')
    .map((frame) => Object.fromEntries(frame.split('\n').map((line) => line.split(/: (.*)/s).slice(0, 2))))
const linesOf = (text: string) =>
  text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Record<string, unknown>)

const types = ['start', 'turn.start', 'step.start', 'text.delta', 'text.delta', 'step.end', 'turn.end', 'finish']

describe('sse(run)', () => {
  test('is a response with the headers of a stream, whose events are in order, each with its id, and end with done', async () => {
    const { run } = await shop()
    const response = await sse(run)
    expect([response.status, Object.fromEntries(response.headers)]).toEqual([
      200,
      {
        'content-type': 'text/event-stream; charset=utf-8',
        'cache-control': 'no-cache, no-transform',
        'x-accel-buffering': 'no',
        'x-run-id': run.id,
        'x-run-cursor': '1-8',
      },
    ])
    const [retry, ...frames] = framesOf(await response.text())
    expect(retry).toEqual({ retry: '2000' })
    expect(frames.map(({ event }) => event)).toEqual([...types, 'done'])
    expect(frames.map(({ id }) => id)).toEqual([...types.map((_, i) => `1-${i + 1}`), undefined])
    expect(frames.slice(0, -1).map(({ data }) => JSON.parse(data).type)).toEqual(types)
  })

  const spellings: [name: string, options: SseOptions, check: (text: string) => void][] = [
    ['without ids', { ids: false }, (text) => expect(text).not.toMatch(/^id:/m)],
    ['with a hint of its own', { retryMs: 250 }, (text) => expect(text.startsWith('retry: 250\n\nid: 1-1')).toBe(true)],
    ['in full', { compact: false }, (text) => expect(text.match(/"run_id"/g)).toHaveLength(types.length)],
    ['without times', { timestamps: false }, (text) => expect(text).not.toContain('"ts"')],
    ['in full, without times', { compact: false, timestamps: false }, (text) => expect(text).not.toContain('"ts"')],
  ]
  for (const [name, options, check] of spellings) {
    test(`${name}: nothing else changes`, async () => {
      const { run } = await shop()
      const text = await (await sse(run, options)).text()
      check(text)
      expect(framesOf(text).flatMap(({ data }) => (data === undefined ? [] : [JSON.parse(data).type]))).toEqual([
        ...types,
        'done',
      ])
    })
  }
})

describe('ndjson(run)', () => {
  test('is one object a line, each whole, whatever the text holds', async () => {
    const l = lab()
    const text = 'two\nlines\r\n, U+2028 \u2028 and "quotes"'
    const id = await l.begin([...stepBegins, ...texts(100, text), ...runEnds])
    const response = await ndjson(await l.runtime.find(id))
    expect(response.headers.get('content-type')).toBe('application/x-ndjson; charset=utf-8')
    const lines = linesOf(await response.text())
    expect(lines.slice(3, 103).map((line) => line['text'])).toEqual(Array.from({ length: 100 }, () => text))
    expect(lines.slice(0, -1).map(({ seq }) => seq)).toEqual(Array.from({ length: 106 }, (_, i) => i + 1))
    expect(lines.at(-1)).toEqual({ type: 'done', finished: true })
  })

  test('without timestamps no record has one, a sign of life neither', async () => {
    const { l, streams } = await shop()
    const id = await l.begin(stepBegins, 'run_live')
    const run = await l.runtime.find(id)
    const timed = (await streams.ndjson(run)).text()
    const untimed = (await streams.ndjson(run, { timestamps: false })).text()
    await l.clock.advance(15_000)
    await l.log.append(id, 1, runEnds)
    const [a, b] = [linesOf(await timed), linesOf(await untimed)]
    expect(a.slice(0, -1).every(({ ts }) => typeof ts === 'number')).toBe(true)
    expect(b).toEqual(a.map((line) => Object.fromEntries(Object.entries(line).filter(([name]) => name !== 'ts'))))
    expect(b.map(({ type }) => type)).toContain('heartbeat')
  })
})

describe('where a stream begins', () => {
  const cases: [name: string, options: NdjsonOptions, first: number][] = [
    ['at the start', {}, 1],
    ['after a cursor', { after: '1-4' }, 5],
    ['after a cursor as an object', { after: { epoch: 1, seq: 6 } }, 7],
    ['where the URL says', { request: page({}, '?after=1-3') }, 4],
    ['where the header says, whatever the URL says', { request: page({ 'last-event-id': '1-5' }, '?after=1-3') }, 6],
    [
      'where the request says, whatever the option says',
      { request: page({ 'last-event-id': '1-5' }), after: '1-2' },
      6,
    ],
    ['at the start, if the header is empty', { request: page({ 'last-event-id': '' }) }, 1],
  ]
  for (const [name, options, first] of cases) {
    test(name, async () => {
      const { run } = await shop()
      const lines = linesOf(await (await ndjson(run, options)).text())
      expect(lines.slice(0, -1).map(({ seq }) => seq)).toEqual(types.map((_, i) => i + 1).slice(first - 1))
    })
  }

  test('with a snapshot, unless a place is known', async () => {
    const { run } = await shop()
    const first = async (options: NdjsonOptions) => linesOf(await (await ndjson(run, options)).text())[0]?.['type']
    expect(await first({ snapshot: true })).toBe('snapshot')
    expect(await first({ snapshot: true, request: page({ 'last-event-id': '1-5' }) })).toBe('step.end')
  })

  test('an EventSource that comes back for nothing is told to stay away', async () => {
    const { run } = await shop()
    const response = await sse(run, { request: page({ 'last-event-id': '1-8' }) })
    expect([response.status, await response.text()]).toEqual([204, ''])
  })
})

describe('what cannot be is refused before anything is sent', () => {
  const cases: [options: SseOptions & StreamsOptions, reason: string, status: number][] = [
    [{ heartbeatMs: 9 }, 'bad_option', 400],
    [{ heartbeatMs: Number.NaN }, 'bad_option', 400],
    [{ stallMs: 3_600_001 }, 'bad_option', 400],
    [{ maxPendingBytes: 1_023 }, 'bad_option', 400],
    [{ lagEvents: 0 }, 'bad_option', 400],
    [{ closeMs: -1 }, 'bad_option', 400],
    [{ retryMs: 0.5 }, 'bad_option', 400],
    [{ overflow: { type: 'disconnect', maxLagEvents: 0 } }, 'bad_option', 400],
    [{ overflow: { type: 'disconnect', maxLagMs: Number.NaN } }, 'bad_option', 400],
    [{ request: page(), origins: ['*'] }, 'bad_origin', 400],
    [{ request: page(), origins: ['https://Shop.example'] }, 'bad_origin', 400],
    [{ after: 'yesterday' }, 'cursor_malformed', 400],
    [{ after: '1-900' }, 'cursor_future', 409],
    [{ after: '7-2' }, 'cursor_future', 409],
    [{ request: page({ 'last-event-id': '1-2-3' }) }, 'cursor_malformed', 400],
  ]
  for (const [options, reason, status] of cases) {
    const shown = 'request' in options ? { ...options, request: '…' } : options
    test(`${JSON.stringify(shown)} is ${reason}`, async () => {
      const { run } = await shop()
      const thrown = await (async () => sse(run, options))().catch((error: unknown) => error as RunletError)
      expect(thrown).toMatchObject({ code: 'invalid_request', reason, status })
    })
  }

  test('a format that does not come as lines is not acceptable', async () => {
    const { run, streams } = await shop()
    const { gai } = await import('../../../../src/formats/gai.ts')
    const format = { ...gai, name: 'sse-only', framings: ['sse'] as const }
    await expect(streams.ndjson(run, { format })).rejects.toMatchObject({ reason: 'not_acceptable', status: 406 })
  })
})

describe('pages of other origins', () => {
  const origins = ['https://app.example', 'http://localhost:5173']
  const cases: [name: string, headers: Record<string, string>, options: NdjsonOptions, allowed: string | null][] = [
    ['a listed one may read', { origin: 'https://app.example' }, { origins }, 'https://app.example'],
    ['another one may not', { origin: 'https://app.example.evil' }, { origins }, null],
    ['a port makes another origin', { origin: 'https://app.example:8443' }, { origins }, null],
    ['without a list nobody may', { origin: 'https://app.example' }, {}, null],
    ['null is no origin', { origin: 'null' }, { origins }, null],
  ]
  for (const [name, headers, options, allowed] of cases) {
    test(name, async () => {
      const { run } = await shop()
      const response = await ndjson(run, { ...options, request: page(headers) })
      await response.body?.cancel()
      expect(response.headers.get('access-control-allow-origin')).toBe(allowed)
      expect(response.headers.get('vary')).toBe(options.origins ? 'Origin' : null)
    })
  }
})

describe('a registry', () => {
  test('gives signs of life to all its readers, with one timer that rests when nobody reads', async () => {
    const l = lab()
    const run = await l.runtime.find(await l.begin())
    const streams = createStreams({ clock: l.clock, heartbeatMs: 50 })
    expect(l.clock.pending).toBe(0)
    const responses = await Promise.all([streams.sse(run), streams.sse(run), streams.ndjson(run)])
    expect([l.clock.pending, streams.readers]).toEqual([1, 3])
    const bodies = Promise.all(responses.map((response) => response.text()))
    await l.clock.advance(200)
    await l.log.append(run.id, 1, runEnds)
    const beats = (await bodies).map((body) => body.match(/^: keep-alive$|"type":"heartbeat"/gm)?.length)
    expect(beats).toEqual([4, 4, 4])
    expect([l.clock.pending, streams.readers]).toEqual([0, 0])
  })

  test('closes: every reader is told where to read on, later ones are sent away, and the runs go on', async () => {
    const l = lab()
    const run = await l.runtime.find(await l.begin())
    const streams = createStreams({ clock: l.clock })
    const response = await streams.ndjson(run)
    const text = response.text()
    await streams.close()
    expect(linesOf(await text).at(-1)).toMatchObject({ type: 'closing', reason: 'shutting_down', cursor: '1-3' })
    await expect(streams.sse(run)).rejects.toMatchObject({ code: 'provider_unavailable', reason: 'shutting_down' })
    expect((await run.header()).status).toBe('running')
    expect(l.clock.pending).toBe(0)
  })
})

describe('a reader that goes', () => {
  const goings: [name: string, go: (response: Response, gone: AbortController) => unknown][] = [
    ['lets go of the body', (response) => response.body?.cancel()],
    ['gives the request up', (_, gone) => gone.abort()],
  ]
  for (const [name, go] of goings) {
    test(`${name}: the run goes on, unless its end was asked for`, async () => {
      for (const cancelOnDisconnect of [false, true]) {
        const l = lab({ scripts: [[[{ type: 'start', model: 'm' }], { wait: new Promise(() => {}) }]] })
        const run = await l.runtime.start({ prompt: 'Hi' })
        const gone = new AbortController()
        const request = new Request('http://shop.example/', { signal: gone.signal })
        const streams = createStreams({ clock: l.clock })
        const response = await streams.sse(run, { request, cancelOnDisconnect })
        await l.clock.advance(0)
        expect([l.provider.active, streams.readers]).toEqual([1, 1])
        await go(response, gone)
        await l.clock.advance(0)
        expect([l.provider.active, streams.readers, l.readings()]).toEqual([cancelOnDisconnect ? 0 : 1, 0, 0])
        expect((await run.header()).status).toBe(cancelOnDisconnect ? 'cancelled' : 'running')
        await run.cancel()
      }
    })
  }
})
