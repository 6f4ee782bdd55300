// npm install runlet fastify; node fastify.mjs
import fastify from 'fastify'
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

const app = fastify()
const onNode = nodeHandler(chat)
app.route({
  method: ['GET', 'POST', 'DELETE', 'OPTIONS'],
  url: '/chat',
  handler(request, reply) {
    // From here on the response is ours. Fastify has read the body, so it is handed on.
    reply.hijack()
    onNode(request.raw, reply.raw, request.body)
  },
})

const address = await app.listen({ host: '127.0.0.1', port: Number(process.env.PORT ?? 3000) })
console.log(`listening on ${address}`)

async function close() {
  await chat.close()
  await sim.close()
  await app.close()
}
process.once('SIGTERM', () => void close())
