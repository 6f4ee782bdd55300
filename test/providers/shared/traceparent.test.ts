import { expect, test } from 'vitest'
import type { Caller, Provider } from '../../../src/core/provider.ts'
import { ollama } from '../../../src/providers/ollama.ts'
import { openaiChat } from '../../../src/providers/openai-chat.ts'
import { loopback } from '../../../src/testing/loopback.ts'

const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
const caller: Caller = { runId: 'run_secret', sessionId: 'ses_secret', requestId: 'req_secret', traceparent }
const { traceparent: _, ...untraced } = caller

const providers: [name: string, at: (url: string) => Provider][] = [
  ['openai-chat', (baseUrl) => openaiChat({ baseUrl })],
  ['ollama', (host) => ollama({ host })],
]
for (const [name, at] of providers) {
  test(`${name} tells the server the trace where there is one, and nothing else of who asked`, async () => {
    const server = await loopback((_request, response) => void response.writeHead(503).end())
    const provider = at(server.url)
    for (const options of [{ caller }, { caller: untraced }, {}]) {
      const { signal } = new AbortController()
      const request = { model: 'm', messages: [{ role: 'user', content: 'x' }], tools: [], options: {} } as const
      const stream = provider.stream(request, { signal, ...options })
      await expect(stream[Symbol.asyncIterator]().next()).rejects.toThrow()
    }
    await server.close()
    expect(server.requests.map(({ headers }) => headers['traceparent'])).toEqual([traceparent, undefined, undefined])
    expect(JSON.stringify(server.requests)).not.toContain('secret')
    const [first, ...others] = server.requests.map(({ headers }) =>
      Object.keys(headers).filter((one) => one !== 'traceparent'),
    )
    expect(others).toEqual([first, first])
  })
}
