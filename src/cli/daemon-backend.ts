import type { Places } from '../config/places.ts'
import type { OpenEvents } from '../client/follow.ts'
import { follow } from '../client/follow.ts'
import type { HttpClient } from '../client/http.ts'
import { httpClient } from '../client/http.ts'
import { Batch } from '../core/batch.ts'
import type { Cursor } from '../core/cursor.ts'
import { START } from '../core/cursor.ts'
import { isRunletError, RunletError } from '../core/error.ts'
import type { RunId } from '../core/event.ts'
import type { Gap } from '../core/log.ts'
import { tokenFile } from '../servers/http/auth/token.ts'
import type { Backend } from './backend.ts'
import type { DaemonRecord } from './daemon.ts'
import { findDaemon, probeDaemon } from './daemon.ts'
import { complain } from './report.ts'

/** A running daemon; undefined if the process that the file names does not answer, and so is not one any more. */
export async function daemonBackend(daemon: DaemonRecord, places: Places): Promise<Backend | undefined> {
  if ((await probeDaemon(daemon)) !== 'answers') return undefined
  const client = httpClient({ baseUrl: daemon.url, token: await tokenFile(places.token) })
  const lives = () => findDaemon(places.daemon)?.pid === daemon.pid
  return {
    daemon,
    start: ({ sessionId, ...same }) =>
      client.start({ ...same, ...(sessionId === undefined ? {} : { session_id: sessionId }) }),
    read: (run, options) => readOn(client, { run, daemon, lives, ...options }),
    find: (run) => client.find(run),
    cancel: (run, options) => client.cancel(run, options),
    list: (query) => client.list(query),
    close: async () => {},
  }
}

interface Reading {
  readonly run: RunId
  readonly daemon: DaemonRecord
  /** Whether the daemon is still there. */
  readonly lives: () => boolean
  readonly after?: Cursor
  readonly signal?: AbortSignal
}

/** Follows a run through the daemon; if that dies, the store tells how the run ended. */
async function* readOn(client: HttpClient, reading: Reading): AsyncGenerator<Batch | Gap, void, undefined> {
  const { run, daemon, lives, signal } = reading
  let cursor = reading.after ?? START
  const open: OpenEvents = (connection) => {
    if (lives()) return client.events(run, connection)
    throw daemonDied(daemon)
  }
  try {
    for await (const record of follow(open, { after: cursor, ...(signal ? { signal } : {}), onRetry: tellRetry })) {
      cursor = record instanceof Batch ? { epoch: record.epoch, seq: record.last } : { ...cursor, seq: record.to }
      yield record
    }
  } catch (thrown) {
    if (!isRunletError(thrown) || thrown.reason !== 'daemon_died' || daemon.store === 'memory:') throw thrown
    const { storeBackend } = await import('./store-backend.ts')
    const store = await storeBackend(daemon.store)
    try {
      yield* store.read(run, { after: cursor, ...(signal ? { signal } : {}) })
    } finally {
      await store.close()
    }
  }
}

function tellRetry({ error, waitMs }: { readonly error: RunletError; readonly waitMs: number }): void {
  if (waitMs > 0) complain(`${error.message}; trying again`)
}

function daemonDied({ url, pid }: DaemonRecord): RunletError {
  return new RunletError('network', {
    reason: 'daemon_died',
    temporary: false,
    message: `the daemon at ${url} (pid ${pid}) has stopped`,
  })
}
