import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import { eventFrame, sseHeaders } from '../relays/event.ts'
import { listen } from '../relays/listen.ts'
import { EVENT_TEXT, type FanoutServer } from './fanout.ts'

const PIECE = 64 * 1024

/** Bytes that were made before anyone asks: all that serving a stored stream could cost less than. */
export async function startPrepared(): Promise<FanoutServer> {
  const streams = new Map<string, Buffer>()
  const server = createServer((req, res) => {
    send(res, streams.get(req.url!) ?? Buffer.alloc(0)).catch(() => res.destroy())
  })
  const port = await listen(server)
  return {
    port,
    async open() {
      const path = `/${streams.size}`
      return {
        path,
        async produce(events) {
          let frames = ''
          for (let seq = 1; seq <= events; seq++) frames += eventFrame(seq, EVENT_TEXT)
          streams.set(path, Buffer.from(frames))
        },
      }
    },
  }
}

async function send(res: ServerResponse, bytes: Buffer): Promise<void> {
  res.writeHead(200, sseHeaders)
  for (let from = 0; from < bytes.length; from += PIECE) {
    if (!res.write(bytes.subarray(from, from + PIECE))) await once(res, 'drain')
  }
  res.end()
}
