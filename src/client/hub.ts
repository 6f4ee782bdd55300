/** Several runs over one connection, so that neither tabs nor runs use up what a browser grants one server. */
import type { Clock } from '../core/clock.ts'
import { systemClock } from '../core/clock.ts'
import type { RunletError } from '../core/error.ts'
import type { RunId } from '../core/event.ts'
import type { RunHeader } from '../core/log.ts'
import type { FollowOptions } from './follow.ts'
import { following, type Following } from './following.ts'
import type { Transport } from './frames.ts'
import type { HttpClient } from './http.ts'
import { hubLine, type HubLine } from './hub-line.ts'

/**
 * Follows any number of runs over one connection (one for each 64). Runs come and go while it works: the connection is
 * then made anew with every run's own cursor, and each following goes on with the very next event.
 */
export interface Hub {
  /** As the client's own `follow`; `attempts` counts what this one run was refused. */
  follow(run: RunId, options?: FollowOptions): Following
  /** Tells of every run that begins or ends at the server, until called off. For lists. */
  watch(listener: (change: RunChange) => void): () => void
  /** Ends every following as `stopped`, and the connection. */
  close(): void
}

/** What a hub tells those who watch. */
export type RunChange =
  /** This run has begun, or ended. */
  | { readonly type: 'run'; readonly run: RunHeader }
  /** The watching begins here, also after each connection that broke: ask `list` for what happened before. */
  | { readonly type: 'watching' }
  /** The server refuses, and would again: nothing more is told. */
  | { readonly type: 'refused'; readonly error: RunletError }

/** How a hub is made. */
export interface HubOptions {
  /** Default: the client's. */
  readonly transport?: Transport
  /** Default: the machine's. */
  readonly clock?: Clock
  /** Between 0 and 1. Default `Math.random`. */
  readonly random?: () => number
}

/** Runs that one connection carries at most; the server refuses more. */
const MAX_RUNS = 64

/** A hub of its own connection. In a SharedWorker, `serveHub` hands it to the tabs. */
export function createHub(client: Pick<HttpClient, 'multiplex'>, options: HubOptions = {}): Hub {
  const { clock = systemClock, random = Math.random, transport } = options
  const lines: HubLine[] = []
  const followings = new Set<Following>()
  let closed = false

  function added(): HubLine {
    const line = hubLine(client, { clock, random, transport })
    lines.push(line)
    return line
  }

  /** The one that has the run already, else the first that has room. */
  const lineFor = (run: RunId) =>
    lines.find(({ runs }) => runs.has(run)) ?? lines.find(({ runs }) => runs.size < MAX_RUNS) ?? added()

  return {
    follow(run, how) {
      const one = following(run, (connection) => lineFor(run).read(run, connection), {
        attempts: Infinity,
        clock,
        random,
        ...how,
        onState(state) {
          if (state.type === 'ended') followings.delete(one)
          how?.onState?.(state)
        },
      })
      followings.add(one)
      if (closed) one.stop()
      return one
    },
    watch: (listener) => (lines[0] ?? added()).watch(listener),
    close() {
      closed = true
      for (const one of followings) one.stop()
      for (const line of lines) line.close()
    },
  }
}
