import { createChannel, createSession, type Channel } from 'better-sse'
import { createServer, type ServerResponse } from 'node:http'
import { listen } from '../relays/listen.ts'
import { EVENT_TEXT, type FanoutServer } from './fanout.ts'
import { inTurns } from './turns.ts'

/** better-sse's channels. */
export async function startBetterSse(): Promise<FanoutServer> {
  const channels = new Map<string, Channel>()
  const sessions = new WeakMap<object, ServerResponse>()
  const server = createServer((req, res) => {
    createSession(req, res, { keepAlive: null })
      .then((session) => {
        sessions.set(session, res)
        channels.get(req.url!)?.register(session)
      })
      .catch(() => res.destroy())
  })
  const port = await listen(server)
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
