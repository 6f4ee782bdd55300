/** The tab's side of a shared hub: reads from a worker as a hub of its own reads from the server. */
import { Batch } from '../core/batch.ts'
import type { CancelTimer } from '../core/clock.ts'
import { systemClock } from '../core/clock.ts'
import type { HttpClient } from './http.ts'
import { createHub, type Hub } from './hub.ts'
import type { HubPort, PortOptions, PortRecord, TabMessage, WorkerMessage } from './hub-port.ts'
import { ALIVE_MS } from './hub-port.ts'
import { Queue } from './queue.ts'
import type { StreamRecord } from './records.ts'
import { errorOf, networkError } from './http-errors.ts'

/** Signs of life of the worker that may be missing before it counts as gone. */
const MAX_MISSED = 3

/** How a tab is connected to a worker. */
export interface HubFromPortOptions extends PortOptions {
  /** Between 0 and 1. Default `Math.random`. */
  readonly random?: () => number
}

/**
 * A hub whose connection is held by a worker that serves this port by `serveHub`, so that all tabs share it:
 *
 * ```ts
 * const { port } = new SharedWorker(new URL('worker.js', import.meta.url), { type: 'module' })
 * const hub = hubFromPort(port)
 * ```
 *
 * A worker that does not answer for 30 s counts as gone: followings are `connecting` until it does. `close` ends what
 * this tab follows; the connection goes on for the others.
 */
export function hubFromPort(port: HubPort, options: HubFromPortOptions = {}): Hub {
  const { clock = systemClock, locks = globalThis.navigator?.locks } = options
  const readings = new Map<number, TabReading>()
  const closed = new AbortController()
  let nextId = 1
  let missed = 0
  let cancelAlive: CancelTimer | undefined
  const post = (message: TabMessage) => port.postMessage(message)

  /** While something is read, both sides want to know of each other. */
  function keepAlive(): void {
    cancelAlive ??= clock.after(ALIVE_MS, () => {
      cancelAlive = undefined
      if (readings.size === 0) return
      if (++missed > MAX_MISSED) for (const reading of readings.values()) reading.queue.end(workerGone())
      post({ type: 'alive' })
      keepAlive()
    })
  }

  const multiplex: HttpClient['multiplex'] = async function* (places, { watch = false, signal, onOpen } = {}) {
    const id = nextId++
    const queue = new Queue<StreamRecord>()
    readings.set(id, { queue, onOpen })
    missed = 0
    post({ type: 'read', id, places: [...places], watch })
    keepAlive()
    try {
      for await (const records of queue.read(signal)) {
        yield records
        post({ type: 'taken', id, records: records.length })
      }
    } finally {
      readings.delete(id)
      post({ type: 'stop', id })
    }
  }

  port.addEventListener('message', ({ data }) => {
    const message = data as WorkerMessage
    missed = 0
    if (message.type === 'record') {
      const reading = readings.get(message.id)
      return reading && take(reading, message.record)
    }
    // What the worker dropped because it took this tab for closed.
    for (const [id, reading] of readings) if (!message.ids.includes(id)) reading.queue.end(workerGone())
  })
  port.start?.()
  if (locks) void holdLock(locks, closed.signal, (lock) => post({ type: 'hello', lock }))

  const hub = createHub({ multiplex }, options)
  return {
    ...hub,
    close() {
      hub.close()
      closed.abort()
      cancelAlive?.()
    },
  }
}

/** What came from the worker and was not handed on yet. */
interface TabReading {
  readonly queue: Queue<StreamRecord>
  readonly onOpen: (() => void) | undefined
}

function take({ queue, onOpen }: TabReading, record: PortRecord): void {
  if (record.type === 'failed') return queue.end(errorOf(record.error))
  if (record.type === 'watching') onOpen?.()
  queue.push(received(record))
}

function received(record: Exclude<PortRecord, { type: 'failed' }>): StreamRecord {
  switch (record.type) {
    case 'batch': {
      const { run, epoch, entries } = record
      return { type: 'batch', run, batch: Batch.of(run, epoch, entries), chars: 0 }
    }
    case 'lost':
    case 'refused':
      return { ...record, error: errorOf(record.error) }
    case 'watching':
      // It was one of those that are counted.
      return { type: 'heartbeat' }
    default:
      return record
  }
}

/** Holds a lock of this tab alone until it closes; the browser takes it back from a tab that is gone. */
async function holdLock(
  locks: Pick<LockManager, 'request'>,
  closed: AbortSignal,
  held: (lock: string) => void,
): Promise<void> {
  const lock = `runlet-hub-${Math.random()}`
  const untilClosed = new Promise<void>((resolve) => closed.addEventListener('abort', () => resolve()))
  // Told only once it is held: the worker waits for it to be free.
  const hold = () => {
    held(lock)
    return untilClosed
  }
  await locks.request(lock, hold).catch(() => {})
}

const workerGone = () => networkError('hub_gone', 'the hub does not answer')
