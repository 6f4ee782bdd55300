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
import { answerClientErrors } from './requests/client-error.ts'
import type { Answered } from './requests/exchange.ts'
import type { Health } from './health.ts'
import { hostList } from './auth/hosts.ts'
import { Keyring } from './auth/keyring.ts'
import { defaultHttpLimits, type HttpLimits } from './limits.ts'
import type { MetricsText } from './metrics.ts'
import { nodeSinks } from './streams/node-sink.ts'
import { readPage } from './page.ts'
import { problem } from './requests/problem.ts'
import { Readers, type ReaderCounts } from './streams/readers.ts'
import { routes } from './routes.ts'
import { Strangers } from './auth/strangers.ts'

export interface HttpServerOptions {
  readonly runtime: Runtime
  /** What every caller has to show, 256 bits; see `tokenFile`. Throws `invalid_request` with `token_weak` if it is less. */
  readonly token: string
  /**
   * Behind a proxy that sets `X-Forwarded-Proto` and `X-Forwarded-Host` itself, or takes them away: the page's cookie
   * and its links go by them. They are never believed for anything else. Default false: they are passed over.
   */
  readonly behindProxy?: boolean
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
  /** Folder of the built page, to be served at `/`. Default: none. Throws `invalid_request` with `page_missing` if it holds none. */
  readonly page?: string
  /** What `GET /metrics` answers with, for the owner; `runlet/observe/metrics` makes it. Default: 404. */
  readonly metrics?: () => Promise<MetricsText>
  /** What `GET /healthz` answers with while the server is not draining. Default: `ok`. */
  readonly health?: () => Health
  /** Told of every answer as it begins, for metrics and access logs. Must neither throw nor wait. */
  readonly onAnswer?: (answered: Answered) => void
  readonly clock?: Clock
  /** Told of slow readers and of what failed. Default: nothing is done with it. */
  readonly onDiagnostic?: (diagnostic: Diagnostic) => void
}

export interface HttpServer {
  /** Answers one request: for tests, and for use inside any framework that speaks `Request` and `Response`. */
  fetch(request: Request): Promise<Response>
  /** Listens. Throws `invalid_request` with reason `port_in_use` or `address_unavailable`. */
  listen(): Promise<Listening>
  /**
   * From here on callers have to show this token. What the old one opened ends: links and sessions of the page, tokens
   * for runs, and the streams. Throws `invalid_request` with reason `token_weak`, and changes nothing.
   */
  replaceToken(token: string): void
  /** Streams that are open at the moment. */
  readonly readers: number
  /** Bytes handed to all of them that they have not taken yet. */
  readonly pendingBytes: number
  /** What became of all streams since the server was made. */
  readonly readerCounts: ReaderCounts
  /**
   * Tells whoever balances load that the server is about to stop: `/healthz` answers 503 from here on. Resolves when no
   * stream is open any more, or after `waitMs` (default 0). It is the runtime that refuses runs (`Runtime.drain`).
   */
  drain(options?: { readonly waitMs?: number }): Promise<void>
}

export interface Listening {
  /** Where it can be called from this machine: with the real port, without a slash at its end. */
  readonly url: string
  readonly port: number
  /** Takes no more connections, ends each stream with its cursor, and waits until all is taken, but not for long. */
  close(): Promise<void>
}

/** A runtime's HTTP face. It starts nothing by itself, and leaves the runtime open when it closes. */
export function createHttpServer(options: HttpServerOptions): HttpServer {
  const { runtime, clock = systemClock, onDiagnostic = () => {}, behindProxy = false } = options
  const limits = { ...defaultHttpLimits, ...options.limits }
  const readers = new Readers({ limits, clock, onDiagnostic })
  const hosts = hostList(options.hosts ?? [])
  const keyring = new Keyring(options.token, clock)
  const strangers = new Strangers(limits.maxStrangers)
  let draining = false
  const app = createApp(
    routes,
    {
      runtime,
      readers,
      keyring,
      nodeSink: nodeSinks(limits.maxPendingBytes),
      limits,
      clock,
      onDiagnostic,
      formats: options.formats ?? formats,
      health: () => (draining ? { status: 'draining' } : (options.health?.() ?? { status: 'ok' })),
      ...(options.metrics ? { metrics: options.metrics } : {}),
      ...(options.onAnswer ? { onAnswer: options.onAnswer } : {}),
      ...(options.page === undefined ? {} : { page: readPage(options.page) }),
    },
    { hosts, strangers, behindProxy, origins: options.origins ?? [] },
  )

  return {
    fetch: async (request) => app.fetch(request),
    async listen() {
      const { host = '127.0.0.1', port: wanted = 7411 } = options
      const server = nodeServer((request, env) => app.fetch(request, env), limits)
      strangers.watch(server)
      const port = await listening(server, host, wanted)
      hosts.bind(host, port)
      // Out of file descriptors, say: what is open goes on, and the next connection may succeed.
      server.on('error', (cause) => {
        onDiagnostic({ level: 'error', code: 'listener_failed', message: `${host}:${port} lost a connection`, cause })
      })
      let closing: Promise<void> | undefined
      return {
        url: `http://${callable(host)}:${port}`,
        port,
        close: () => (closing ??= close(server, readers, limits.closeMs)),
      }
    },
    drain({ waitMs = 0 } = {}) {
      draining = true
      return readers.gone(waitMs)
    },
    replaceToken(token) {
      keyring.replace(token)
      readers.look()
    },
    readerCounts: readers.counts,
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
  answerClientErrors(server)
  return server
}

/** All addresses together are nobody's name, and no `Host` that is answered to. */
function callable(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1'
  if (host === '::') return '[::1]'
  return host.includes(':') ? `[${host}]` : host
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
