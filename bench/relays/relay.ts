import type { Role } from '../table.ts'
import type { Ask } from '../load/line.ts'

/** A server that asks the source for an answer and passes it on to a client as server-sent events. */
export interface Relay {
  readonly title: string
  readonly role: Role
  readonly dialect: Dialect
  /** An answer goes on when its client is gone. Default false. */
  readonly detached?: boolean
  /** Loaded on demand, in the process that runs it: a peer's code is nobody else's memory. */
  load(): Promise<(options: RelayOptions) => Promise<RunningServer>>
}

export interface RelayOptions {
  /** Base URL of an OpenAI-compatible API. */
  readonly sourceUrl: string
  /** An empty folder of its own. */
  readonly folder: string
}

export interface Listening {
  readonly port: number
  /** Sent by clients with each request. */
  readonly headers?: Readonly<Record<string, string>>
}

export interface RunningServer extends Listening {
  /** What has to be done before the process may end. */
  close?(): Promise<void>
}

/** How a relay is asked, and where its answer has the text. */
export interface Dialect {
  readonly ask: Ask
  /** The text that one server-sent event carries; undefined for those that carry none. */
  textOf(payload: string): string | undefined
}
