/** One multiplexed connection that lasts: it comes back with every run's own cursor. */
import type { Batch } from '../core/batch.ts'
import type { CancelTimer, Clock } from '../core/clock.ts'
import { sleep } from '../core/clock.ts'
import { formatCursor, type Cursor } from '../core/cursor.ts'
import type { RunId } from '../core/event.ts'
import type { Gap } from '../core/log.ts'
import { backoffMs } from './backoff.ts'
import type { OpenEvents } from './follow.ts'
import type { Transport } from './frames.ts'
import type { HttpClient } from './http.ts'
import { networkError, typedError } from './http-errors.ts'
import type { RunChange } from './hub.ts'
import { Channel } from './hub-channel.ts'
import type { StreamRecord } from './records.ts'

/** Runs that are followed or left within this time make one new connection. Milliseconds. */
const SETTLE_MS = 5

/** What a line is made with. */
export interface HubLineOptions {
  readonly clock: Clock
  readonly random: () => number
  readonly transport: Transport | undefined
}

/** One connection that is there while somebody reads a run through it, or watches. */
export interface HubLine {
  /** Different runs that are read through it. */
  readonly runs: ReadonlySet<RunId>
  /** The records of one run. Connections that break are its own affair: it throws only what concerns the run. */
  read(run: RunId, options: Parameters<OpenEvents>[0]): AsyncGenerator<Batch | Gap>
  /** Tells of runs that begin and end, until called off. */
  watch(listener: (change: RunChange) => void): () => void
  close(): void
}

/** A line that is not connected yet. */
export function hubLine(client: Pick<HttpClient, 'multiplex'>, { clock, random, transport }: HubLineOptions): HubLine {
  const channels = new Set<Channel>()
  const watchers = new Set<(change: RunChange) => void>()
  /** What the connection carries, and from where it was asked for. Others have joined since, and are to be taken in. */
  let carried = new Map<Channel, Cursor>()
  let connection: AbortController | undefined
  let settling: CancelTimer | undefined
  let closed = false
  /** The server tells this connection of runs that begin and end. */
  let watching = false

  const wanted = () => [...channels].filter(({ over, parked }) => !over && !parked)
  /** Whether there is nothing to connect for. */
  const idle = () => closed || (watchers.size === 0 && wanted().length === 0)
  const tell = (news: RunChange) => {
    for (const watcher of watchers) watcher(news)
  }

  /** Somebody came, left, or can read on: what the connection carries is not what is wanted. */
  function change(): void {
    if (closed) return
    settling ??= clock.after(SETTLE_MS, () => {
      settling = undefined
      if (connection) connection.abort()
      else void work()
    })
  }

  /** Keeps a connection until nobody wants one. Never rejects. */
  async function work(): Promise<void> {
    let failures = 0
    while (!idle()) {
      const current = (connection = new AbortController())
      try {
        for await (const records of connect(current.signal)) {
          if (records.some(isProgress)) failures = 0
          for (const record of records) hand(record)
        }
        // The server has said that there is no more, and it must have said so of every run.
        if (!settling && [...carried.keys()].some(({ over, parked }) => !over && !parked)) throw leftOut()
      } catch (thrown) {
        const error = typedError(thrown)
        if (current.signal.aborted) continue
        if (error.temporary) {
          const waitMs = backoffMs(++failures, error, random)
          for (const channel of wanted()) channel.news({ type: 'lost', error, waitMs })
          await sleep(clock, waitMs, current.signal).catch(() => {})
        } else {
          for (const channel of wanted()) channel.fail(error)
          tell({ type: 'refused', error })
          watchers.clear()
        }
      } finally {
        current.abort()
        watching = false
      }
    }
    connection = undefined
  }

  function connect(signal: AbortSignal): AsyncGenerator<readonly StreamRecord[]> {
    // Of several who read one run, the one who is furthest behind decides; the others pass over what they have. But one
    // with a cursor of its own goes alone at first: it is for the server to say whether that is a place of this run.
    const leaders = new Map<RunId, Channel>()
    carried = new Map()
    for (const channel of wanted().toSorted((a, b) => +a.proven - +b.proven || a.cursor.seq - b.cursor.seq)) {
      const leader = leaders.get(channel.run)
      if (!leader) leaders.set(channel.run, channel)
      if (leader?.proven !== false) carried.set(channel, (leader ?? channel).cursor)
    }
    const places = new Map([...leaders].map(([run, { cursor }]) => [run, cursor]))
    const watch = watchers.size > 0
    const onOpen = () => {
      watching = watch
      if (watch) tell({ type: 'watching' })
    }
    return client.multiplex(places, { watch, signal, transport, onOpen })
  }

  function hand(record: StreamRecord): void {
    if (record.type === 'run') return tell(record)
    if (record.type === 'heartbeat') return
    for (const [channel, asked] of carried) if (channel.run === record.run) handTo(channel, asked, record)
  }

  function handTo(channel: Channel, asked: Cursor, record: Exclude<StreamRecord, { type: 'run' | 'heartbeat' }>): void {
    switch (record.type) {
      case 'batch':
        return channel.take(record.batch, record.chars)
      case 'gap':
        return channel.take(record)
      case 'opened':
        channel.proven = true
        if (wanted().some((other) => other.run === record.run && !carried.has(other))) change()
        return channel.news({ type: 'open', head: record.head })
      case 'lag':
      case 'lost':
        return channel.news(record)
      case 'done':
        return channel.finish()
      case 'refused':
        // Somebody else's cursor may be what was refused.
        return formatCursor(asked) === formatCursor(channel.cursor) ? channel.fail(record.error) : change()
      case 'closing':
        return channel.fail(record.error)
    }
  }

  return {
    get runs() {
      return new Set([...channels].map(({ run }) => run))
    },
    async *read(run, { after, signal, onNews }) {
      const channel = new Channel(run, after, onNews)
      channels.add(channel)
      change()
      try {
        yield* channel.read(signal, change)
      } finally {
        channels.delete(channel)
        // Of a run that is over, nothing comes that had to be called off.
        if (!channel.over || idle()) change()
      }
    },
    watch(listener) {
      // A function of its own, since one listener may be given twice.
      const own = (news: RunChange) => listener(news)
      watchers.add(own)
      if (watching) queueMicrotask(() => own({ type: 'watching' }))
      else change()
      return () => {
        if (watchers.delete(own) && watchers.size === 0) change()
      }
    },
    close() {
      closed = true
      settling?.()
      connection?.abort()
    },
  }
}

/** Whether a record shows that the connection is of use, and not only made. */
const isProgress = ({ type }: StreamRecord) => !['opened', 'refused', 'closing', 'lost'].includes(type)

const leftOut = () => networkError('stream_eof_before_done', 'the server left out a run')
