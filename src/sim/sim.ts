/**
 * A provider simulator: a real HTTP server that speaks OpenAI Chat Completions and Ollama, says what scripts say,
 * plays recorded streams of these and other APIs byte for byte, at a chosen pace and with chosen faults.
 */
import { type Server, createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Clock, systemClock } from '../core/clock.ts'
import { RunletError } from '../core/error.ts'
import type { JsonValue } from '../core/json.ts'
import { apis } from './apis/index.ts'
import { catalogue } from './catalogue.ts'
import { type Faults, faultCounter } from './faults.ts'
import { type SimRequest, journal } from './journal.ts'
import { reelCache } from './reel-cache.ts'
import { type SimModel, repertoire } from './repertoire.ts'
import type { Script } from './script.ts'
import { type House, serve } from './serve.ts'
import { ticker } from './ticker.ts'

export interface SimOptions {
  /** Default 0: a free one. */
  readonly port?: number
  /** Default 127.0.0.1. Whoever can reach another address can use the simulator: it asks for no key. */
  readonly host?: string
  /** Folders of recordings and scripts; see `recordings.ts`. */
  readonly dirs?: readonly string[]
  /** More models, by name. */
  readonly scripts?: Readonly<Record<string, Script>>
  /** Default: a script's own pace, else as fast as the socket takes it. `Infinity` also skips the pauses of scripts. */
  readonly tokensPerSecond?: number
  /** Plays recordings that know their time (`NAME.timed.ndjson`) with it. Default false. */
  readonly recordedTiming?: boolean
  /** Faults of every request to a model. Default none. */
  readonly faults?: Faults
  readonly clock?: Clock
  /** Told of each request once its body was read: what a provider really sent. */
  readonly onRequest?: (request: SimRequest, body: JsonValue | undefined) => void
  /** Told of each request once the connection has nothing more to do with it. */
  readonly onEnd?: (request: SimRequest) => void
}

export interface Sim {
  /** `http://127.0.0.1:PORT`, without a slash at the end. OpenAI's clients take `URL/v1`. */
  readonly url: string
  readonly port: number
  readonly models: readonly SimModel[]
  /** What was asked, oldest first; the last thousand. */
  readonly requests: readonly SimRequest[]
  /** Ends every connection and stops listening. */
  close(): Promise<void>
}

/** Connections that may wait to be accepted; with the usual 511, a thousand clients at once meet retries of a second. */
const BACKLOG = 4096

/** Starts a simulator. Throws `invalid_request` (`port_in_use`, and what the folders throw). */
export async function createSim(options: SimOptions = {}): Promise<Sim> {
  const clock = options.clock ?? systemClock
  const startedAt = clock.now()
  const known = await repertoire(apis, { dirs: options.dirs ?? [], scripts: options.scripts ?? {} })
  const house: House = {
    closing: false,
    onRequest: options.onRequest,
    onEnd: options.onEnd,
    log: journal(),
    ticker: ticker(clock),
    lists: catalogue(known, startedAt),
    stage: {
      repertoire: known,
      counter: faultCounter(),
      cache: reelCache(),
      startedAt,
      faults: options.faults ?? {},
      tokensPerSecond: options.tokensPerSecond,
      recordedTiming: options.recordedTiming ?? false,
    },
  }
  const server = createServer((req, res) => void serve(house, req, res))
  const host = options.host ?? '127.0.0.1'
  const port = await listen(server, host, options.port ?? 0)
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${port}`,
    port,
    models: known.models,
    requests: house.log.requests,
    close: () =>
      new Promise((resolve) => {
        house.closing = true
        house.ticker.close()
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

function listen(server: Server, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const taken = cause.code === 'EADDRINUSE'
      reject(
        new RunletError('invalid_request', {
          reason: taken ? 'port_in_use' : 'cannot_listen',
          message: taken
            ? `port ${port} on ${host} is in use; choose another one, or 0 for a free one`
            : `the simulator cannot listen on ${host}, port ${port}`,
          cause,
        }),
      )
    })
    server.listen({ host, port, backlog: BACKLOG }, () => resolve((server.address() as AddressInfo).port))
  })
}
