import { createServer } from 'node:http'
import { sseHeaders } from './event.ts'
import { listen } from './listen.ts'
import type { RelayOptions, RunningServer } from './relay.ts'
import { upstream } from './upstream.ts'

/** The bytes as they come, unread: what the transport alone costs. */
export async function startPipe({ sourceUrl }: RelayOptions): Promise<RunningServer> {
  const ask = upstream(sourceUrl)
  const server = createServer((req, res) => {
    req.resume()
    const asking = ask((answer) => {
      res.writeHead(200, sseHeaders)
      answer.pipe(res)
    })
    res.on('close', () => asking.destroy())
  })
  return { port: await listen(server) }
}
