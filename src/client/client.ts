/**
 * What a page, or any program that has `fetch`, needs of a Runlet server: starting runs, following them over connections
 * that may break, several over one connection, and showing their text at an even pace.
 */
import type { RunId } from '../core/event.ts'
import type { FollowOptions, OpenEvents } from './follow.ts'
import { following, type Following } from './following.ts'
import type { Transport } from './frames.ts'
import { httpClient, type HttpClient } from './http.ts'
import type { HttpClientOptions } from './http-call.ts'

export { Batch } from '../core/batch.ts'
export { formatCursor, parseCursor, type Cursor } from '../core/cursor.ts'
export { isRunletError, RunletError, type ErrorCode } from '../core/error.ts'
export type { Entry, RunEvent } from '../core/event.ts'
export { emptyView, fold, outputText, type RunView } from '../core/fold.ts'
export type { Gap, RunHeader } from '../core/log.ts'
export type { FollowOptions } from './follow.ts'
export type { FollowState } from './follow-state.ts'
export type { Following } from './following.ts'
export type { Transport } from './frames.ts'
export { createHub, type Hub, type HubOptions, type RunChange } from './hub.ts'
export type { HubPort, PortOptions } from './hub-port.ts'
export { hubFromPort, type HubFromPortOptions } from './hub-tab.ts'
export type { HttpClient, ModelList, RunMessage, StartBody, StartedRun } from './http.ts'
export type { HttpClientOptions } from './http-call.ts'
export { smooth, type Smooth, type SmoothOptions, type SmoothPush } from './smooth.ts'

/** What a client is made with. */
export interface ClientOptions extends HttpClientOptions {
  /** How runs are followed, where the call does not say. Default `fetch`. */
  readonly transport?: Transport
}

/** How one run is followed. */
export interface ClientFollowOptions extends FollowOptions {
  /** Default: no limit. What another try would not change ends the following at once. */
  readonly attempts?: number
  /** Default: the client's. */
  readonly transport?: Transport
  /** A token to read this run, instead of the client's own. An `EventSource` sends it as a part of the address. */
  readonly accessToken?: string
}

/** A server, and the runs on it. */
export interface Client extends HttpClient {
  /** Follows a run to its end, over as many connections as it takes. */
  follow(run: RunId, options?: ClientFollowOptions): Following
}

/**
 * A client of one server. It holds no connection open by itself, and needs no closing. Throws `invalid_request` with
 * reason `bad_base_url`.
 */
export function createClient(options: ClientOptions): Client {
  const http = httpClient(options)
  const { clock, transport: usual = 'fetch' } = options
  return {
    ...http,
    follow(run, { transport = usual, accessToken, ...how } = {}) {
      const open: OpenEvents = (connection) => http.events(run, { ...connection, transport, accessToken })
      return following(run, open, { attempts: Infinity, ...(clock ? { clock } : {}), ...how })
    },
  }
}
