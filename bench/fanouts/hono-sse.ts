import { createAdaptorServer } from '@hono/node-server'
import { Hono } from 'hono'
import { streamSSE } from 'hono/streaming'
import type { Server } from 'node:http'
import { listen } from '../relays/listen.ts'
import { EVENT_TEXT, type FanoutServer } from './fanout.ts'
import { inTurns } from './turns.ts'

/** What all readers of a stream look at: the events so far, and a promise that settles when there are more. */
interface Events {
  readonly frames: { readonly id: string; readonly event: string; readonly data: string }[]
  ended: boolean
  more: Promise<void>
  wake: () => void
}

/** Hono's `streamSSE`, each reader a loop over shared events. */
export async function startHonoSse(): Promise<FanoutServer> {
  const streams = new Map<string, Events>()
  const app = new Hono()
  app.get('/:stream', (c) =>
    streamSSE(c, async (stream) => {
      const events = streams.get(c.req.path)!
      // Otherwise the headers wait for the first event.
      await stream.write(': open\n\n')
      for (let next = 0; ;) {
        while (next < events.frames.length) await stream.writeSSE(events.frames[next++]!)
        if (events.ended) return
        await events.more
      }
    }),
  )
  const port = await listen(createAdaptorServer({ fetch: app.fetch }) as Server)
  return {
    port,
    async open() {
      const path = `/${streams.size}`
      const events: Events = { frames: [], ended: false, more: Promise.resolve(), wake: () => {} }
      renew(events)
      streams.set(path, events)
      return {
        path,
        async produce(count, perBatch) {
          await inTurns(count, perBatch, (from, to) => {
            for (let seq = from + 1; seq <= to; seq++) {
              const data = JSON.stringify({ type: 'text.delta', ts: Date.now(), seq, step: 1, text: EVENT_TEXT })
              events.frames.push({ id: `1-${seq}`, event: 'text.delta', data })
            }
            renew(events)
          })
          events.ended = true
          events.wake()
        },
      }
    },
  }
}

/** Tells those who wait, and makes what they wait for next. */
function renew(events: Events): void {
  const { wake } = events
  events.more = new Promise((resolve) => {
    events.wake = resolve
  })
  wake()
}
