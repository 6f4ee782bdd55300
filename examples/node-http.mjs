// npm install runlet; node node-http.mjs, then open http://127.0.0.1:3000/
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { nodeHandler, readStartRequest, universalHandler } from 'runlet/http'
import { openaiChat } from 'runlet/providers/openai-chat'
import { createSim } from 'runlet/sim'

// A simulator stands in for the model, so that this runs without a key: for a real one, openaiChat({ apiKey }).
const sim = await createSim({ tokensPerSecond: Number(process.env.PACE ?? 60) })
const provider = openaiChat({ baseUrl: `${sim.url}/v1` })

const chat = universalHandler(
  provider,
  async (request) => {
    // The place to ask who that is. What a stranger may set is what is handed on here.
    const { prompt, messages, model } = await readStartRequest(request)
    return { prompt, messages, model }
  },
  // With false, the default, a reload or a lost network ends nothing: GET /chat?run=ID reads on.
  { model: 'hello', cancelOnDisconnect: process.env.CANCEL_ON_DISCONNECT === '1' },
)

const onNode = nodeHandler(chat)
const pages = { '/': 'fetch.html', '/fetch.html': 'fetch.html', '/eventsource.html': 'eventsource.html' }

async function answer(request, response) {
  const [pathname] = request.url.split('?')
  if (pathname === '/chat') return onNode(request, response)
  const page = Object.hasOwn(pages, pathname) ? pages[pathname] : undefined
  if (page === undefined) return response.writeHead(404).end()
  response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' })
  response.end(await readFile(new URL(page, import.meta.url)))
}

const server = createServer((request, response) => {
  answer(request, response).catch(() => response.destroy())
})

server.listen(Number(process.env.PORT ?? 3000), '127.0.0.1', () => {
  console.log(`listening on http://127.0.0.1:${server.address().port}`)
})

async function close() {
  await chat.close()
  await sim.close()
  server.close()
}
process.once('SIGTERM', () => void close())
