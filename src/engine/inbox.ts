import { RunletError } from '../core/error.ts'
import type { TurnKind } from '../core/event.ts'
import type { JsonValue } from '../core/json.ts'
import type { ControlRequest } from '../core/log.ts'
import { quoted } from '../core/quote.ts'

/** A message that waits for its turn. */
export interface WaitingMessage {
  readonly kind: Exclude<TurnKind, 'prompt'>
  readonly text: string
}

/** The outcome of a call that the caller ran itself. */
export interface CallerResult {
  readonly result: JsonValue
  readonly is_error: boolean
}

/** What reaches a run while it is at work: more messages, and results of the caller's tools. */
export interface Inbox {
  /**
   * Takes a request. Throws `invalid_request`: 409 with reason `no_active_run` once the run takes no more, `call_unknown`
   * for a result that nobody waits for, `empty_steer` or `empty_follow_up`, `inbox_full`.
   */
  accept(request: Exclude<ControlRequest, { type: 'cancel' }>): void
  /** Whether a steer waits: what is left of a step's tool calls is then not begun. */
  readonly steered: boolean
  /** The message for the next turn: steers first, each in the order it came. Without one the inbox closes. */
  next(): WaitingMessage | undefined
  /** Takes no more; gives what was left unanswered. */
  close(): readonly WaitingMessage[]
  /** Tells that a call will be shown to the caller, whose result may come before anybody waits for it. */
  expect(callId: string): void
  /** Resolves with the result of an expected call; throws the signal's reason if that comes first. */
  result(callId: string, signal: AbortSignal): Promise<CallerResult>
}

interface ExpectedCall {
  /** What came before anybody waited for it. */
  result?: CallerResult
  resolve?: (result: CallerResult) => void
}

/** Messages that may wait at once. */
const MOST_WAITING = 100

export function openInbox(run: string): Inbox {
  const waiting: Record<WaitingMessage['kind'], WaitingMessage[]> = { steer: [], follow_up: [] }
  const calls = new Map<string, ExpectedCall>()
  let closed = false

  function enqueue(kind: WaitingMessage['kind'], text: string): void {
    if (text.trim() === '') {
      throw refusal(
        400,
        `empty_${kind}`,
        `a ${kind === 'steer' ? 'steer' : 'follow-up'} needs a text that is not empty`,
      )
    }
    if (waiting.steer.length + waiting.follow_up.length >= MOST_WAITING) {
      throw refusal(
        429,
        'inbox_full',
        `run ${run} has ${MOST_WAITING} messages waiting; send more when it has answered some`,
      )
    }
    waiting[kind].push({ kind, text })
  }

  return {
    accept(request) {
      if (closed) {
        throw refusal(
          409,
          'no_active_run',
          `run ${run} takes nothing any more, since it is ending; start another one in its session`,
        )
      }
      if (request.type !== 'answer') return enqueue(request.type, request.text)
      const { call_id, result, is_error } = request
      const call = calls.get(call_id)
      if (!call || call.result) {
        throw refusal(409, 'call_unknown', `run ${run} does not wait for a result of ${quoted(call_id)}`)
      }
      call.result = { result, is_error }
      call.resolve?.(call.result)
    },
    get steered() {
      return waiting.steer.length > 0
    },
    next() {
      const message = waiting.steer.shift() ?? waiting.follow_up.shift()
      closed ||= message === undefined
      return message
    },
    close() {
      closed = true
      return [...waiting.steer.splice(0), ...waiting.follow_up.splice(0)]
    },
    expect(callId) {
      calls.set(callId, {})
    },
    result(callId, signal) {
      const call = calls.get(callId)!
      return new Promise<CallerResult>((resolve, reject) => {
        const settle = (finish: () => void) => {
          signal.removeEventListener('abort', onAbort)
          calls.delete(callId)
          finish()
        }
        const onAbort = () => settle(() => reject(signal.reason as Error))
        call.resolve = (result) => settle(() => resolve(result))
        signal.addEventListener('abort', onAbort)
        if (call.result) call.resolve(call.result)
        else if (signal.aborted) onAbort()
      })
    },
  }
}

function refusal(status: number, reason: string, message: string): RunletError {
  return new RunletError(status === 429 ? 'overloaded' : 'invalid_request', { status, reason, message })
}
