import { connect, type Socket } from 'node:net'

/** One request on a socket of its own, so that a test decides when bytes are taken, and sees all that come. */
export interface RawReader {
  readonly socket: Socket
  /** Status line and headers. Rejects when the connection ends before. */
  readonly head: Promise<string>
  /** The body so far, without its chunk framing. */
  body(): Buffer
  /** Whether the body came to the end that its framing tells. */
  whole(): boolean
  /** Takes at least so many more bytes off a paused socket, and pauses it again. */
  take(count: number): Promise<void>
  /** Resolves when the body holds `text`; rejects when the connection ends before. */
  until(text: string): Promise<void>
  /** Resolves when the body is whole, or the connection is gone. */
  readonly ended: Promise<void>
}

export interface RawRequest {
  readonly port: number
  /** Default `GET`. */
  readonly method?: string
  readonly path: string
  /** Besides `Host`, unless they name one. */
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

export function rawRequest({ port, method = 'GET', path, headers = {}, body = '' }: RawRequest): RawReader {
  const socket = connect(port, '127.0.0.1')
  const lines = Object.entries({ Host: `127.0.0.1:${port}`, ...headers }).map(([name, value]) => `${name}: ${value}`)
  socket.write(`${method} ${path} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n${body}`)
  const response = new ResponseParser()
  const checks = new Set<() => void>()
  let gone = false
  let received = 0
  let pauseAt = Infinity
  const check = () => {
    for (const one of checks) one()
  }
  socket.on('data', (bytes) => {
    response.push(bytes)
    received += bytes.length
    if (received >= pauseAt) socket.pause()
    check()
  })
  socket.on('error', () => {})
  socket.on('close', () => {
    gone = true
    check()
  })
  const when = (ready: () => boolean, orGone = false) =>
    new Promise<void>((resolve, reject) => {
      const one = () => {
        if (ready() || (gone && orGone)) resolve()
        else if (gone) reject(new Error('the connection ended before that'))
        else return
        checks.delete(one)
      }
      checks.add(one)
      one()
    })
  const head = when(() => response.head !== undefined).then(() => response.head!)
  head.catch(() => {})
  return {
    socket,
    head,
    body: () => Buffer.concat(response.body),
    whole: () => response.whole,
    async take(count) {
      const enough = received + count
      pauseAt = enough
      socket.resume()
      await when(() => received >= enough)
      pauseAt = Infinity
    },
    until: (text) => when(finder(response.body, Buffer.from(text))),
    ended: when(() => response.whole, true),
  }
}

/** Looks at each piece once, and where it joins the one before. */
function finder(pieces: readonly Buffer[], wanted: Buffer): () => boolean {
  let next = 0
  let end = Buffer.alloc(0)
  let found = false
  return () => {
    for (; next < pieces.length && !found; next++) {
      const joined = Buffer.concat([end, pieces[next]!])
      found = joined.includes(wanted)
      end = joined.subarray(Math.max(0, joined.length - wanted.length + 1))
    }
    return found
  }
}

/** Reads one response as it comes, and throws on chunk framing that is wrong anywhere. */
class ResponseParser {
  head: string | undefined
  readonly body: Buffer[] = []
  whole = false
  #rest = Buffer.alloc(0)
  /** Bytes of the body or of the chunk that are still to come; undefined where a chunk size is due. */
  #due: number | undefined
  #chunked = false

  push(bytes: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, bytes])
    while (this.#step());
  }

  #step(): boolean {
    if (this.whole) return false
    if (this.head === undefined) return this.#readHead()
    if (this.#due === undefined) return this.#readSize()
    if (this.#due > 0) return this.#readData()
    if (!this.#chunked) {
      this.whole = true
      return false
    }
    if (this.#rest.length < 2) return false
    if (this.#rest.toString('latin1', 0, 2) !== '\r\n') throw new Error('a chunk does not end where it said')
    this.#take(2)
    this.#due = undefined
    return true
  }

  #readHead(): boolean {
    const end = this.#rest.indexOf('\r\n\r\n')
    if (end < 0) return false
    this.head = this.#take(end + 4).toString()
    this.#chunked = /\r\ntransfer-encoding: chunked/i.test(this.head)
    if (!this.#chunked) this.#due = Number(/\r\ncontent-length: (\d+)/i.exec(this.head)?.[1] ?? 0)
    return true
  }

  #readSize(): boolean {
    const end = this.#rest.indexOf('\r\n')
    if (end < 0) return false
    const size = this.#take(end + 2).toString('latin1', 0, end)
    if (!/^[0-9a-f]+$/.test(size)) throw new Error(`"${size}" is no chunk size`)
    this.#due = Number.parseInt(size, 16)
    if (this.#due === 0) this.whole = true
    return true
  }

  #readData(): boolean {
    if (this.#rest.length === 0) return false
    const data = this.#take(Math.min(this.#due!, this.#rest.length))
    this.#due! -= data.length
    this.body.push(data)
    return true
  }

  #take(count: number): Buffer {
    const taken = this.#rest.subarray(0, count)
    this.#rest = this.#rest.subarray(count)
    return taken
  }
}
