import { connect } from 'node:net'

/**
 * A connection that asks and reads answers, one after another. It looks for the end of an answer and for nothing else:
 * an HTTP client would cost as much as the server that is being measured.
 */
export interface Line {
  ask(request: Buffer, reader: AnswerReader): void
  close(): void
}

export interface AnswerReader {
  /** Bytes as they come, HTTP's own among them. */
  onBytes(chunk: Buffer): void
  onEnd(): void
  /** The answer is not 200, or broke off. */
  onFailure(error: Error): void
}

const OK = 'HTTP/1.1 200'
/** How a chunked answer ends, and how no chunk of ours can: a chunk of events begins with no line end. */
const LAST_CHUNK = '0\r\n\r\n'

/** Calls of `ask` may not overlap. */
export function openLine(port: number): Line {
  let reader: AnswerReader | undefined
  /** The first bytes of the answer until they are judged, then undefined. */
  let head: string | undefined
  let tail = ''
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })

  function fail(error: Error): void {
    const failed = reader
    reader = undefined
    socket.destroy()
    failed?.onFailure(error)
  }

  socket.on('error', fail)
  socket.on('close', () => fail(new Error('the connection was closed before the end of the answer')))
  socket.on('data', (chunk) => {
    if (!reader) return
    if (head !== undefined) {
      head += chunk.toString('latin1', 0, OK.length)
      if (!head.startsWith(OK)) return fail(new Error(`the server answered: ${chunk.toString('latin1', 0, 500)}`))
      head = undefined
    }
    reader.onBytes(chunk)
    tail = (tail + chunk.toString('latin1', Math.max(0, chunk.length - LAST_CHUNK.length))).slice(-LAST_CHUNK.length)
    if (tail !== LAST_CHUNK) return
    const ended = reader
    reader = undefined
    ended.onEnd()
  })

  return {
    ask(request, next) {
      reader = next
      head = ''
      tail = ''
      socket.write(request)
    },
    close() {
      reader = undefined
      socket.destroy()
    },
  }
}

export interface Ask {
  readonly method: 'GET' | 'POST'
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

/** A request as bytes. */
export function requestBytes({ method, path, headers = {}, body = '' }: Ask, port: number): Buffer {
  const fields = Object.entries({
    host: `127.0.0.1:${port}`,
    'content-length': String(Buffer.byteLength(body)),
    ...headers,
  })
  return Buffer.from(
    `${method} ${path} HTTP/1.1\r\n${fields.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n${body}`,
  )
}
