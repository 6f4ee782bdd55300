import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { streamText } from 'ai'
import { createServer } from 'node:http'
import { listen } from './listen.ts'
import type { RelayOptions, RunningServer } from './relay.ts'

/** The AI SDK, from model to its own UI message stream: what its examples show for Node. */
export async function startAiSdk({ sourceUrl }: RelayOptions): Promise<RunningServer> {
  const source = createOpenAICompatible({ name: 'source', baseURL: sourceUrl })
  const server = createServer((req, res) => {
    req.resume()
    const gone = new AbortController()
    res.on('close', () => gone.abort())
    const result = streamText({
      model: source('bench'),
      prompt: 'Go on.',
      maxRetries: 0,
      abortSignal: gone.signal,
      // Its default prints every broken connection.
      onError: () => void res.destroy(),
    })
    void result.pipeUIMessageStreamToResponse(res)
  })
  return { port: await listen(server) }
}
