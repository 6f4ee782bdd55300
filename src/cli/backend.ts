/** Where commands find runs: in the daemon that serves the store, or in the store itself. Both look the same here. */
import type { Batch } from '../core/batch.ts'
import type { Cursor } from '../core/cursor.ts'
import { formatCursor } from '../core/cursor.ts'
import type { RunId } from '../core/event.ts'
import type { Gap, ListQuery, RunHeader } from '../core/log.ts'
import type { StartRequest } from '../engine/request.ts'
import type { DaemonRecord } from './daemon.ts'
import { findDaemon } from './daemon.ts'
import type { Settings } from './settings.ts'

export interface Backend {
  /** The daemon behind it; undefined for the store itself. */
  readonly daemon?: DaemonRecord
  start(request: AskRequest): Promise<StartedRun>
  /** Follows a run to its end, or until the signal aborts. */
  read(run: RunId, options: { readonly after?: Cursor; readonly signal?: AbortSignal }): AsyncIterable<Batch | Gap>
  find(run: RunId): Promise<RunHeader>
  cancel(run: RunId, options: { readonly reason: string }): Promise<RunHeader>
  /** Newest first. */
  list(query?: ListQuery): Promise<RunHeader[]>
  close(): Promise<void>
}

export interface StartedRun {
  readonly run_id: RunId
  readonly session_id: string
}

/** What `ask` asks for. */
export type AskRequest = Pick<StartRequest, 'model' | 'prompt' | 'system' | 'sessionId' | 'tools' | 'options'>

/** A run as it is printed and sent. */
export function recordOf({ cursor, ...header }: RunHeader): object {
  return { ...header, cursor: formatCursor(cursor) }
}

/** For commands that look at runs, or stop them: the daemon if it serves this store, else the store. */
export async function openBackend({ places, store }: Pick<Settings, 'places' | 'store'>): Promise<Backend> {
  const daemon = findDaemon(places.daemon)
  if (daemon && daemon.store === store) {
    const { daemonBackend } = await import('./daemon-backend.ts')
    const backend = await daemonBackend(daemon, places)
    if (backend) return backend
  }
  const { storeBackend } = await import('./store-backend.ts')
  return storeBackend(store)
}
