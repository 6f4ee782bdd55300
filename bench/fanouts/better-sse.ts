import { createChannel, createSession, type Channel } from 'better-sse'
import express from 'express'
import { createServer, type RequestListener, type ServerResponse } from 'node:http'
import { listen } from '../relays/listen.ts'
import { EVENT_TEXT, type FanoutServer } from './fanout.ts'
import { inTurns } from './turns.ts'

/** better-sse's channels, on `node:http`. */
export const startBetterSse = () => startChannels((listener) => listen(createServer(listener)))

/** The same in Express. */
export const startExpressBetterSse = () =>
  startChannels((listener) => listen(createServer(express().get('/:stream', listener))))

async function startChannels(serve: (listener: RequestListener) => Promise<number>): Promise<FanoutServer> {
  const channels = new Map<string, Channel>()
  const sessions = new WeakMap<object, ServerResponse>()
  const port = await serve((req, res) => {
    createSession(req, res, { keepAlive: null })
      .then((session) => {
        sessions.set(session, res)
        channels.get(req.url!)?.register(session)
      })
      .catch(() => res.destroy())
  })
  return {
    port,
    async open() {
      const path = `/${channels.size}`
      const channel = createChannel()
      channels.set(path, channel)
      return {
        path,
        async produce(events, perBatch) {
          await inTurns(events, perBatch, (from, to) => {
            for (let seq = from; seq < to; seq++) {
              const event = { type: 'text.delta', ts: Date.now(), seq: seq + 1, step: 1, text: EVENT_TEXT }
              channel.broadcast(event, 'text.delta', { eventId: `1-${seq + 1}` })
            }
          })
          for (const session of channel.activeSessions) sessions.get(session)?.end()
        },
      }
    },
  }
}
