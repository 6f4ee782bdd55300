import type { Context } from 'hono'
import { formatCursor } from '../../../core/cursor.ts'
import { RunletError } from '../../../core/error.ts'
import { abandonRun } from './abandon.ts'
import { readJson } from '../requests/body.ts'
import { unknownHeader } from '../requests/checked.ts'
import { callerIds } from './caller-ids.ts'
import { inputLines, sendsLines, takeInputs, type InputLines } from './duplex.ts'
import type { HttpContext, HttpEnv, Route } from '../env.ts'
import { lastEventId } from './events.ts'
import { claimOf, idempotencyKey } from './idempotency.ts'
import { readQuery } from '../requests/query.ts'
import { eventFraming, prefersAsync, readSpelling, spellingParameters, startFraming } from '../streams/spelling.ts'
import { readStartBody } from './start-body.ts'
import { startDoc } from './start-doc.ts'
import { streamRun } from '../streams/stream.ts'

/** `POST /v1/runs`: begins a run; the answer is its stream, or says where to find it. */
export const startRun: Route = {
  method: 'POST',
  path: '/v1/runs',
  doc: startDoc,
  async handle(c, http) {
    const lines = sendsLines(c.req.raw) ? inputLines(c.req.raw, http.limits.maxLineBytes) : undefined
    try {
      return await start(c, http, lines)
    } catch (thrown) {
      lines?.stop()
      throw thrown
    }
  },
}

/** `lines`: the body goes on while the answer streams, as lines of JSON. */
async function start(c: Context<HttpEnv>, http: HttpContext, lines: InputLines | undefined): Promise<Response> {
  const query = readQuery(c.req.url, spellingParameters)
  // What becomes of the lines behind the first can only be told in a stream.
  const framing = lines ? eventFraming(c, 'ndjson') : startFraming(c)
  const spelling = framing && readSpelling(query, framing, http.formats)
  const json = lines ? await lines.first() : await readJson(c.req.raw, http.limits.maxBodyBytes)
  const { request, cancelOnDisconnect, unknown, ...body } = readStartBody(json)
  const key = idempotencyKey(c.req.raw.headers, body.idempotencyKey)
  const after = lastEventId(c)
  if (after && key === undefined) throw cursorWithoutKey()
  if (cancelOnDisconnect && !spelling) throw nothingToDisconnect()
  http.readers.checkOpen()

  const claim = key === undefined ? {} : { idempotency: claimOf(key, json, http, 'POST /v1/runs') }
  const run = await http.runtime.start({ ...request, ...claim, ...callerIds(c) })
  c.set('runId', run.id)
  const headers: Record<string, string> = {
    'X-Run-Id': run.id,
    Location: `/v1/runs/${run.id}`,
    ...(run.replayed ? { 'Idempotency-Replayed': 'true' } : {}),
    ...unknownHeader(unknown),
  }
  if (spelling) {
    return streamRun(c, http, run, {
      spelling,
      headers,
      after,
      // A request that only found the run again did not start it, and must not end it.
      ...(cancelOnDisconnect && !run.replayed ? { onDisconnect: () => abandonRun(http, run.id) } : {}),
      ...(lines ? { onReader: (reader) => void takeInputs(lines, run.id, { link: reader, http }) } : {}),
    })
  }
  const { run_id, session_id, status, cursor } = await run.header()
  if (prefersAsync(c)) headers['Preference-Applied'] = 'respond-async'
  return c.json({ run_id, session_id, status, cursor: formatCursor(cursor) }, 202, headers)
}

/** For a client that comes back with its cursor, but cannot say to which run. */
export function cursorWithoutKey(): RunletError {
  // A client that repeats its POST to read on would start, and pay for, a second run.
  return new RunletError('invalid_request', {
    reason: 'cursor_without_key',
    message: 'Last-Event-ID with a POST needs an Idempotency-Key; or read on with GET /v1/runs/{id}/events',
  })
}

function nothingToDisconnect(): RunletError {
  return new RunletError('invalid_request', {
    reason: 'cancel_on_disconnect_unstreamed',
    message: 'cancel_on_disconnect needs a streamed answer; accept text/event-stream or application/x-ndjson',
  })
}
