import { createParser } from 'eventsource-parser'
import { expect, test } from 'vitest'
import { createClient } from '../../src/client/client.ts'
import { createHub } from '../../src/client/hub.ts'
import type { RunEvent } from '../../src/core/event.ts'
import { fakeClock } from '../../src/testing/fake-clock.ts'
import { lab, runEnds, stepBegins, texts } from '../servers/http/lab.ts'
import { baseUrl, cutAt, hear, meanwhile, until } from './served.ts'

const whole = [...stepBegins, ...texts(4), ...runEnds]
const allIds = Array.from({ length: 10 }, (_, i) => `1-${i + 1}`)

/** A browser with a cookie that the server takes for its token, and the page's client. */
function browser() {
  const l = lab()
  const time = fakeClock()
  /** What was asked, and with what in hand. */
  const asked: string[] = []
  const state = { cut: undefined as number | undefined, change: (text: string) => text, connections: 0 }
  const send = async (input: RequestInfo | URL, init?: RequestInit, by = 'fetch') => {
    const request = new Request(input, init)
    const { pathname, search } = new URL(request.url)
    const shown = request.headers.get('authorization') === null ? '' : ' with a token'
    asked.push(`${by} ${request.method} ${pathname}${search}${shown}`)
    const headers = new Headers(request.headers)
    if (shown === '' && !search.includes('access_token')) headers.set('authorization', `Bearer ${l.token}`)
    return l.server.fetch(new Request(request, { headers }))
  }

  /** As browsers do it, as far as a page can see; it is never given the time to come back by itself. */
  class Source extends EventTarget {
    readonly #stop = new AbortController()

    constructor(url: string) {
      super()
      state.connections++
      void this.#read(url)
    }

    async #read(url: string): Promise<void> {
      const response = await send(url, { headers: { accept: 'text/event-stream' } }, 'EventSource')
      if (response.status !== 200) return void this.dispatchEvent(new Event('error'))
      const body = state.cut === undefined ? response.body! : cutAt(response.body!, state.cut)
      state.cut = undefined
      let lastEventId = ''
      const parser = createParser({
        onEvent: ({ event = 'message', id, data }) => {
          lastEventId = id ?? lastEventId
          if (!this.#stop.signal.aborted) this.dispatchEvent(new MessageEvent(event, { data, lastEventId }))
        },
      })
      const decoder = new TextDecoder()
      for await (const chunk of body) {
        if (this.#stop.signal.aborted) break
        parser.feed(state.change(decoder.decode(chunk, { stream: true })))
      }
      if (!this.#stop.signal.aborted) this.dispatchEvent(new Event('error'))
    }

    close(): void {
      this.#stop.abort()
    }
  }

  const client = createClient({
    baseUrl,
    clock: time,
    fetch: send,
    EventSource: Source as unknown as typeof EventSource,
    transport: 'event-source',
  })
  return { l, time, client, asked, state }
}

test('a run is followed from every cursor to its end', async () => {
  const { l, time, client, state } = browser()
  await l.begin(whole)
  for (let seq = 0; seq < 10; seq++) {
    const following = client.follow('run_lab', { after: { epoch: 1, seq } })
    const states: string[] = []
    following.subscribe(() => states.push(following.state.type))
    const heard = hear(following)
    await until(time, heard.done)
    expect([heard.ids, heard.error]).toEqual([allIds.slice(seq), undefined])
    expect(states).toEqual(['catching-up', 'ended'])
  }
  expect(state.connections).toBe(10)
})

test('one that is over with nothing left is not connected to', async () => {
  const { l, time, client, asked } = browser()
  await l.begin(whole)
  const following = client.follow('run_lab', { after: { epoch: 1, seq: 10 } })
  const heard = hear(following)
  await until(time, heard.done)
  expect([heard.ids, following.state]).toEqual([[], { type: 'ended', kind: 'over' }])
  expect(asked).toEqual(['fetch HEAD /v1/runs/run_lab/events?after=1-10'])
})

test('cut after any byte, it goes on with the next event', async () => {
  const { l, time, client, state } = browser()
  await l.begin(whole)
  const { length } = await (await l.ask('/v1/runs/run_lab/events')).text()
  for (let at = 1; at < length; at += 11) {
    state.cut = at
    const heard = hear(client.follow('run_lab'))
    await until(time, heard.done)
    expect([heard.ids, heard.error]).toEqual([allIds, undefined])
  }
})

test('a run that ends with an event called "error" has ended, and its connection is not broken', async () => {
  const { l, time, client, state } = browser()
  const body = { code: 'internal', reason: 'x', message: 'x', temporary: false } as const
  await l.begin([...stepBegins, { type: 'error', error: body }])
  const following = client.follow('run_lab')
  const heard = hear(following)
  await until(time, heard.done)
  expect(following.state).toMatchObject({ type: 'ended', kind: 'failed' })
  expect(state.connections).toBe(1)
})

test('what an EventSource would hide is thrown as the server says it', async () => {
  const { l, time, client } = browser()
  await l.begin(whole)
  const cases: [run: string, seq: number, expected: object][] = [
    ['nope', 0, { code: 'not_found', reason: 'run_unknown', status: 404 }],
    ['run_lab', 99, { code: 'invalid_request', reason: 'cursor_future', status: 409 }],
  ]
  for (const [run, seq, expected] of cases) {
    const heard = hear(client.follow(run, { after: { epoch: 1, seq } }))
    await until(time, heard.done)
    expect(heard.error).toMatchObject(expected)
  }
})

test('events that it was not told to listen to are fetched', async () => {
  const { l, time, client, state, asked } = browser()
  await l.begin(whole)
  // What a later server may say: an event of a name that this client does not know.
  state.change = (text) => text.replaceAll('event: turn.start\n', 'event: turn.wonder\n')
  const heard = hear(client.follow('run_lab'))
  await until(time, heard.done)
  expect([heard.ids, heard.error]).toEqual([allIds, undefined])
  expect(asked).toEqual([
    'fetch HEAD /v1/runs/run_lab/events',
    'EventSource GET /v1/runs/run_lab/events',
    'fetch GET /v1/runs/run_lab/events?after=1-1',
  ])
})

test('a token for one run goes into the address, and the client’s own goes nowhere', async () => {
  const { time, asked } = browser()
  const seen: string[] = []
  const client = createClient({
    baseUrl,
    token: 'owner',
    clock: time,
    fetch: async (input, init) => {
      const request = new Request(input, init)
      seen.push(`${request.method} ${new URL(request.url).search} ${request.headers.get('authorization')}`)
      return new Response(null, { status: 204 })
    },
    EventSource: EventTarget as unknown as typeof EventSource,
  })
  const heard = hear(
    client.follow('run_lab', { transport: 'event-source', accessToken: 'a b', after: { epoch: 1, seq: 4 } }),
  )
  await until(time, heard.done)
  const fetched = hear(client.follow('run_lab', { accessToken: 'ab' }))
  await until(time, fetched.done)
  expect(seen).toEqual(['HEAD ?after=1-4&access_token=a%20b null', 'GET  Bearer ab'])
  expect(asked).toEqual([])
})

test('a hub works through it, too, and hears events of names that nobody knows', async () => {
  const { l, time, client, state } = browser()
  for (const id of ['run_a', 'run_b']) await l.begin(whole, id)
  state.change = (text) => text.replaceAll('"type":"turn.start"', '"type":"turn.wonder"')
  state.cut = 1_500
  const hub = createHub(client, { clock: time, transport: 'event-source' })
  const heard = ['run_a', 'run_b'].map((id) => hear(hub.follow(id)))
  await until(time, Promise.all(heard.map(({ done }) => done)))
  expect(heard.map(({ ids, error }) => [ids, error])).toEqual([
    [allIds, undefined],
    [allIds, undefined],
  ])
  expect(state.connections).toBe(2)
})

test('more than it can hold is not kept: it is closed, and goes on where the reading is', async () => {
  const { l, time, client, state } = browser()
  const many: RunEvent[] = texts(40, 'x'.repeat(64 * 1024))
  await l.begin([...stepBegins, ...many, ...runEnds])
  const seqs: number[] = []
  const reading = (async () => {
    for await (const view of client.follow('run_lab')) {
      seqs.push(view.seq)
      await meanwhile(time)
    }
  })()
  await until(time, reading)
  expect(seqs.at(-1)).toBe(46)
  expect(state.connections).toBeGreaterThan(1)
})

test('where there is none, it says so', async () => {
  const client = createClient({ baseUrl, transport: 'event-source', fetch: async () => new Response() })
  const heard = hear(client.follow('run_lab'))
  await heard.done
  expect(heard.error).toMatchObject({ code: 'unsupported', reason: 'no_event_source' })
})
