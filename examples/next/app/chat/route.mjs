// A route file of Next's app router: app/chat/route.ts. It has to run on Node, and never be rendered beforehand.
import { readStartRequest, universalHandler } from 'runlet/http'
import { openaiChat } from 'runlet/providers/openai-chat'
import { createSim } from 'runlet/sim'

export const runtime = 'nodejs'
export const dynamic = 'force-dynamic'

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

export const GET = chat
export const POST = chat
export const DELETE = chat
export const OPTIONS = chat
