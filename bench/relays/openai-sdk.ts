import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import OpenAI from 'openai'
import { eventFrame, sseHeaders } from './event.ts'
import { listen } from './listen.ts'
import type { RelayOptions, RunningServer } from './relay.ts'

/** The official SDK, and one `res.write` per chunk: what its examples show. */
export async function startOpenaiSdk({ sourceUrl }: RelayOptions): Promise<RunningServer> {
  const client = new OpenAI({ apiKey: 'none', baseURL: sourceUrl, maxRetries: 0 })

  async function relay(res: ServerResponse): Promise<void> {
    const gone = new AbortController()
    res.on('close', () => gone.abort())
    const chunks = await client.chat.completions.create(
      { model: 'bench', stream: true, messages: [{ role: 'user', content: 'Go on.' }] },
      { signal: gone.signal },
    )
    res.writeHead(200, sseHeaders)
    let seq = 0
    for await (const chunk of chunks) {
      const text = chunk.choices[0]?.delta.content
      if (text && !res.write(eventFrame(++seq, text))) await once(res, 'drain', { signal: gone.signal })
    }
    res.end()
  }

  const server = createServer((req, res) => {
    req.resume()
    relay(res).catch(() => res.destroy())
  })
  return { port: await listen(server) }
}
