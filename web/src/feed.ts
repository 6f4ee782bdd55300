/** The events of a run as they come, over connections that may break, and how that goes. */
import type { FollowState } from '../../src/client/follow-state.ts'
import type { Hub } from '../../src/client/hub.ts'
import type { Batch } from '../../src/core/batch.ts'
import type { RunletError } from '../../src/core/error.ts'
import { toRunletError } from '../../src/core/error.ts'
import type { Gap } from '../../src/core/log.ts'

/** How a reading stands. */
export type Connection =
  | { readonly state: 'connecting' }
  /** It gets what was stored before: `events` of `head` so far. */
  | { readonly state: 'catching-up'; readonly events: number; readonly head: number }
  /** `delayMs`: how much later than the quickest event the last one came. */
  | { readonly state: 'live'; readonly delayMs: number | undefined }
  | { readonly state: 'retrying'; readonly waitMs: number; readonly error: RunletError }
  | { readonly state: 'ended' }
  | { readonly state: 'failed'; readonly error: RunletError }

export interface FeedOptions {
  readonly signal: AbortSignal
  readonly onRecord: (record: Batch | Gap) => void
  /** Called before the events that it holds for: whoever hears of them knows whether they are news. */
  readonly onState: (connection: Connection) => void
}

/** Reads a run from its start to its end; never throws. */
export async function feed(hub: Pick<Hub, 'follow'>, run: string, options: FeedOptions): Promise<void> {
  const { signal, onRecord, onState } = options
  const following = hub.follow(run, { signal })
  const tell = () => {
    const connection = connectionOf(following.state, following)
    if (connection && !signal.aborted) onState(connection)
  }
  const stop = following.subscribe(tell)
  tell()
  try {
    for await (const record of following.batches()) {
      if (signal.aborted) return
      tell()
      onRecord(record)
    }
    tell()
  } catch (thrown) {
    if (!signal.aborted) onState({ state: 'failed', error: toRunletError(thrown) })
  } finally {
    stop()
  }
}

interface Reading {
  readonly cursor: { readonly seq: number }
  readonly delayMs: number | undefined
}

function connectionOf(state: FollowState, { cursor, delayMs }: Reading): Connection | undefined {
  switch (state.type) {
    case 'connecting':
      return state.error
        ? { state: 'retrying', error: state.error, waitMs: state.waitMs ?? 0 }
        : { state: 'connecting' }
    case 'catching-up':
      return { state: 'catching-up', events: cursor.seq, head: state.head }
    case 'live':
      return { state: 'live', delayMs }
    case 'ended':
      if (state.kind === 'stopped') return undefined
      return state.kind === 'error' ? { state: 'failed', error: state.error } : { state: 'ended' }
  }
}
