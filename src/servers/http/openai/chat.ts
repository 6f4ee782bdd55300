/** `POST /v1/chat/completions`: a run, started and read as OpenAI's clients do. */
import type { Context } from 'hono'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import { Batch } from '../../../core/batch.ts'
import { RunletError, errorFromBody, type ErrorBody } from '../../../core/error.ts'
import type { EventType, FinishReason } from '../../../core/event.ts'
import type { Framing } from '../../../core/format.ts'
import type { Run } from '../../../engine/runtime.ts'
import { openaiChat } from '../../../formats/openai-chat.ts'
import { openCompletion } from '../../../formats/openai-chat/completion.ts'
import { cancelledError } from '../../../formats/openai-chat/error.ts'
import { abandonRun } from '../runs/abandon.ts'
import { negotiate } from '../requests/accept.ts'
import { CLIENT_CLOSED, readJson } from '../requests/body.ts'
import { callerIds } from '../runs/caller-ids.ts'
import { unknownHeader } from '../requests/checked.ts'
import type { HttpContext, HttpEnv, Route } from '../env.ts'
import { lastEventId } from '../runs/events.ts'
import { claimOf, idempotencyKey } from '../runs/idempotency.ts'
import { cursorWithoutKey } from '../runs/start-run.ts'
import { streamRun } from '../streams/stream.ts'
import { readChatBody } from './body.ts'
import { chatDoc } from './doc.ts'
import { openaiProblem } from './problem.ts'
import { ofProvider } from './refusals.ts'

const PATH = '/v1/chat/completions'

/**
 * Unlike elsewhere, a disconnect cancels the run: such a client has no other way to stop a model that costs. Whoever
 * means to come back says so with an idempotency key, or with `X-Runlet-Keep: 1`.
 */
export const chatCompletions: Route = {
  method: 'POST',
  path: PATH,
  problem: openaiProblem,
  doc: chatDoc,
  async handle(c, http) {
    const json = await readJson(c.req.raw, http.limits.maxBodyBytes)
    const { request, stream, includeUsage, unknown } = readChatBody(json)
    const key = idempotencyKey(c.req.raw.headers, undefined)
    const after = lastEventId(c)
    if (after && key === undefined) throw cursorWithoutKey()
    const framing = stream ? streamFraming(c) : undefined
    http.readers.checkOpen()

    const claim = key === undefined ? {} : { idempotency: claimOf(key, json, http, `POST ${PATH}`) }
    const run = await http.runtime.start({ ...request, ...claim, ...callerIds(c) })
    c.set('runId', run.id)
    const keyed = key !== undefined
    const call: Call = { run, keyed, keep: keyed || c.req.header('x-runlet-keep') === '1' }
    const headers = {
      'X-Run-Id': run.id,
      Location: `/v1/runs/${run.id}`,
      ...(run.replayed ? { 'Idempotency-Replayed': 'true' } : {}),
      ...unknownHeader(unknown),
    }
    if (!framing) return answerWhole(c, http, { ...call, headers })
    if (!after) await firstWords(c, http, call)
    if (c.req.raw.signal.aborted) return callerGone(c, http, call)
    return streamRun(c, http, run, {
      spelling: { format: openaiChat, framing, includeUsage },
      headers,
      after,
      ...(call.keep ? {} : { onDisconnect: () => abandonRun(http, run.id) }),
    })
  },
}

interface Call {
  readonly run: Run
  /** Came with an idempotency key: whoever repeats it gets the same run, however that ended. */
  readonly keyed: boolean
  /** The run goes on without its caller. */
  readonly keep: boolean
}

/** OpenAI's own clients accept `application/json`, and mean a stream of events. Throws as `negotiate`. */
function streamFraming(c: Context<HttpEnv>): Framing {
  const types = { 'text/event-stream': 'sse', 'application/x-ndjson': 'ndjson', 'application/json': 'sse' } as const
  return negotiate<Framing>(c.req.header('accept'), { types, fallback: 'sse' })
}

/** What a run begins with, before the model has said anything. */
const silent: ReadonlySet<EventType> = new Set([
  'start',
  'turn.start',
  'step.start',
  'status',
  'warning',
  'provider.fields',
])

/**
 * Waits until the model has said something: a run that fails before can still be answered with a status, which is what
 * the retries of OpenAI's clients go by. It waits no longer than a stream may be silent. Throws the run's failure.
 */
async function firstWords(c: Context<HttpEnv>, { clock, limits }: HttpContext, call: Call): Promise<void> {
  const patience = new AbortController()
  const cancelTimer = clock.after(limits.heartbeatMs, () => patience.abort())
  try {
    const signal = AbortSignal.any([patience.signal, c.req.raw.signal])
    for await (const record of call.run.read({ follow: true, signal })) {
      if (!(record instanceof Batch)) return
      for (const { event } of record.entries) {
        if (silent.has(event.type)) continue
        if (event.type === 'finish' || event.type === 'error') throwFailure(event, call)
        return
      }
    }
  } finally {
    cancelTimer()
  }
}

async function answerWhole(
  c: Context<HttpEnv>,
  http: HttpContext,
  call: Call & { readonly headers: Record<string, string> },
): Promise<Response> {
  const { run, headers } = call
  const { signal } = c.req.raw
  const completion = openCompletion()
  for await (const record of run.read({ follow: true, signal })) {
    if (!(record instanceof Batch)) throw damaged(run)
    completion.add(record.entries)
  }
  const { view } = completion
  if (view.status === 'running') {
    if (signal.aborted) return callerGone(c, http, call)
    throw logClosed(run)
  }
  throwFailure(view, call)
  return c.json(completion.answer(await run.header()), 200, headers)
}

/** Nobody reads the answer any more. While the server closes, it is the server that has ended the connection. */
function callerGone(c: Context<HttpEnv>, http: HttpContext, { run, keep }: Call): Response {
  if (!keep && !http.readers.closing) abandonRun(http, run.id)
  return c.body(null, CLIENT_CLOSED as ContentfulStatusCode)
}

function throwFailure(
  { error, finish_reason }: { readonly error?: ErrorBody; readonly finish_reason?: FinishReason },
  { run, keyed }: Call,
): void {
  // The same key finds the same failure, so there is no use in trying again with it.
  if (error) throw ofProvider(errorFromBody(keyed ? final(error) : error))
  if (finish_reason !== 'cancelled') return
  const { code, reason, message } = cancelledError(run.id)
  throw new RunletError(code, { status: 409, reason, message })
}

function final({ code, reason, message }: ErrorBody): ErrorBody {
  return { code, reason, message, temporary: false }
}

const damaged = ({ id }: Run) =>
  new RunletError('internal', {
    reason: 'corrupt',
    temporary: false,
    message: `part of run ${id} is damaged in the store, so its answer cannot be read`,
  })

const logClosed = ({ id }: Run) =>
  new RunletError('provider_unavailable', {
    reason: 'shutting_down',
    message: `this server is shutting down; GET /v1/runs/${id} tells what became of the run`,
    retryAfterMs: 1_000,
  })
