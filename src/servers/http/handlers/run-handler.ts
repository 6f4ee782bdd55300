import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response'
import { systemClock } from '../../../core/clock.ts'
import { formatCursor } from '../../../core/cursor.ts'
import { isRunletError, RunletError, toRunletError } from '../../../core/error.ts'
import type { RunId } from '../../../core/event.ts'
import type { Framing } from '../../../core/format.ts'
import type { RunHeader } from '../../../core/log.ts'
import { quoted } from '../../../core/quote.ts'
import type { StartRequest } from '../../../engine/request.ts'
import type { Run, Runtime } from '../../../engine/runtime.ts'
import { CLIENT_CLOSED, readJson } from '../requests/body.ts'
import { defaultHttpLimits } from '../limits.ts'
import { problem } from '../requests/problem.ts'
import { readStartBody } from '../runs/start-body.ts'
import { outgoingOf } from '../streams/stream.ts'
import { asked, placeOf } from './asked.ts'
import { claimFor } from './claim.ts'
import { cors, preflightResponse } from './cors.ts'
import { within, type SseOptions, type StreamsOptions } from './options.ts'
import { createStreams, type Streams } from './streams.ts'
import { warn } from './warn.ts'

/**
 * Makes of a request what is to be run. It may read the body, and it is the place to say who may ask: a `RunletError`
 * that it throws is the answer, with its status; anything else is a fault of it: a 500 whose text stays here, and which
 * `onDiagnostic` is told of.
 */
export type PrepareRequest = (request: Request) => StartRequest | Promise<StartRequest>

export interface HandlerOptions extends Omit<SseOptions, 'request' | 'after' | 'snapshot' | 'headers'>, StreamsOptions {
  /** Shares readers, limits and timer with other handlers; `StreamsOptions` given here then hold for nothing. */
  readonly streams?: Streams
  /**
   * Who may read on and cancel a run by its id. Default: everyone who knows the id, which is a UUIDv7. Those who may
   * not are told that there is no such run.
   */
  readonly permit?: (request: Request, run: RunHeader) => boolean | Promise<boolean>
  /** Whose idempotency keys a request's are: keys of different scopes are different keys. Default: those of its path. */
  readonly idempotencyScope?: (request: Request) => string
  /** How long an idempotency key holds. Milliseconds, 1,000 to 31 days. Default 24 hours. */
  readonly idempotencyMs?: number
  /** Longest request body. Bytes, 1 to 1 GiB. Default 10 MiB. */
  readonly maxBodyBytes?: number
}

/**
 * Answers requests, in any framework that speaks `Request` and `Response`; never rejects.
 *
 * `POST` starts a run and streams it. `GET ?run=ID` reads one, from `Last-Event-ID` or `?after=` on, else from its
 * start. `DELETE ?run=ID` cancels one. `OPTIONS` answers a preflight.
 */
export interface RunHandler {
  /** `env` is what Hono's adapter for Node hands on as `c.env`, for the fast way to its response; all else is ignored. */
  (request: Request, env?: object): Promise<Response>
  /** Ends the streams and, if it was made here, the runtime. What was given to the handler is left open. */
  close(): Promise<void>
}

/** Where runs come from and go to. */
export interface HandlerSource {
  readonly runtime: Runtime
  /** Called before a run begins. */
  readonly onStart?: () => Promise<unknown>
  /** Absent if the runtime is somebody else's. */
  readonly close?: () => Promise<void>
}

const methods = ['GET', 'POST', 'DELETE'] as const
const DAY_MS = 24 * 60 * 60 * 1000

