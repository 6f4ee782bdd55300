import type { RunningServer } from '../relays/relay.ts'
import type { Role } from '../table.ts'

/** A server whose readers all follow one stream, which is made in its own process. */
export interface Fanout {
  readonly title: string
  readonly role: Role
  /** `folder` is an empty one of its own. */
  load(): Promise<(folder: string) => Promise<FanoutServer>>
}

export interface FanoutServer extends RunningServer {
  /** Makes a stream that readers can open. It is silent, and has no end yet. */
  open(): Promise<OpenStream>
}

export interface OpenStream {
  /** What readers ask for. */
  readonly path: string
  /** Makes the events, each marked, `perBatch` of them in each turn of the loop, and ends the stream. */
  produce(events: number, perBatch: number): Promise<void>
}

/** The text of each event. */
export const EVENT_TEXT = ' token@'
