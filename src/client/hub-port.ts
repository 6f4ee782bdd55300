/** What a tab and the worker that holds the connection tell each other: plain objects that `postMessage` copies. */
import type { Clock } from '../core/clock.ts'
import type { Cursor } from '../core/cursor.ts'
import type { RunletError } from '../core/error.ts'
import { errorBody } from '../core/error.ts'
import type { Entry, RunId } from '../core/event.ts'
import type { Gap } from '../core/log.ts'
import type { RunChange } from './hub.ts'
import type { WireError } from './http-errors.ts'

/** One end of a channel between two threads: a `MessagePort`, of a browser or of Node, or a `Worker`. */
export interface HubPort {
  addEventListener(type: 'message', listener: (event: MessageEvent) => void): void
  postMessage(message: unknown): void
  /** Of a `MessagePort`. */
  start?(): void
}

/** For tests, and for places that lack them. */
export interface PortOptions {
  /** Default: the machine's. */
  readonly clock?: Clock
  /** How a tab shows that it lives, and a worker notices that one does not. Default: the browser's, where it has them. */
  readonly locks?: Pick<LockManager, 'request'>
}

/** How often a tab says that it is there. Browsers let the timers of a hidden tab fire once a minute. Milliseconds. */
export const ALIVE_MS = 10_000

/** What a tab says. `id` names one reading of this tab, of several runs. */
export type TabMessage =
  /** The tab holds this Web Lock for as long as it lives. */
  | { readonly type: 'hello'; readonly lock: string }
  | { readonly type: 'alive' }
  | {
      readonly type: 'read'
      readonly id: number
      readonly places: readonly (readonly [RunId, Cursor])[]
      readonly watch: boolean
    }
  /** So many records arrived. */
  | { readonly type: 'taken'; readonly id: number; readonly records: number }
  | { readonly type: 'stop'; readonly id: number }

/** What the worker says. */
export type WorkerMessage =
  /** All that it reads for this tab. */
  | { readonly type: 'alive'; readonly ids: readonly number[] }
  | { readonly type: 'record'; readonly id: number; readonly record: PortRecord }

/** What concerns a reading. */
export type PortRecord =
  | { readonly type: 'batch'; readonly run: RunId; readonly epoch: number; readonly entries: readonly Entry[] }
  | Gap
  | { readonly type: 'opened'; readonly run: RunId; readonly head: number }
  | { readonly type: 'lost'; readonly run: RunId; readonly error: WireError; readonly waitMs: number }
  | { readonly type: 'done'; readonly run: RunId }
  | { readonly type: 'refused'; readonly run: RunId; readonly error: WireError }
  | Exclude<RunChange, { type: 'refused' }>
  /** Nothing of it can be read. */
  | { readonly type: 'failed'; readonly error: WireError }

/** An error as it crosses. Its cause stays where it was. */
export const portError = (error: RunletError): WireError => ({ ...errorBody(error), status: error.status })
