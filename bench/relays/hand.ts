import { createServer } from 'node:http'
import { eventFrame, sseHeaders } from './event.ts'
import { listen } from './listen.ts'
import type { RelayOptions, RunningServer } from './relay.ts'
import { upstream } from './upstream.ts'

/** What one writes by hand: parse, spell anew, write once per event. Without a log, errors or an honest end. This is 1×. */
export async function startHandRelay({ sourceUrl }: RelayOptions): Promise<RunningServer> {
  const ask = upstream(sourceUrl)
  const server = createServer((req, res) => {
    req.resume()
    const asking = ask((answer) => {
      res.writeHead(200, sseHeaders)
      answer.setEncoding('utf8')
      let rest = ''
      let seq = 0
      answer.on('data', (chunk: string) => {
        const lines = (rest + chunk).split('\n')
        rest = lines.pop()!
        let room = true
        for (const line of lines) {
          if (!line.startsWith('data: ')) continue
          const payload = line.slice(6)
          if (payload === '[DONE]') continue
          const text: unknown = JSON.parse(payload).choices[0]?.delta.content
          if (typeof text === 'string' && text !== '') room = res.write(eventFrame(++seq, text))
        }
        if (room) return
        answer.pause()
        res.once('drain', () => answer.resume())
      })
      answer.on('end', () => res.end())
    })
    res.on('close', () => asking.destroy())
  })
  return { port: await listen(server) }
}
