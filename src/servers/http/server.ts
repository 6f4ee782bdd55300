import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { getRequestListener } from '@hono/node-server'
import { systemClock, type Clock } from '../../core/clock.ts'
import { RunletError, toRunletError } from '../../core/error.ts'
import type { Format } from '../../core/format.ts'
import type { Diagnostic, Runtime } from '../../engine/runtime.ts'
import { formats } from '../../formats/index.ts'
import { createApp } from './app.ts'
import { hostList } from './hosts.ts'
import { defaultHttpLimits, type HttpLimits } from './limits.ts'
import { nodeSinks } from './node-sink.ts'
import { problem } from './problem.ts'
import { Readers } from './readers.ts'
import { routes } from './routes.ts'

export interface HttpServerOptions {
  readonly runtime: Runtime
  /** What every caller has to show, 256 bits; see `tokenFile`. Throws `invalid_request` with `token_weak` if it is less. */
  readonly token: string
  /** Address to listen on. Default `127.0.0.1`. */
  readonly host?: string
  /** Default 7411; 0 takes any that is free. */
  readonly port?: number
  /** `Host` headers to answer to besides loopback and `host`, exactly: `runlet.example.org`, `10.0.0.5:7411`. */
  readonly hosts?: readonly string[]
  /** Origins of web pages that may call, exactly: `https://app.example.org`. Default: only the server's own. */
  readonly origins?: readonly string[]
  /** Spellings that clients may ask for. Default: all there are. */
  readonly formats?: Readonly<Record<string, Format>>
  readonly limits?: Partial<HttpLimits>
  readonly clock?: Clock
  /** Told of slow readers and of what failed. Default: nothing is done with it. */
  readonly onDiagnostic?: (diagnostic: Diagnostic) => void
}

export interface HttpServer {
  /** Answers one request: for tests, and for use inside any framework that speaks `Request` and `Response`. */
  fetch(request: Request): Promise<Response>
  /** Listens. Throws `invalid_request` with reason `port_in_use` or `address_unavailable`. */
  listen(): Promise<Listening>
  /** Streams that are open at the moment. */
  readonly readers: number
  /** Bytes handed to all of them that they have not taken yet. */
  readonly pendingBytes: number
}

export interface Listening {
  /** With the real port, without a slash at its end. */
  readonly url: string
  readonly port: number
  /** Takes no more connections, ends each stream with its cursor, and waits until all is taken, but not for long. */
  close(): Promise<void>
}

/** A runtime's HTTP face. It starts nothing by itself, and leaves the runtime open when it closes. */
export function createHttpServer(options: HttpServerOptions): HttpServer {
  const { runtime, token, clock = systemClock, onDiagnostic = () => {} } = options
  const limits = { ...defaultHttpLimits, ...options.limits }
  const readers = new Readers({ limits, clock, onDiagnostic })
  const hosts = hostList(options.hosts ?? [])
  const app = createApp(
    routes,
    {
      runtime,
      readers,
      nodeSink: nodeSinks(limits.maxPendingBytes),
      limits,
      clock,
      onDiagnostic,
      formats: options.formats ?? formats,
    },
    { token, hosts, origins: options.origins ?? [] },
  )

  return {
    fetch: async (request) => app.fetch(request),
    async listen() {
      const { host = '127.0.0.1', port: wanted = 7411 } = options
      const server = nodeServer((request, env) => app.fetch(request, env), limits)
      const port = await listening(server, host, wanted)
      hosts.bind(host, port)
      // Out of file descriptors, say: what is open goes on, and the next connection may succeed.
      server.on('error', (cause) => {
        onDiagnostic({ level: 'error', code: 'listener_failed', message: `${host}:${port} lost a connection`, cause })
      })
      let closing: Promise<void> | undefined
      return {
        url: `http://${host.includes(':') ? `[${host}]` : host}:${port}`,
        port,
        close: () => (closing ??= close(server, readers, limits.closeMs)),
      }
    },
    get readers() {
      return readers.size
    },
    get pendingBytes() {
      return readers.pendingBytes
    },
  }
}

function nodeServer(fetch: Parameters<typeof getRequestListener>[0], limits: HttpLimits): Server {
  const listener = getRequestListener(fetch, {
    // The globals of the program that uses us are its own.
    overrideGlobalObjects: false,
    errorHandler: (thrown) => {
      const unreadable = thrown instanceof Error && thrown.name === 'RequestError'
      const { status, headers, body } = problem(unreadable ? badRequest(thrown) : toRunletError(thrown))
      return new Response(body, { status, headers })
    },
  })
  const server = createServer(
    {
      maxHeaderSize: 16 * 1024,
      headersTimeout: limits.headersMs,
      requestTimeout: limits.bodyMs,
      keepAliveTimeout: limits.keepAliveMs,
      // Node looks for connections over their time this often; its own 30 s would make 10 s into 40.
      connectionsCheckingInterval: 1_000,
    },
    (request, response) => void listener(request, response),
  )
  server.maxConnections = limits.maxConnections
  return server
}

async function listening(server: Server, host: string, port: number): Promise<number> {
  try {
    // A thousand readers that come back at once overrun Node's backlog of 511, and wait a second for a retry.
    server.listen({ host, port, backlog: 4_096 })
    await once(server, 'listening')
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    throw new RunletError('invalid_request', {
      reason: code === 'EADDRINUSE' ? 'port_in_use' : 'address_unavailable',
      message:
        code === 'EADDRINUSE'
          ? `port ${port} of ${host} is in use: stop the program that listens there, or choose another port (0 takes a free one)`
          : `cannot listen on port ${port} of ${host} (${code}): choose an address of this machine, and a port from 1024 on`,
      cause,
    })
  }
  return (server.address() as AddressInfo).port
}

async function close(server: Server, readers: Readers, waitMs: number): Promise<void> {
  const closed = once(server, 'close')
  server.close()
  // What is asked at this moment gets its answer; what does not end by itself is cut.
  const cut = setTimeout(() => server.closeAllConnections(), waitMs)
  await readers.close()
  server.closeIdleConnections()
  await closed
  clearTimeout(cut)
}

function badRequest(cause: Error): RunletError {
  return new RunletError('invalid_request', {
    reason: 'bad_request',
    message: 'the request line or the Host header is not valid HTTP',
    cause,
  })
}
