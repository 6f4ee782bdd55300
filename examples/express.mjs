// npm install runlet express; node express.mjs
import express from 'express'
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

const app = express()
app.all('/chat', nodeHandler(chat))

const server = app.listen(Number(process.env.PORT ?? 3000), '127.0.0.1', (error) => {
  if (error) throw error
  console.log(`listening on http://127.0.0.1:${server.address().port}`)
})

async function close() {
  await chat.close()
  await sim.close()
  server.close()
}
process.once('SIGTERM', () => void close())
