import { createHash } from 'node:crypto'
import * as z from 'zod'
import { RunletError, toRunletError } from '../core/error.ts'
import type { JsonValue } from '../core/json.ts'
import type { Api, Failure } from './apis/api.ts'
import { baseSchema } from './apis/request.ts'
import { damaged } from './damage.ts'
import { type FaultCounter, type Faults, parseFaults, splitModel } from './faults.ts'
import { type Pace, perform } from './performance.ts'
import { type Recording, loadRecording } from './recordings.ts'
import { type Reel, reelOf } from './reel.ts'
import type { ReelCache } from './reel-cache.ts'
import type { Part, Repertoire } from './repertoire.ts'

/** Everything that an answer consists of before any of it is sent. */
export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly reel: Reel
  readonly faults: Faults
}

/** What all answers of one simulator share. */
export interface Stage {
  readonly repertoire: Repertoire
  readonly counter: FaultCounter
  readonly cache: ReelCache
  readonly startedAt: number
  /** Of the flags: they hold for every request to a model. */
  readonly faults: Faults
  readonly tokensPerSecond: number | undefined
  readonly recordedTiming: boolean
}

/** Answers a request to a model. `header` is the value of `X-Sim-Fault`. Throws what `failureOf` can tell. */
export async function answer(stage: Stage, api: Api, body: JsonValue, header: string): Promise<Answer> {
  const request = baseSchema.parse(body)
  const { name, suffix } = splitModel(request.model)
  const faults = faultsOf(stage, name, suffix, header)
  if (faults.status !== undefined) return failed(api, statusFailure(faults.status), faults)

  const part = stage.repertoire.find(name, api)
  const streams = request.stream ?? api.streamsByDefault
  const asked: Asked = { api, name, streams, body, tokensPerSecond: faults.tokensPerSecond }
  const reel =
    part.type === 'recording' ? await recorded(stage, part.recording, asked) : await spoken(stage, part, asked)
  const harmed = damaged(reel, faults, api)
  return streams ? streamed(api, harmed, faults) : json(200, harmed, faults)
}

/** An error as an API spells it. Faults that harm the connection hold for it too. */
export function failed(api: Pick<Api, 'errorBody'>, failure: Failure, faults: Faults = {}): Answer {
  const reel = reelOf('whole', [{ frame: JSON.stringify(api.errorBody(failure)), at: 0 }])
  const { headers, ...rest } = json(failure.status, reel, faults)
  const { retryAfter } = faults
  return { ...rest, headers: retryAfter === undefined ? headers : { ...headers, 'retry-after': retryAfter } }
}

/** What went wrong, from anything that was thrown. */
export function failureOf(thrown: unknown): Failure {
  if (thrown instanceof z.ZodError) {
    const { path, message } = thrown.issues[0]!
    return { status: 400, code: 'invalid_request', message: `${path.join('.') || 'the request'}: ${message}` }
  }
  const { status, reason, message } = toRunletError(thrown)
  return { status, code: reason, message }
}

export function json(status: number, reel: Reel, faults: Faults): Answer {
  const headers = {
    'content-type': faults.contentType ?? 'application/json; charset=utf-8',
    'content-length': String(reel.bytes.length),
  }
  return { status, headers, reel, faults }
}

function streamed(api: Api, reel: Reel, faults: Faults): Answer {
  const headers = { 'content-type': faults.contentType ?? api.contentType, 'cache-control': 'no-cache' }
  return { status: 200, headers, reel, faults }
}

/** Flags first, then the header, then the model's suffix: the nearer to the request, the stronger. */
function faultsOf({ counter, faults }: Stage, name: string, suffix: string, header: string): Faults {
  return {
    ...counter.next('flags', faults),
    ...counter.next(`header ${header}`, parseFaults(header)),
    ...counter.next(`model ${name}?${suffix}`, parseFaults(suffix)),
  }
}

function statusFailure(status: number): Failure {
  const [code, message] = statusTexts[status] ?? ['sim_status', `the simulator was told to answer ${status}`]
  return { status, code, message }
}

const statusTexts: Readonly<Record<number, readonly [code: string, message: string]>> = {
  401: ['invalid_api_key', 'Incorrect API key provided.'],
  403: ['permission_denied', 'You are not allowed to use this model.'],
  429: ['rate_limit_exceeded', 'Rate limit reached. Please try again later.'],
  500: ['server_error', 'The server had an error while processing your request.'],
  503: ['overloaded', 'The engine is currently overloaded, please try again later.'],
}

interface Asked {
  readonly api: Api
  /** Without faults. */
  readonly name: string
  readonly streams: boolean
  readonly body: JsonValue
  /** In the request itself. */
  readonly tokensPerSecond: number | undefined
}

function recorded(stage: Stage, recording: Recording, { api, name, streams, tokensPerSecond }: Asked): Promise<Reel> {
  if (!streams) {
    throw new RunletError('invalid_request', {
      reason: 'recording_is_stream',
      message: `${name} is a recorded stream; ask for it with "stream": true`,
    })
  }
  const pace = paceOf(stage, tokensPerSecond)
  return stage.cache.get(JSON.stringify([api.path, name, pace]), () => loadRecording(recording, api, pace))
}

function spoken(stage: Stage, { source, voice }: Part & { type: 'script' }, asked: Asked): Promise<Reel> {
  const { api, name, streams, body, tokensPerSecond } = asked
  const call = voice.read(body)
  // The id is the request's fingerprint: equal requests get equal bytes, which tests and the cache live on.
  const key = JSON.stringify([api.path, name, streams, paceOf(stage, tokensPerSecond), call])
  return stage.cache.get(key, () => {
    const script = source(call.ask)
    const performance = perform(script, call.ask, paceOf(stage, tokensPerSecond, script.tokens_per_second))
    const id = createHash('sha256').update(key).digest('hex').slice(0, 16)
    const stamp = { id, model: name, startedAt: stage.startedAt }
    if (streams) return reelOf(api.framing, voice.stream(performance, call, stamp))
    // A whole answer comes when the stream would have ended.
    return reelOf('whole', [{ frame: JSON.stringify(voice.whole(performance, call, stamp)), at: performance.endsAt }])
  })
}

/** The request's own pace, else the simulator's, else the script's, else none. */
function paceOf(stage: Stage, inRequest: number | undefined, ofScript = Number.POSITIVE_INFINITY): Pace {
  const wanted = inRequest ?? stage.tokensPerSecond
  return {
    tokenMs: 1000 / (wanted ?? ofScript),
    pauses: wanted !== Number.POSITIVE_INFINITY,
    recorded: stage.recordedTiming && inRequest === undefined,
  }
}
