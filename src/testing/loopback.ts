import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A request that the server was sent, its body read to the end. */
export interface LoopbackRequest {
  readonly method: string
  readonly path: string
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

/** A server that listens. */
export interface Loopback {
  readonly url: string
  /** In the order in which they were complete. */
  readonly requests: readonly LoopbackRequest[]
  /** Connections that were made so far. */
  readonly connections: number
  /** Resolves once a request has arrived. */
  asked(): Promise<void>
  /** Resolves once the client has let go of a request before its answer was over. */
  hungUp(): Promise<void>
  close(): Promise<void>
}

/** A small HTTP server on 127.0.0.1, for tests of clients. The handler gets each request with its body read. */
export async function loopback(
  handler: (request: LoopbackRequest, response: ServerResponse) => void | Promise<void>,
): Promise<Loopback> {
  const requests: LoopbackRequest[] = []
  let connections = 0
  const asked = signpost()
  const hungUp = signpost()

  const server = createServer((message, response) => {
    response.on('close', () => {
      if (!response.writableFinished) hungUp.reach()
    })
    const pieces: Buffer[] = []
    message.on('data', (piece: Buffer) => pieces.push(piece))
    message.on('end', () => {
      const { method = '', url = '', headers } = message
      const request = { method, path: url, headers, body: Buffer.concat(pieces).toString() }
      requests.push(request)
      asked.reach()
      Promise.resolve(handler(request, response)).catch((error: unknown) => response.destroy(error as Error))
    })
  })
  server.on('connection', () => connections++)
  server.listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    get connections() {
      return connections
    },
    asked: () => asked.reached,
    hungUp: () => hungUp.reached,
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function signpost(): { readonly reached: Promise<void>; reach(): void } {
  let resolve: (() => void) | undefined
  const reached = new Promise<void>((arrive) => {
    resolve = arrive
  })
  return { reached, reach: () => resolve?.() }
}
