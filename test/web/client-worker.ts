/** What the SharedWorker of a page runs. The page names the server in the worker's address. */
import { createClient, createHub } from '../../src/client/client.ts'
import { serveHub } from '../../src/client/hub-worker.ts'

const parameters = new URL(location.href).searchParams
const client = createClient({
  baseUrl: parameters.get('server') ?? '',
  token: parameters.get('token') ?? '',
})
const hub = createHub(client)

addEventListener('connect', (event) => {
  const [port] = (event as MessageEvent).ports
  if (port) serveHub(port, hub)
})
