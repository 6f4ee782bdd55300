import type { ServerResponse } from 'node:http'
import { systemClock } from '../../../core/clock.ts'
import { parseCursor } from '../../../core/cursor.ts'
import { toRunletError } from '../../../core/error.ts'
import type { Framing } from '../../../core/format.ts'
import type { Run } from '../../../engine/runtime.ts'
import { gai } from '../../../formats/gai.ts'
import { defaultHttpLimits } from '../limits.ts'
import { nodeSinks } from '../streams/node-sink.ts'
import { Readers } from '../streams/readers.ts'
import { checkedFraming } from '../streams/spelling.ts'
import { openStream, streamResponse, writeStream, type OpenStream, type StreamContext } from '../streams/stream.ts'
import { asked, placeOf } from './asked.ts'
import { cors } from './cors.ts'
import { within, type NdjsonOptions, type SseOptions, type StreamsOptions } from './options.ts'

/**
 * Streams that share limits and one timer. Everything throws before the first byte: `invalid_request` with `bad_option`
 * or `bad_origin`, a cursor's own errors, 406 with `not_acceptable` for a format that does not come in that framing,
 * `provider_unavailable` with `shutting_down` after `close`.
 */
export interface Streams {
  /** A run as server-sent events, for any framework that speaks `Response`. Ended and read to its end, it is a 204. */
  sse(run: Run, options?: SseOptions): Promise<Response>
  /** A run as one JSON object a line. */
  ndjson(run: Run, options?: NdjsonOptions): Promise<Response>
  /** As `sse`, onto a response of `node:http` whose head is not sent; the fast way. Resolves once the head is written. */
  sendSse(run: Run, response: ServerResponse, options?: SseOptions): Promise<void>
  /** As `sendSse`, one JSON object a line. */
  sendNdjson(run: Run, response: ServerResponse, options?: NdjsonOptions): Promise<void>
  /** Streams that are open at the moment. */
  readonly readers: number
  /** Bytes handed to all of them that they have not taken yet. */
  readonly pendingBytes: number
  /** Readers that were closed because they took nothing, or fell behind the bound of their `overflow` policy. */
  readonly overflows: { readonly slowConsumer: number; readonly lagging: number }
  /** Ends each stream with its cursor, not its run; resolves when all is taken, or cut after `closeMs`. */
  close(): Promise<void>
}

/** A registry of streams: make one for a server, and share it among its handlers. It holds no timer while nobody reads. */
export function createStreams(options: StreamsOptions = {}): Streams {
  const { clock = systemClock, onDiagnostic = () => {} } = options
  const limits = limitsOf(options)
  const closeMs = within('closeMs', options.closeMs ?? defaultHttpLimits.closeMs, 0, 600_000)
  const readers = new Readers({ limits, clock, onDiagnostic })
  const context: StreamContext = { readers, limits, clock, nodeSink: nodeSinks(limits.maxPendingBytes) }

  function open(framing: Framing, run: Run, how: SseOptions): Promise<OpenStream> {
    const { format = gai, compact, timestamps, ids, retryMs, request, overflow } = how
    const question = request && asked(request)
    const place = question && placeOf(question)
    const cancel = () => {
      run.cancel({ reason: 'the client that followed it is gone' }).catch((thrown: unknown) => {
        const { message } = toRunletError(thrown)
        onDiagnostic({ level: 'error', code: 'cancel_failed', message, run_id: run.id, cause: thrown })
      })
    }
    return openStream(context, run, {
      spelling: {
        format: checkedFraming(format, framing),
        framing,
        ...(compact === undefined ? {} : { compact }),
        ...(timestamps === undefined ? {} : { timestamps }),
        ...(ids === undefined ? {} : { ids }),
        ...(retryMs === undefined ? {} : { retryMs: within('retryMs', retryMs, 0, 3_600_000) }),
      },
      after: place ?? (typeof how.after === 'string' ? parseCursor(how.after) : how.after),
      snapshot: (how.snapshot ?? false) && !place && how.after === undefined,
      overflow,
      headers: { ...(question ? cors(how.origins).headers(question) : {}), 'X-Run-Id': run.id, ...how.headers },
      ...(how.cancelOnDisconnect === true && !run.replayed ? { onDisconnect: cancel } : {}),
    })
  }

  async function respond(framing: Framing, run: Run, how: SseOptions = {}): Promise<Response> {
    const signal = how.request && asked(how.request).signal
    return streamResponse(context, await open(framing, run, how), signal)
  }

  async function send(framing: Framing, run: Run, response: ServerResponse, how: SseOptions = {}): Promise<void> {
    writeStream(context, await open(framing, run, how), response)
  }

  return {
    sse: (run, how) => respond('sse', run, how),
    ndjson: (run, how) => respond('ndjson', run, how),
    sendSse: (run, response, how) => send('sse', run, response, how),
    sendNdjson: (run, response, how) => send('ndjson', run, response, how),
    get readers() {
      return readers.size
    },
    get pendingBytes() {
      return readers.pendingBytes
    },
    get overflows() {
      const { overflowed, lagged } = readers.counts
      return { slowConsumer: overflowed, lagging: lagged }
    },
    async close() {
      void readers.close()
      await readers.gone(closeMs)
      readers.cut()
    },
  }
}

/** A run as server-sent events, with a registry of its own. */
export function sse(run: Run, options: SseOptions & StreamsOptions = {}): Promise<Response> {
  return createStreams(options).sse(run, options)
}

/** A run as one JSON object a line, with a registry of its own. */
export function ndjson(run: Run, options: NdjsonOptions & StreamsOptions = {}): Promise<Response> {
  return createStreams(options).ndjson(run, options)
}

/** As `Streams.sendSse`, with a registry of its own. */
export function sendSse(run: Run, response: ServerResponse, options: SseOptions & StreamsOptions = {}): Promise<void> {
  return createStreams(options).sendSse(run, response, options)
}

/** As `Streams.sendNdjson`, with a registry of its own. */
export function sendNdjson(
  run: Run,
  response: ServerResponse,
  options: NdjsonOptions & StreamsOptions = {},
): Promise<void> {
  return createStreams(options).sendNdjson(run, response, options)
}

function limitsOf(options: StreamsOptions) {
  const { heartbeatMs, stallMs, maxPendingBytes, lagEvents } = { ...defaultHttpLimits, ...withoutGaps(options) }
  return {
    heartbeatMs: within('heartbeatMs', heartbeatMs, 10, 3_600_000),
    stallMs: within('stallMs', stallMs, 10, 3_600_000),
    maxPendingBytes: within('maxPendingBytes', maxPendingBytes, 1_024, 16 * 1024 * 1024),
    lagEvents: within('lagEvents', lagEvents, 1, 1_000_000),
  }
}

/** What is given as undefined is not given. */
function withoutGaps<T extends object>(options: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>
  }
}
