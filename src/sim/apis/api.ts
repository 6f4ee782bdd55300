import type { JsonObject, JsonValue } from '../../core/json.ts'
import type { Performance } from '../performance.ts'
import type { Cue, Framing } from '../reel.ts'
import type { Ask } from '../script.ts'

/** Whose streams a recording holds. Two routes of one kind play the same recordings. */
export type ApiKind = 'openai-chat' | 'openai-completions' | 'openai-responses' | 'anthropic' | 'llamacpp' | 'ollama'

/** One model API as the simulator speaks it. */
export interface Api {
  readonly kind: ApiKind
  /** For people. */
  readonly title: string
  readonly path: string
  readonly framing: Exclude<Framing, 'whole'>
  /** Whether a request that does not say gets a stream. */
  readonly streamsByDefault: boolean
  /** Content-Type of a stream. */
  readonly contentType: string
  /** Found in every stream of this API, and in none of another kind: how a recording is recognised. */
  readonly mark: RegExp
  /** Matches the frame whose absence makes a stream incomplete. */
  readonly endMark: RegExp
  /** A JSON payload as a frame. */
  readonly frame: (json: string) => string
  /** What follows the last payload of a stream. */
  readonly trailer: string
  /** A failure in mid-stream, as this API tells it. */
  readonly errorFrame: () => string
  /** The JSON of an error answer. */
  readonly errorBody: (failure: Failure) => JsonValue
  /** Present if the simulator's own models speak this API; without it only recordings are played. */
  readonly voice?: Voice
}

export interface Failure {
  readonly status: number
  /** For programs, for example `model_not_found`. */
  readonly code: string
  readonly message: string
}

/** How an API is read and spoken. */
export interface Voice {
  /** Reads a request body. Throws a `ZodError` or `RunletError` for one that the API would refuse. */
  readonly read: (body: unknown) => Call
  /** The frames, one after the other, so that none of a long answer is kept longer than it takes to write it down. */
  readonly stream: (performance: Performance, call: Call, stamp: Stamp) => Iterable<Cue>
  readonly whole: (performance: Performance, call: Call, stamp: Stamp) => JsonObject
}

/** A request for an answer. */
export interface Call {
  readonly ask: Ask
  /** OpenAI: whether the stream is to tell its usage. */
  readonly includeUsage?: boolean
  /** Ollama: an empty request that only loads or unloads the model. */
  readonly load?: 'load' | 'unload'
}

/** What an answer is signed with; the same for the same request. */
export interface Stamp {
  /** Hexadecimal. */
  readonly id: string
  /** The model's name without faults. */
  readonly model: string
  /** Unix time in milliseconds when the simulator was started. */
  readonly startedAt: number
}
