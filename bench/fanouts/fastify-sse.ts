import { fastifySSE } from '@fastify/sse'
import fastify from 'fastify'
import type { AddressInfo } from 'node:net'
import { EVENT_TEXT, type FanoutServer } from './fanout.ts'
import { inTurns } from './turns.ts'

/** Sends one event to one reader. */
type Send = (event: { id: string; event: string; data: object }) => Promise<void>

/** Fastify's own plugin: each reader a route that sends what it is told to. */
export async function startFastifySse(): Promise<FanoutServer> {
  const streams = new Map<string, Set<Reader>>()
  const app = fastify()
  await app.register(fastifySSE, { heartbeatInterval: 0 })
  app.get<{ Params: { stream: string } }>('/:stream', { sse: true }, async (request, reply) => {
    const readers = streams.get(request.params.stream)
    reply.sse.keepAlive()
    // Otherwise the headers wait for the first event.
    reply.sse.sendHeaders()
    reply.raw.flushHeaders()
    reply.raw.write(': open\n\n')
    readers?.add({ send: (event) => reply.sse.send(event), close: () => reply.sse.close() })
  })
  await app.listen({ port: 0, host: '127.0.0.1' })
  return {
    port: (app.server.address() as AddressInfo).port,
    headers: { accept: 'text/event-stream' },
    async open() {
      const stream = String(streams.size)
      const readers = new Set<Reader>()
      streams.set(stream, readers)
      return {
        path: `/${stream}`,
        async produce(events, perBatch) {
          await inTurns(events, perBatch, async (from, to) => {
            for (let seq = from + 1; seq <= to; seq++) {
              const data = { type: 'text.delta', ts: Date.now(), seq, step: 1, text: EVENT_TEXT }
              for (const reader of readers) await reader.send({ id: `1-${seq}`, event: 'text.delta', data })
            }
          })
          for (const reader of readers) reader.close()
        },
      }
    },
  }
}

interface Reader {
  readonly send: Send
  readonly close: () => void
}
