import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response'
import type { Context } from 'hono'
import { parseCursor, START, type Cursor } from '../../../core/cursor.ts'
import { RunletError, toRunletError } from '../../../core/error.ts'
import type { RunId } from '../../../core/event.ts'
import type { Format } from '../../../core/format.ts'
import type { RunHeader } from '../../../core/log.ts'
import { quoted } from '../../../core/quote.ts'
import type { Lapse } from '../auth/caller.ts'
import type { HttpContext, HttpEnv, Route } from '../env.ts'
import { Lanes } from '../streams/lanes.ts'
import { CONTENT_TYPE, multiplexFormat, runDone, runRefused, runTold } from '../streams/multiplex-format.ts'
import { readFlag, readQuery } from '../requests/query.ts'
import type { Sink } from '../streams/sink.ts'
import { eventFraming } from '../streams/spelling.ts'
import { openStream, outgoingOf } from '../streams/stream.ts'
import { webSink } from '../streams/web-sink.ts'

/** More than a page shows at once; each costs a cursor and a reading of the log. */
const MAX_RUNS = 64

/** `GET /v1/events`: several runs over one connection, each from its own place on, and what begins and ends. */
export const readSeveral: Route = {
  method: 'GET',
  path: '/v1/events',
  doc: {
    summary: 'Follow several runs over one connection',
    description:
      'Each `run` is followed from its own cursor, to its end. A run that cannot be read is answered with a record of ' +
      'its own; the others are not touched. Frames without a name are entries, and their id is `RUN@CURSOR`.',
    query: {
      run: {
        description: `A run, or RUN@CURSOR to read on; may be repeated, up to ${MAX_RUNS} times.`,
        example: 'RUN@1-42',
      },
      watch: { description: '1: tell of every run that begins or ends at this server, too.' },
    },
    answers: { 200: { description: 'Server-sent events.', content: { 'text/event-stream': {} } } },
    problems: { 400: 'It asks for nothing, for too much, or for a run twice.' },
  },
  handle(c, http) {
    const { places, watch } = readPlaces(c.req.url)
    if (eventFraming(c) !== 'sse') throw sseOnly()
    http.readers.checkOpen()
    const headers = {
      'Content-Type': CONTENT_TYPE,
      'Cache-Control': 'no-cache, no-transform',
      'X-Accel-Buffering': 'no',
    }
    if (c.req.method === 'HEAD') return c.body(null, 200, headers)
    return respond(c, http, headers, (sink) => follow(http, sink, { places, watch }, c.get('lapse')))
  },
}

interface Asked {
  readonly places: readonly Place[]
  readonly watch: boolean
}

interface Place {
  readonly run: RunId
  /** As it was given. Absent: from the start. */
  readonly cursor: string | undefined
}

function readPlaces(address: string): Asked {
  const url = new URL(address)
  const places = url.searchParams.getAll('run').map(readPlace)
  url.searchParams.delete('run')
  const watch = readFlag('watch', readQuery(url.href, ['watch']).watch) ?? false
  if (places.length === 0 && !watch) {
    throw refused('nothing_asked', 'name at least one run (run=ID or run=ID@CURSOR), or watch=1')
  }
  if (places.length > MAX_RUNS) {
    throw refused(
      'too_many_runs',
      `${places.length} runs are more than one connection carries; take one for each ${MAX_RUNS}`,
    )
  }
  const twice = places.find(({ run }, i) => places.findIndex((other) => other.run === run) !== i)
  if (twice) throw refused('run_repeated', `run ${quoted(twice.run)} is named twice; its events come once`)
  return { places, watch }
}

function readPlace(text: string): Place {
  const at = text.lastIndexOf('@')
  return at < 0 ? { run: text, cursor: undefined } : { run: text.slice(0, at), cursor: text.slice(at + 1) }
}

/** Begins to follow; what concerns one run is answered in the stream. */
function follow(http: HttpContext, sink: Sink, { places, watch }: Asked, lapse: Lapse | undefined): void {
  const { runtime, readers, clock } = http
  const tell = (header: RunHeader) => lanes.tell(runTold(clock.now(), header))
  const onGone = watch ? runtime.watch(tell) : () => {}
  const options = { runs: places.length, outlives: watch, lapse, onGone }
  const lanes = readers.attend(sink, (context) => new Lanes(sink, options, context))
  const format = multiplexFormat(() => clock.now())
  for (const place of places) void open(http, lanes, { ...place, format })
}

/** Never rejects. */
async function open(
  http: HttpContext,
  lanes: Lanes,
  { run: id, cursor, format }: Place & { readonly format: Format },
): Promise<void> {
  const { runtime, clock } = http
  try {
    const after: Cursor = cursor === undefined ? START : parseCursor(cursor)
    const run = await runtime.find(id)
    const { body } = await openStream(http, run, { spelling: { format, framing: 'sse' }, after })
    if (body) lanes.add(body.reading, body.opening)
    else lanes.skip(runDone(id))
  } catch (thrown) {
    const error = toRunletError(thrown)
    if (error.status >= 500) {
      const { message } = error
      http.onDiagnostic({ level: 'error', code: 'reader_failed', message, run_id: id, cause: thrown })
    }
    lanes.skip(runRefused(clock.now(), id, error))
  }
}

/** Straight to Node's response where there is one, as every stream. */
function respond(
  c: Context<HttpEnv>,
  { nodeSink, limits }: HttpContext,
  headers: Readonly<Record<string, string>>,
  begin: (sink: Sink) => void,
): Response {
  const response = outgoingOf(c.env)
  if (response) {
    response.writeHead(200, { ...Object.fromEntries(c.res.headers), ...headers })
    // They would wait for the first bytes, which may take as long as the first run that begins.
    response.flushHeaders()
    begin(nodeSink(response))
    return RESPONSE_ALREADY_SENT
  }
  const { sink, body } = webSink(limits.maxPendingBytes)
  begin(sink)
  return c.body(body, 200, headers)
}

const refused = (reason: string, message: string) => new RunletError('invalid_request', { reason, message })

const sseOnly = () =>
  new RunletError('invalid_request', {
    status: 406,
    reason: 'not_acceptable',
    message: 'several runs at once come as text/event-stream only',
  })
