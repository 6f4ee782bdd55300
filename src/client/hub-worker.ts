/**
 * The worker's side of a shared hub: what one tab reads, over the port that it came by. A page does not load this, so it
 * is an entry of its own, `runlet/client/worker`.
 */
import { Batch } from '../core/batch.ts'
import type { CancelTimer } from '../core/clock.ts'
import { systemClock } from '../core/clock.ts'
import type { Cursor } from '../core/cursor.ts'
import type { RunId } from '../core/event.ts'
import { Bell } from './bell.ts'
import type { FollowState } from './follow-state.ts'
import { typedError } from './http-errors.ts'
import type { Hub } from './hub.ts'
import type { HubPort, PortOptions, PortRecord, TabMessage, WorkerMessage } from './hub-port.ts'
import { portError } from './hub-port.ts'

export type { HubPort, PortOptions } from './hub-port.ts'

/** How long a tab without a lock may be silent before it counts as gone. Milliseconds. */
const GONE_MS = 150_000

/** Records that may be on their way to a tab. Then the worker waits, and what comes stays in the server's log. */
const WINDOW = 100

/**
 * Lets the tab at the other end follow runs through this hub, by `hubFromPort`. In a SharedWorker:
 *
 * ```ts
 * import { createClient, createHub } from 'runlet/client'
 * import { serveHub } from 'runlet/client/worker'
 *
 * const hub = createHub(createClient({ baseUrl: location.origin }))
 * addEventListener('connect', ({ ports: [port] }) => serveHub(port, hub))
 * ```
 *
 * A tab that is closed, crashes or is discarded is noticed by the Web Lock that dies with it; without Web Locks, which a
 * page under plain `http:` on another machine has not, once it was silent for 150 s. What it followed is then dropped. A
 * tab that takes nothing, as a frozen one, has 100 records on their way to it, and costs no more.
 */
export function serveHub(port: HubPort, hub: Hub, options: PortOptions = {}): void {
  const { clock = systemClock, locks = globalThis.navigator?.locks } = options
  const readings = new Map<number, PortReading>()
  let cancelGone: CancelTimer | undefined
  /** The tab has a lock, and need not be heard of. */
  let locked = false
  const post = (message: WorkerMessage) => port.postMessage(message)

  function stop(id: number): void {
    readings.get(id)?.stop()
    readings.delete(id)
  }

  function drop(): void {
    locked = false
    cancelGone?.()
    for (const id of readings.keys()) stop(id)
  }

  port.addEventListener('message', ({ data }) => {
    const message = data as TabMessage
    cancelGone?.()
    switch (message.type) {
      case 'hello':
        // Granted when the tab has let go of it, with its last breath at the latest.
        locked = locks !== undefined
        void locks?.request(message.lock, drop).catch(() => (locked = false))
        break
      case 'alive':
        post({ type: 'alive', ids: [...readings.keys()] })
        break
      case 'read':
        readings.set(
          message.id,
          portReading(hub, message, (record) => post({ type: 'record', id: message.id, record })),
        )
        break
      case 'taken':
        readings.get(message.id)?.taken(message.records)
        break
      case 'stop':
        stop(message.id)
    }
    // One that only slept is told of nothing that it reads, and reads it anew.
    if (!locked) cancelGone = clock.after(GONE_MS, drop)
  })
  port.start?.()
}

/** What the worker keeps of one reading of a tab. */
interface PortReading {
  taken(records: number): void
  stop(): void
}

function portReading(
  hub: Hub,
  { places, watch }: Extract<TabMessage, { type: 'read' }>,
  post: (record: PortRecord) => void,
): PortReading {
  const stop = new AbortController()
  const { signal } = stop
  const bell = new Bell()
  let sent = 0
  const send = (record: PortRecord) => {
    if (signal.aborted) return
    sent++
    post(record)
  }

  async function room(): Promise<void> {
    for (;;) {
      if (sent <= WINDOW || signal.aborted) return
      await bell.wait()
    }
  }

  async function pass([run, after]: readonly [RunId, Cursor]): Promise<void> {
    try {
      const following = hub.follow(run, { after, signal, onState: (state) => tellState(run, state, send) })
      for await (const record of following.batches()) {
        if (record instanceof Batch) send({ type: 'batch', run, epoch: record.epoch, entries: record.entries })
        else send(record)
        await room()
      }
      send({ type: 'done', run })
    } catch (thrown) {
      send({ type: 'refused', run, error: portError(typedError(thrown)) })
    }
  }

  const unwatch = watch
    ? hub.watch((change) =>
        send(change.type === 'refused' ? { type: 'failed', error: portError(change.error) } : change),
      )
    : undefined
  for (const place of places) void pass(place)
  return {
    taken(records) {
      sent -= records
      bell.ring()
    },
    stop() {
      stop.abort()
      unwatch?.()
      bell.ring()
    },
  }
}

function tellState(run: RunId, state: FollowState, send: (record: PortRecord) => void): void {
  if (state.type === 'live') send({ type: 'opened', run, head: 0 })
  else if (state.type === 'catching-up') send({ type: 'opened', run, head: state.head })
  else if (state.type === 'connecting' && state.error) {
    send({ type: 'lost', run, error: portError(state.error), waitMs: state.waitMs ?? 0 })
  }
}
