/**
 * Runlet over HTTP, in two ways: as a server of its own (`createHttpServer`), and in pieces for any web framework.
 *
 * ```ts
 * const handler = sseHandler(openaiChat({ apiKey }), async (request) => ({ model: 'gpt-5-mini', ...(await request.json()) }))
 * app.all('/chat', (c) => handler(c.req.raw))          // Hono; as GET and POST of a route file in Next
 * app.all('/chat', nodeHandler(handler))               // Express; also createServer(nodeHandler(handler))
 * ```
 */
import { systemClock } from './core/clock.ts'
import type { Framing } from './core/format.ts'
import type { Provider } from './core/provider.ts'
import { createRuntime, type Runtime } from './engine/runtime.ts'
import { memoryLog, sharedMemory, type Memory } from './logs/memory.ts'
import { checkOptions } from './servers/http/handlers/checked-options.ts'
import { negotiated } from './servers/http/handlers/negotiated.ts'
import { within } from './servers/http/handlers/options.ts'
import {
  runHandler,
  type HandlerOptions,
  type HandlerSource,
  type PrepareRequest,
  type RunHandler,
} from './servers/http/handlers/run-handler.ts'

export { createHttpServer } from './servers/http/server.ts'
export type { HttpServer, HttpServerOptions, Listening } from './servers/http/server.ts'
export { createStreams, ndjson, sendNdjson, sendSse, sse } from './servers/http/handlers/streams.ts'
export type { Streams } from './servers/http/handlers/streams.ts'
export type { NdjsonOptions, SseOptions, StreamsOptions } from './servers/http/handlers/options.ts'
export type { OverflowPolicy } from './servers/http/streams/overflow.ts'
export type { HandlerOptions, PrepareRequest, RunHandler } from './servers/http/handlers/run-handler.ts'
export { readStartRequest } from './servers/http/handlers/run-handler.ts'
export { nodeHandler } from './servers/http/handlers/node.ts'
export type { NodeHandler } from './servers/http/handlers/node.ts'
export { preflight } from './servers/http/handlers/cors.ts'
export { readNdjson, readSse } from './servers/http/handlers/read.ts'
export type { EventReader, ReadStreamOptions } from './servers/http/handlers/read.ts'

/** What may be said besides where the source is a provider. */
export interface ProviderHandlerOptions extends HandlerOptions {
  /** The provider's model where a request names none. Default: a request has to name one. */
  readonly model?: string
  /** How long a run can be read again after its end. Milliseconds, 1,000 to 24 hours. Default 10 minutes. */
  readonly keepMs?: number
}

/**
 * Answers with server-sent events. The source is a runtime, or a provider: then runs live in the memory of this
 * process, and a request's `model` is the provider's own name of it. Throws as `createStreams`.
 */
export function sseHandler(
  source: Provider | Runtime,
  prepareRequest: PrepareRequest,
  options: ProviderHandlerOptions = {},
): RunHandler {
  return handlerOf(source, prepareRequest, () => 'sse', options)
}

/** As `sseHandler`, with one JSON object a line. */
export function ndjsonHandler(
  source: Provider | Runtime,
  prepareRequest: PrepareRequest,
  options: ProviderHandlerOptions = {},
): RunHandler {
  return handlerOf(source, prepareRequest, () => 'ndjson', options)
}

/**
 * As `sseHandler`, with what the request accepts: `text/event-stream`, or `application/x-ndjson` and
 * `application/json`; server-sent events where it says nothing.
 */
export function universalHandler(
  source: Provider | Runtime,
  prepareRequest: PrepareRequest,
  options: ProviderHandlerOptions = {},
): RunHandler {
  return handlerOf(source, prepareRequest, negotiated, options)
}

function handlerOf(
  source: Provider | Runtime,
  prepare: PrepareRequest,
  framingOf: (request: Request) => Framing,
  options: ProviderHandlerOptions,
): RunHandler {
  checkOptions(options, ['model', 'keepMs'])
  if ('start' in source) return runHandler({ runtime: source }, prepare, framingOf, options)
  const { api } = source
  // A provider's own names may hold slashes; the one before the first is the engine's.
  const named: PrepareRequest = async (request) => {
    const given = await prepare(request)
    // What is none is told of by the handler.
    if (typeof (given as unknown) !== 'object') return given
    const { model, ...prepared } = given
    return typeof model === 'string'
      ? { ...prepared, model: `${api}/${model}` }
      : { ...prepared, ...(model === undefined ? {} : { model }) }
  }
  return runHandler(ownRuntime(source, options), named, framingOf, options)
}

function ownRuntime(provider: Provider, options: ProviderHandlerOptions): HandlerSource {
  const { model, clock = systemClock, onDiagnostic } = options
  const { api } = provider
  const keepMs = within('keepMs', options.keepMs ?? 10 * 60_000, 1_000, 24 * 60 * 60_000)
  const memory = sharedMemory()
  const log = memoryLog({ clock, memory })
  const runtime = createRuntime({
    providers: { [api]: provider },
    log,
    clock,
    ...(model === undefined ? {} : { defaultModel: `${api}/${model}` }),
    ...(onDiagnostic ? { onDiagnostic } : {}),
  })
  let forgotAt = clock.now()
  return {
    runtime,
    // Without a timer: what nobody adds to does not grow.
    async onStart() {
      if (clock.now() - forgotAt < keepMs / 10) return
      forgotAt = clock.now()
      await log.prune({ maxAgeMs: keepMs })
      forget(memory)
    },
    close: () => runtime.close(),
  }
}

/** Takes away what pruning leaves of a run, and the keys that led to it. */
function forget({ runs, claims }: Memory): void {
  for (const [id, run] of runs) if (run.pruned) runs.delete(id)
  for (const [key, claim] of claims) if (!runs.has(claim.run)) claims.delete(key)
}
