import { type Socket, connect } from 'node:net'
import { once } from 'node:events'

/** What came over one connection, seen below HTTP's own libraries. */
export interface RawAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  /** The body without chunk framing. */
  readonly body: Buffer
  /** The body as it was framed: one element per HTTP chunk. */
  readonly chunks: readonly Buffer[]
  /** True if HTTP says that the body is whole. */
  readonly whole: boolean
  /** How the server let go: `open` if it did not. */
  readonly closed: 'fin' | 'rst' | 'open'
}

export interface RawRequest {
  readonly method?: string
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: unknown
}

/** A connection that collects what comes. */
export interface RawConnection {
  readonly socket: Socket
  /** Resolves once `when` holds for what came so far, or the connection is closed. */
  until(when: (answer: RawAnswer) => boolean): Promise<RawAnswer>
}

export function send(port: number, { method = 'POST', path, headers = {}, body }: RawRequest): RawConnection {
  const socket = connect(port, '127.0.0.1')
  const text = body === undefined ? '' : typeof body === 'string' ? body : JSON.stringify(body)
  const lines = Object.entries({ host: 'sim', 'content-length': Buffer.byteLength(text), ...headers })
  socket.write(`${method} ${path} HTTP/1.1\r\n${lines.map((pair) => `${pair.join(': ')}\r\n`).join('')}\r\n${text}`)

  let bytes = Buffer.alloc(0)
  let closed: RawAnswer['closed'] = 'open'
  let wake = () => {}
  socket.on('data', (chunk: Buffer) => {
    bytes = Buffer.concat([bytes, chunk])
    wake()
  })
  socket.on('end', () => {
    closed = 'fin'
    wake()
  })
  socket.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'ECONNRESET') closed = 'rst'
    wake()
  })
  return {
    socket,
    async until(when) {
      for (;;) {
        const answer = parse(bytes, closed)
        if (when(answer) || closed !== 'open') return answer
        await new Promise<void>((resolve) => (wake = resolve))
      }
    },
  }
}

/** Sends a request and reads until the body is whole or the server closes. */
export async function ask(port: number, request: RawRequest): Promise<RawAnswer> {
  const connection = send(port, request)
  const answer = await connection.until(({ whole }) => whole)
  if (!connection.socket.destroyed) {
    connection.socket.destroy()
    await once(connection.socket, 'close')
  }
  return answer
}

function parse(bytes: Buffer, closed: RawAnswer['closed']): RawAnswer {
  const split = bytes.indexOf('\r\n\r\n')
  if (split < 0) return { status: 0, headers: {}, body: Buffer.alloc(0), chunks: [], whole: false, closed }
  const [first = '', ...lines] = bytes.toString('latin1', 0, split).split('\r\n')
  const headers = Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]),
  )
  const rest = bytes.subarray(split + 4)
  const length = headers['content-length']
  const { chunks, whole } =
    length === undefined ? dechunk(rest) : { chunks: [rest], whole: rest.length === Number(length) }
  return { status: Number(first.split(' ')[1]), headers, body: Buffer.concat(chunks), chunks, whole, closed }
}

function dechunk(bytes: Buffer): { chunks: Buffer[]; whole: boolean } {
  const chunks: Buffer[] = []
  for (let at = 0; ;) {
    const line = bytes.indexOf('\r\n', at)
    if (line < 0) return { chunks, whole: false }
    const size = Number.parseInt(bytes.toString('latin1', at, line), 16)
    if (size === 0) return { chunks, whole: bytes.length >= line + 4 }
    const chunk = bytes.subarray(line + 2, line + 2 + size)
    if (chunk.length > 0) chunks.push(chunk)
    if (chunk.length < size) return { chunks, whole: false }
    at = line + 2 + size + 2
  }
}
