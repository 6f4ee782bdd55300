import { createServer, type ServerResponse } from 'node:http'
import { eventFrame, sseHeaders } from '../relays/event.ts'
import { listen } from '../relays/listen.ts'
import { EVENT_TEXT, type FanoutServer } from './fanout.ts'
import { inTurns } from './turns.ts'

/** The least that a server does which tells its readers of each event: encode it once, write it once to each. This is 1×. */
export async function startSharedBuffer(): Promise<FanoutServer> {
  const streams = new Map<string, Set<ServerResponse>>()
  const server = createServer((req, res) => {
    res.writeHead(200, sseHeaders)
    res.flushHeaders()
    const readers = streams.get(req.url!)
    readers?.add(res)
    res.on('close', () => readers?.delete(res))
  })
  const port = await listen(server)
  return {
    port,
    async open() {
      const path = `/${streams.size}`
      const readers = new Set<ServerResponse>()
      streams.set(path, readers)
      return {
        path,
        async produce(events, perBatch) {
          await inTurns(events, perBatch, (from, to) => {
            for (let seq = from; seq < to; seq++) {
              const frame = Buffer.from(eventFrame(seq + 1, EVENT_TEXT))
              for (const reader of readers) reader.write(frame)
            }
          })
          for (const reader of readers) reader.end()
        },
      }
    },
  }
}
