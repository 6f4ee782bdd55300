import type { IncomingMessage, ServerResponse } from 'node:http'
import { getRequestListener } from '@hono/node-server'
import { RunletError, toRunletError } from '../../../core/error.ts'
import { problem } from '../requests/problem.ts'

/**
 * For `node:http`, Express, Connect and Fastify's raw pair. A body that a parser of the framework has read already is
 * taken from `request.body`, or from `body`, if it was JSON, text or bytes.
 */
export type NodeHandler = (request: IncomingMessage, response: ServerResponse, body?: unknown) => void

/**
 * Any handler of `Request` and `Response` for Node's own pair, with back-pressure: a stream is read no faster than its
 * client takes it, and let go of when that is gone. Handlers of this package write to the response themselves, the
 * fast way.
 */
export function nodeHandler(handler: (request: Request, env?: object) => Response | Promise<Response>): NodeHandler {
  const listener = getRequestListener(async (request, env) => handler(request, env), {
    // The globals of the program that uses us are its own.
    overrideGlobalObjects: false,
    errorHandler: (thrown) => {
      const unreadable = thrown instanceof Error && thrown.name === 'RequestError'
      const { status, headers, body } = problem(unreadable ? badRequest(thrown) : toRunletError(thrown))
      return new Response(body, { status, headers })
    },
  })
  return (request, response, body) => {
    giveBackBody(request, body)
    void listener(request, response)
  }
}

/** Where the bytes were read by somebody else, what he made of them stands in for them. */
function giveBackBody(request: IncomingMessage & { body?: unknown; rawBody?: unknown }, given: unknown): void {
  if (!request.readableDidRead || request.rawBody instanceof Buffer) return
  // Express hands on its `next` as the third argument.
  const body = given === undefined || typeof given === 'function' ? request.body : given
  if (body === undefined) return
  if (body instanceof Uint8Array || typeof body === 'string') request.rawBody = Buffer.from(body)
  else if (/^application\/(?:[\w.+-]+\+)?json\b/i.test(request.headers['content-type'] ?? '')) {
    request.rawBody = Buffer.from(JSON.stringify(body))
  }
}

function badRequest(cause: Error): RunletError {
  return new RunletError('invalid_request', {
    reason: 'bad_request',
    message: 'the request line or the Host header is not valid HTTP',
    cause,
  })
}
