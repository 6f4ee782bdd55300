// Calls the functions that a route file exports, as Next does: with a Request and the parameters of its path.
import { createServer } from 'node:http'
import { nodeHandler } from 'runlet/http'
import { DELETE, GET, OPTIONS, POST } from '../../examples/next/app/chat/route.mjs'

const call = (request) => {
  const method = { DELETE, GET, OPTIONS, POST }[request.method]
  return method ? method(request, { params: Promise.resolve({}) }) : new Response(null, { status: 405 })
}
const server = createServer(nodeHandler(call))
server.listen(Number(process.env.PORT ?? 3000), '127.0.0.1', () => {
  console.log(`listening on http://127.0.0.1:${server.address().port}`)
})
