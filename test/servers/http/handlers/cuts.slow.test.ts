/** Any cut and resume gives what the uncut stream gives: over a socket, in both framings, at every event and every byte. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { nodeHandler, readNdjson, readSse, universalHandler, type RunHandler } from '../../../../src/http.ts'
import type { Entry } from '../../../../src/core/event.ts'
import { checkOrder } from '../../../../src/core/order.ts'
import { createRuntime, type Run, type Runtime } from '../../../../src/engine/runtime.ts'
import { memoryLog } from '../../../../src/logs/memory.ts'
import { says, scriptedProvider } from '../../../../src/testing/scripted-provider.ts'

const accepts = { SSE: 'text/event-stream', NDJSON: 'application/x-ndjson' } as const
type Kind = keyof typeof accepts
const kinds = Object.keys(accepts) as Kind[]
const readers = { SSE: readSse, NDJSON: readNdjson }

let runtime: Runtime
let handler: RunHandler
let url: string
const closing: (() => unknown)[] = []

beforeAll(async () => {
  const pieces = (count: number) => Array.from({ length: count }, (_, i) => `${i} né\n`)
  // 2,000 events: three before the text, three behind it.
  const provider = scriptedProvider([(request) => says(...pieces(request.model === 'long' ? 1_994 : 6))])
  runtime = createRuntime({ providers: { lab: provider }, log: memoryLog() })
  handler = universalHandler(runtime, () => ({ prompt: 'Go on.' }))
  const server = createServer(nodeHandler(handler))
  server.listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/chat`
  closing.push(
    () => runtime.close(),
    () => handler.close(),
    () => {
      server.closeAllConnections()
      server.close()
    },
  )
})
afterAll(async () => {
  for (const close of closing.toReversed()) await close()
})

async function ended(model: 'long' | 'short'): Promise<Run> {
  const run = await runtime.start({ model: `lab/${model}`, prompt: 'Go on.' })
  await run.result()
  return run
}

const open = (kind: Kind, run: Run, last?: string) =>
  fetch(`${url}?run=${run.id}`, {
    headers: { accept: accepts[kind], ...(last === undefined ? {} : { 'last-event-id': last }) },
  })
const bytesOf = async (response: Response) => new Uint8Array(await response.arrayBuffer())

/** What a client has that is cut off after so many bytes, and comes back with the place it had reached. */
async function cutAndResumed(
  kind: Kind,
  head: Uint8Array,
  tailOf: (place: string | undefined) => Promise<Response>,
): Promise<Entry[]> {
  const entries: Entry[] = []
  const first = readers[kind](new Response(head as BodyInit))
  try {
    for await (const some of first) entries.push(...some)
  } catch {
    // Cut, as was meant.
  }
  const second = readers[kind](await tailOf(first.cursor), first.cursor === undefined ? {} : { after: first.cursor })
  for await (const some of second) entries.push(...some)
  return entries
}

/** Tails by the place they begin at: cuts within one event come back to the same one. */
function tails(kind: Kind, run: Run): (place: string | undefined) => Promise<Response> {
  const known = new Map<string | undefined, { status: number; bytes: Uint8Array }>()
  return async (place) => {
    let tail = known.get(place)
    if (!tail) {
      const response = await open(kind, run, place)
      tail = { status: response.status, bytes: await bytesOf(response) }
      known.set(place, tail)
    }
    return new Response(tail.status === 204 ? null : (tail.bytes.slice() as BodyInit), { status: tail.status })
  }
}

for (const kind of kinds) {
  describe(kind, () => {
    test('cut after every event of 2,000, a stream goes on exactly there', async () => {
      const run = await ended('long')
      const whole = await bytesOf(await open(kind, run))
      const text = new TextDecoder().decode(whole)
      // Where each frame or line ends. The retry hint comes before the first, the end mark is the last.
      const frames = kind === 'SSE' ? [...text.matchAll(/\n\n/g)].slice(1, -1) : [...text.matchAll(/\n/g)].slice(0, -1)
      expect(frames).toHaveLength(2_000)
      for (const [i, { index }] of frames.entries()) {
        const response = await open(kind, run, `1-${i + 1}`)
        const head = text.slice(0, index + (kind === 'SSE' ? 2 : 1))
        const tail = await response.text()
        if (response.status === 204) expect([kind, i]).toEqual(['SSE', 1_999])
        else if (head + tail.replace(/^retry: 2000\n\n/, '') !== text) expect(head + tail).toBe(text)
      }
    })

    test('cut after every byte of a short one, a client has each event once, in order', async () => {
      const run = await ended('short')
      const whole = await bytesOf(await open(kind, run))
      const entries = await cutAndResumed(kind, whole, tails(kind, run))
      checkOrder(entries, { ended: true })
      const tailOf = tails(kind, run)
      for (let cut = 0; cut < whole.length; cut++) {
        expect(await cutAndResumed(kind, whole.slice(0, cut), tailOf)).toEqual(entries)
      }
    })

    test('a live one, cut at random places again and again, gives what the log has', async () => {
      for (let round = 0; round < 20; round++) {
        const run = await runtime.start({ model: 'lab/long', prompt: 'Go on.' })
        const entries: Entry[] = []
        let cursor: string | undefined
        for (let over = false; !over;) {
          const gone = new AbortController()
          const headers = { accept: accepts[kind], ...(cursor === undefined ? {} : { 'last-event-id': cursor }) }
          const response = await fetch(`${url}?run=${run.id}`, { headers, signal: gone.signal })
          const reader = readers[kind](response, cursor === undefined ? {} : { after: cursor })
          const most = 1 + Math.floor(Math.random() * 400)
          let got = 0
          try {
            for await (const some of reader) {
              entries.push(...some)
              if ((got += some.length) > most) gone.abort()
            }
            over = true
          } catch (error) {
            if (!gone.signal.aborted) throw error
          }
          cursor = reader.cursor
        }
        const logged: Entry[] = []
        for await (const record of run.read()) if (record.type === 'batch') logged.push(...record.entries)
        expect(entries).toEqual(logged)
      }
    })

    test('the check sees what it is to see: a server that repeats or skips an event is found out', async () => {
      const run = await ended('short')
      const whole = await bytesOf(await open(kind, run))
      const entries = await cutAndResumed(kind, whole, tails(kind, run))
      const cut = whole.slice(0, Math.floor(whole.length / 2))
      for (const shift of [-1, 1]) {
        const wrong = await cutAndResumed(kind, cut, (place) => open(kind, run, `1-${Number(place?.slice(2)) + shift}`))
        expect(wrong).not.toEqual(entries)
      }
    })
  })
}
