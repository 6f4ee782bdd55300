/** Runs once for all tabs of the page, and holds the connection that they share. */
import { createClient, createHub } from '../../src/client/client.ts'
import { serveHub } from '../../src/client/hub-worker.ts'

const hub = createHub(createClient({ baseUrl: location.origin }))

addEventListener('connect', (event) => {
  const [port] = (event as MessageEvent).ports
  if (port) serveHub(port, hub)
})
