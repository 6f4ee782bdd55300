/**
 * What every provider owes, as cases that any test runner can run. Bytes are given to the decoder directly, where every
 * cut is tried, and over HTTP on loopback, where connections are watched. Timing is not judged: a server that stalls is
 * the engine's affair.
 *
 * ```ts
 * for (const { name, run } of providerCases(options)) test(name, run)
 * ```
 */
import type { ErrorCode } from '../core/error.ts'
import type { Citation, StopReason, Usage } from '../core/event.ts'
import type { JsonObject } from '../core/json.ts'
import type { ModelInfo, Provider, ProviderEvent } from '../core/provider.ts'
import type { Decoder } from '../wire/decode.ts'
import { byteCases } from './provider-suite-bytes.ts'
import { connectionCases, overHttp, refusalCase } from './provider-suite-http.ts'

/** A provider under test: how to make one, and streams that it has to understand. */
export interface ProviderSuite {
  /** The provider, pointed at a server of ours. */
  readonly make: (baseUrl: string) => Provider
  /** What turns the bytes of an answer with this media type into events. */
  readonly decoder: (mediaType: string) => Decoder<ProviderEvent>
  /** At least one of them with text. */
  readonly recordings: readonly Recording[]
  readonly refusals: readonly RecordedRefusal[]
  /** The body that lists models, and what it tells. */
  readonly models: { readonly body: string; readonly expected: readonly ModelInfo[] }
  /** Bytes to decode per case and recording: beyond that cuts are spread evenly. Default 16 MiB. */
  readonly maxWork?: number
}

/** The bytes of one answer, and what they say. */
export interface Recording {
  readonly name: string
  readonly mediaType: string
  readonly bytes: Uint8Array
  readonly expected: ExpectedAnswer | ExpectedFailure
  /** A beginning of at least this length may be an answer, because all that counts is in it. Default: only the whole. */
  readonly completeAt?: number
}

/** The sum of an answer. What is left out is not compared. */
export interface ExpectedAnswer {
  readonly text: string
  readonly reasoning: string
  readonly calls: readonly { readonly name: string; readonly input: JsonObject }[]
  readonly reason: StopReason
  readonly model?: string
  readonly usage?: Usage | undefined
  readonly citations?: readonly Citation[]
}

/** How a recording fails. */
export interface ExpectedFailure {
  readonly code: ErrorCode
  readonly reason: string
  /** What was said before. */
  readonly text: string
}

/** An answer with a status that refuses. */
export interface RecordedRefusal {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body: string
  readonly code: ErrorCode
  readonly reason?: string
  readonly temporary?: boolean
  readonly retryAfterMs?: number
}

/** One case for any test runner. `run` rejects if the provider does not hold. */
export interface SuiteCase {
  readonly name: string
  readonly run: () => Promise<void>
}

/** The cases of one provider. */
export function providerCases(options: ProviderSuite): SuiteCase[] {
  return [
    ...options.recordings.flatMap((recording) => byteCases(options, recording)),
    ...options.recordings.map((recording) => overHttp(options, recording)),
    ...options.refusals.map((refusal) => refusalCase(options, refusal)),
    ...connectionCases(options),
  ]
}
