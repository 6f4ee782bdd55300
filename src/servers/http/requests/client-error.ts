import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { RunletError } from '../../../core/error.ts'
import { problem } from './problem.ts'

/**
 * Answers what is no HTTP, or comes too slowly, with a problem. A request that takes its time while its answer streams
 * is neither: Node's limit on the time of a body (`bodyMs`) is for requests that nothing has answered yet, and the
 * stream has limits of its own.
 */
export function answerClientErrors(server: Server): void {
  const answers = new WeakMap<Duplex, ServerResponse>()
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    answers.set(request.socket, response)
  })
  server.on('clientError', (thrown: NodeJS.ErrnoException, socket) => {
    const answer = answers.get(socket)
    const answering = answer !== undefined && answer.headersSent && !answer.writableFinished
    if (answering && thrown.code === 'ERR_HTTP_REQUEST_TIMEOUT') return
    // Into the middle of an answer nothing can be said.
    if (answering || thrown.code === 'ECONNRESET' || !socket.writable) return void socket.destroy(thrown)
    const { status, reason, message } = refusals[thrown.code ?? ''] ?? notHttp
    const error = new RunletError('invalid_request', { status, reason, message, cause: thrown })
    socket.end(rawResponse(error), () => socket.destroy())
  })
}

interface Refusal {
  readonly status: number
  readonly reason: string
  readonly message: string
}

const refusals: Readonly<Record<string, Refusal>> = {
  ERR_HTTP_REQUEST_TIMEOUT: { status: 408, reason: 'request_timeout', message: 'the request did not come to its end' },
  HPE_HEADER_OVERFLOW: { status: 431, reason: 'headers_too_large', message: 'the headers are longer than 16 KiB' },
  HPE_CHUNK_EXTENSIONS_OVERFLOW: {
    status: 413,
    reason: 'chunk_extensions',
    message: 'the chunk extensions are too long',
  },
}

const notHttp: Refusal = { status: 400, reason: 'bad_request', message: 'the request is not valid HTTP/1.1' }

function rawResponse(error: RunletError): string {
  const { status, headers, body } = problem(error)
  const title = (JSON.parse(body) as { title: string }).title
  const lines = Object.entries({ ...headers, 'Content-Length': String(Buffer.byteLength(body)), Connection: 'close' })
  return `HTTP/1.1 ${status} ${title}\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n${body}`
}
