import { RunletError, type ErrorCode } from '../../core/error.ts'
import { excerpt } from '../../wire/json.ts'
import type { Peer } from './peer.ts'

/** What a provider answered instead of going on: before the stream as a status, or inside it. */
export interface Refusal {
  readonly code: ErrorCode
  /** For programs: the provider's own code where we know it, else the status. */
  readonly reason: string
  /** The HTTP status of the answer, if that was the refusal. */
  readonly status?: number
  /** Default: the code's own. */
  readonly temporary?: boolean
  readonly retryAfterMs?: number | undefined
  /** What to tell people, after the provider's name. Default: what the code means. */
  readonly says?: string
  /** The provider's own words. They go into the cause, without keys, never into the message. */
  readonly words: string
  /** How the provider calls this request, for its support. It goes into the cause too. */
  readonly requestId?: string | undefined
}

/** What happened and what to do, for people. The provider's name stands before it. */
const sentences: Readonly<Record<ErrorCode, string>> = {
  invalid_request: 'did not accept the request; its own words are in the log',
  unauthorized: 'did not accept the API key; set the right key for this provider',
  forbidden: 'does not allow this with this key; check what the key and its account may use',
  not_found: 'does not know this model or address; check the model id and the base URL',
  rate_limited: 'has had enough requests for now; wait, or use another model',
  overloaded: 'is overloaded; try again a little later',
  timeout: 'gave up waiting for its own model; try again',
  network: 'could not reach its own model; try again',
  provider_unavailable: 'is not available for now; try again later, or use another model',
  context_length_exceeded: 'says that the conversation is too long for this model; shorten it or use another model',
  content_filtered: 'refused the content of this conversation',
  unsupported: 'does not support what was asked for; use another model, or leave the option out',
  internal: 'failed on its side; try again',
}

const quotaSentence = 'says that the quota of this account is used up; check its plan and its billing'

export function refusalError(peer: Peer, refusal: Refusal): RunletError {
  const { code, reason, status, temporary, retryAfterMs, words, requestId } = refusal
  const says = refusal.says ?? (code === 'rate_limited' && temporary === false ? quotaSentence : sentences[code])
  return new RunletError(code, {
    reason,
    message: `${peer.name} ${says}${status === undefined ? '' : ` (HTTP ${status})`}`,
    provider: peer.provider,
    ...(temporary === undefined ? {} : { temporary }),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    cause: new Error(`${requestId ? `request ${requestId}: ` : ''}${peer.redact(words).slice(0, 2000)}`),
  })
}

/** A frame that is not what the API promises. */
export function badFrame(peer: Peer, frame: number, text: string, cause?: unknown): RunletError {
  return new RunletError('network', {
    reason: 'bad_frame',
    message: `${peer.name} sent something that is not a frame of its API (frame ${frame}); the answer is incomplete`,
    provider: peer.provider,
    cause: new Error(`frame ${frame}: ${peer.redact(excerpt(text))}`, cause === undefined ? undefined : { cause }),
  })
}

/** More came than is accepted. `what` says what. Final: the same request would bring as much again. */
export function answerTooLong(peer: Peer, what: string): RunletError {
  return new RunletError('network', {
    reason: 'answer_too_long',
    message: `${peer.name} sent ${what}; the answer is incomplete. Ask for a shorter one, or look at what stands before the model`,
    provider: peer.provider,
    temporary: false,
  })
}

/** The bytes are over, and the provider's end mark was not among them. */
export function cutOff(peer: Peer, missing: string, cause?: unknown): RunletError {
  return new RunletError('network', {
    reason: 'stream_eof_before_done',
    message: `the stream from ${peer.name} ended before ${missing}; the answer is incomplete`,
    provider: peer.provider,
    ...(cause === undefined ? {} : { cause }),
  })
}
