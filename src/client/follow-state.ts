/** How a following stands, as a person may be shown it. */
import type { RunletError } from '../core/error.ts'
import type { TerminalEvent } from '../core/event.ts'
import { statusAfter } from '../core/event.ts'

/** How a following stands. A value is never changed; another state is another object. */
export type FollowState =
  /** There is no connection. After one that broke, or was refused for now: why, and how long the next try waits. */
  | { readonly type: 'connecting'; readonly error?: RunletError; readonly waitMs?: number }
  /** What comes was stored before; `head` is the seq of the last such event that is known of. */
  | { readonly type: 'catching-up'; readonly head: number }
  /** Each event comes as it is stored. */
  | { readonly type: 'live' }
  | EndState

/** Nothing more comes. */
export type EndState =
  /** The run has ended, and all of it was handed on. */
  | { readonly type: 'ended'; readonly kind: 'completed' | 'failed' | 'cancelled'; readonly event: TerminalEvent }
  /** The run had ended at or before the place where the reading began: `find` tells how. */
  | { readonly type: 'ended'; readonly kind: 'over' }
  /** Whoever followed has stopped. The run goes on. */
  | { readonly type: 'ended'; readonly kind: 'stopped' }
  /** It cannot be read (any more), and another try would not change that. The run may go on. */
  | { readonly type: 'ended'; readonly kind: 'error'; readonly error: RunletError }

/** What a connection tells besides the run's records. */
export type ConnectionNews =
  /** The server answers. `head`: seq of the run's last event at that moment, where the server told. */
  | { readonly type: 'open'; readonly head?: number | undefined }
  /** This reader was held up, and is served from the store as far as `head`. */
  | { readonly type: 'lag'; readonly head: number }
  /** The connection broke, and whoever opened it makes it anew after `waitMs`. */
  | { readonly type: 'lost'; readonly error: RunletError; readonly waitMs: number }

/** Finds the state of a following from what happens to it. */
export interface StateMachine {
  readonly connecting: (error: RunletError, waitMs: number) => void
  readonly news: (news: ConnectionNews) => void
  /** Everything up to this seq was handed on. */
  readonly reached: (seq: number) => void
  /** The first of these counts. */
  readonly ended: (state: EndState) => void
}

/** `tell` is called with each new state; the first is `connecting`, which it is not told of. */
export function stateMachine(seq: number, tell: (state: FollowState) => void): StateMachine {
  let state: FollowState['type'] = 'connecting'
  let head = 0
  const become = (next: FollowState) => {
    if (state === 'ended' || (state === next.type && next.type === 'live')) return
    state = next.type
    tell(next)
  }
  const judge = () => become(seq >= head ? { type: 'live' } : { type: 'catching-up', head })
  return {
    connecting: (error, waitMs) => become({ type: 'connecting', error, waitMs }),
    news(news) {
      if (news.type === 'lost') return become({ type: 'connecting', error: news.error, waitMs: news.waitMs })
      head = Math.max(head, news.head ?? 0)
      judge()
    },
    reached(last) {
      seq = last
      if (state === 'connecting' || (state === 'catching-up' && seq >= head)) judge()
    },
    ended: become,
  }
}

/** The state that a terminal event leads to; `over` where there is none. */
export const endOf = (event: TerminalEvent | undefined): EndState =>
  event ? { type: 'ended', kind: statusAfter(event), event } : { type: 'ended', kind: 'over' }