export function runHandler(
  { runtime, onStart, close }: HandlerSource,
  prepare: PrepareRequest,
  framingOf: (request: Request) => Framing,
  options: HandlerOptions = {},
): RunHandler {
  const { onDiagnostic = warn, permit = () => true, clock = systemClock } = options
  const { streams = createStreams({ ...options, onDiagnostic }) } = options
  const { idempotencyScope = (request) => new URL(request.url).pathname } = options
  const allowed = cors(options.origins)
  const maxBodyBytes = within('maxBodyBytes', options.maxBodyBytes ?? defaultHttpLimits.maxBodyBytes, 1, 1 << 30)
  const idempotencyMs = within('idempotencyMs', options.idempotencyMs ?? DAY_MS, 1_000, 31 * DAY_MS)
  const how = streamOptions(options)

  async function start(request: Request, env: object | undefined): Promise<Response> {
    const framing = framingOf(request)
    const expires_at = clock.now() + idempotencyMs
    const claim = await claimFor(request, { scope: idempotencyScope(request), expires_at, maxBodyBytes })
    if (placeOf(asked(request)) && !claim) throw cursorWithoutKey()
    const prepared = await prepareSafely(request)
    await onStart?.()
    const run = await runtime.start({ ...(claim ? { idempotency: claim } : {}), ...prepared })
    const headers: Record<string, string> = run.replayed ? { 'Idempotency-Replayed': 'true' } : {}
    return inRun(run.id, request, () => answer(framing, run, request, env, { ...how, headers }))
  }

  async function prepareSafely(request: Request): Promise<StartRequest> {
    try {
      return checkedRequest(await prepare(request))
    } catch (thrown) {
      if (isRunletError(thrown)) throw thrown
      // That is what a body which is no JSON makes of `request.json()`.
      if (thrown instanceof SyntaxError) throw notJson(thrown)
      throw new RunletError('internal', {
        reason: 'prepare_failed',
        temporary: false,
        message: 'the program that answers here failed; the details are in its log',
        cause: thrown,
      })
    }
  }

  async function follow(request: Request, env: object | undefined): Promise<Response> {
    const framing = framingOf(request)
    const run = await permittedRun(request)
    // Whoever comes to read did not start it, and must not end it by going.
    return inRun(run.id, request, () => answer(framing, run, request, env, { ...how, cancelOnDisconnect: false }))
  }

  async function cancel(request: Request): Promise<Response> {
    const { id } = await permittedRun(request)
    const { run_id, session_id, status, cursor } = await runtime.cancel(id)
    return Response.json(
      { run_id, session_id, status, cursor: formatCursor(cursor) },
      { headers: { ...allowed.headers(asked(request)), 'Cache-Control': 'no-store' } },
    )
  }

  async function permittedRun(request: Request): Promise<Run> {
    const id = new URL(request.url).searchParams.get('run') ?? ''
    if (id === '') throw runMissing()
    const run = await runtime.find(id)
    if (await permit(request, await run.header())) return run
    throw new RunletError('not_found', { reason: 'run_unknown', message: unknownRun(id) })
  }

  async function answer(
    framing: Framing,
    run: Run,
    request: Request,
    env: object | undefined,
    chosen: SseOptions,
  ): Promise<Response> {
    const response = outgoingOf(env)
    if (!response) return streams[framing](run, { ...chosen, request })
    await streams[framing === 'sse' ? 'sendSse' : 'sendNdjson'](run, response, { ...chosen, request })
    return RESPONSE_ALREADY_SENT
  }

  /** What goes wrong once the run is known names it. */
  async function inRun(run: RunId, request: Request, act: () => Promise<Response>): Promise<Response> {
    try {
      return await act()
    } catch (thrown) {
      return refused(request, thrown, run)
    }
  }

  function refused(request: Request, thrown: unknown, run?: RunId): Response {
    const error = toRunletError(thrown)
    if (error.status !== CLIENT_CLOSED && (error.status >= 500 || error.cause !== undefined)) {
      onDiagnostic({
        level: error.status >= 500 && error.reason !== 'shutting_down' ? 'error' : 'info',
        code: 'request_failed',
        message: `${request.method.slice(0, 20)} failed: ${error.reason}`,
        cause: error.cause ?? thrown,
        ...(run === undefined ? {} : { run_id: run }),
      })
    }
    const { status, headers, body } = problem(error, run)
    return new Response(body, { status, headers: { ...allowed.headers(asked(request)), ...headers } })
  }

  async function handle(request: Request, env?: object): Promise<Response> {
    try {
      const question = asked(request)
      if (request.method === 'OPTIONS') return preflightResponse(allowed, question, methods)
      allowed.check(question)
      if (request.method === 'POST') return await start(request, env)
      if (request.method === 'GET') return await follow(request, env)
      if (request.method === 'DELETE') return await cancel(request)
      const response = refused(request, methodNotAllowed(request.method))
      response.headers.set('Allow', [...methods, 'OPTIONS'].join(', '))
      return response
    } catch (thrown) {
      return refused(request, thrown)
    }
  }

  return Object.assign(handle, {
    async close() {
      if (!options.streams) await streams.close()
      await close?.()
    },
  })
}

/**
 * The body of a request, checked as that of `POST /v1/runs`: `prompt` or `messages`, `model`, `system`, `session_id`,
 * `tools`, `options` and the rest of PROTOCOL.md, section 6. JSON of at most 10 MiB, named as such, so that no page of
 * another origin can send it without being asked. Throws `invalid_request`, naming each fault.
 */
export async function readStartRequest(request: Request): Promise<StartRequest> {
  return readStartBody(await readJson(request, defaultHttpLimits.maxBodyBytes)).request
}

/** Much of what is prepared came as JSON, whose types nobody has looked at yet. Throws `TypeError` where it is nothing. */
function checkedRequest(request: StartRequest): StartRequest {
  if (typeof (request as unknown) !== 'object') throw new TypeError('prepareRequest returned no request')
  const { prompt, model, system, sessionId, messages } = request
  const wrong = Object.entries({ prompt, model, system, sessionId }).find(
    ([, value]) => value !== undefined && typeof value !== 'string',
  )?.[0]
  if (wrong === undefined && (messages === undefined || Array.isArray(messages))) return request
  throw new RunletError('invalid_request', {
    reason: 'body_invalid',
    message: wrong === undefined ? 'messages is no list' : `${wrong} is no text`,
  })
}

/** Those options that go on to each stream. */
function streamOptions(options: HandlerOptions): SseOptions {
  const { format, compact, timestamps, ids, retryMs, overflow, cancelOnDisconnect, origins } = options
  const given = { format, compact, timestamps, ids, retryMs, overflow, cancelOnDisconnect, origins }
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
}

const unknownRun = (id: string) => `there is no run ${quoted(id)} here`

const notJson = (cause: SyntaxError) =>
  new RunletError('invalid_request', { reason: 'bad_request', message: 'the body is not valid JSON', cause })

function runMissing(): RunletError {
  return new RunletError('invalid_request', {
    reason: 'run_missing',
    message:
      'the query names no run; give ?run=ID, with the id that X-Run-Id and the first event told, or POST to start one',
  })
}

function cursorWithoutKey(): RunletError {
  // A client that repeats its POST to read on would start, and pay for, a second run.
  return new RunletError('invalid_request', {
    reason: 'cursor_without_key',
    message: 'a POST that reads on needs the Idempotency-Key of the first one; or read on with GET ?run=ID',
  })
}

function methodNotAllowed(method: string): RunletError {
  return new RunletError('invalid_request', {
    status: 405,
    reason: 'method_not_allowed',
    message: `${method.slice(0, 20)} is not possible here; ${methods.join(', ')} are`,
  })
}
