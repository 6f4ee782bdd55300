import type { ServerResponse } from 'node:http'
import type { Sink } from './sink.ts'

/**
 * Sinks that write to Node's own response. What one reader can have within a turn of the loop leaves in one system
 * call: `http` corks the socket until the next tick.
 *
 * Bytes that many readers share are framed as an HTTP chunk once for all of them. Node would frame them anew for each
 * response, as four pieces of one write; with a thousand readers of single events that is a quarter of all CPU.
 */
export function nodeSinks(maxPendingBytes: number): (response: ServerResponse) => Sink {
  const frame = chunkFraming()
  return (response) => new NodeSink(response, frame, maxPendingBytes)
}

/** A class, since with a thousand idle readers its closures were a kilobyte each. */
class NodeSink implements Sink {
  readonly #response: ServerResponse
  readonly #frame: (bytes: Uint8Array) => Uint8Array
  readonly #maxPendingBytes: number
  /** False for HTTP/1.0, where the end of the connection ends the body. */
  readonly #chunked: boolean
  #wake: (() => void) | undefined
  #onClose: (() => void) | undefined
  #closed = false

  /** `response` has its head set by `writeHead`. */
  constructor(response: ServerResponse, frame: (bytes: Uint8Array) => Uint8Array, maxPendingBytes: number) {
    this.#response = response
    this.#frame = frame
    this.#maxPendingBytes = maxPendingBytes
    this.#chunked = response.chunkedEncoding
    response.chunkedEncoding = false
    response.on('drain', () => this.#drain())
    response.on('close', () => this.#close())
    // A write that meets a connection cut in the same turn; `close` follows.
    response.on('error', ignore)
  }

  get pending(): number {
    return this.#closed ? 0 : this.#response.writableLength
  }

  get full(): boolean {
    // Without need of a drain there is next to nothing pending, and `drain` would never come.
    return this.#response.writableNeedDrain && this.#response.writableLength >= this.#maxPendingBytes
  }

  write(bytes: Uint8Array): void {
    if (this.#closed || this.#response.destroyed) return
    this.#response.write(this.#chunked ? this.#frame(bytes) : bytes)
  }

  drained(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#closed || !this.#response.writableNeedDrain) resolve()
      else this.#wake = resolve
    })
  }

  end(): void {
    if (this.#closed) return
    // The last chunk, the empty one, is Node's.
    this.#response.chunkedEncoding = this.#chunked
    this.#response.end()
  }

  destroy(): void {
    this.#response.destroy()
  }

  onClose(callback: () => void): void {
    this.#onClose = callback
    if (this.#response.destroyed) queueMicrotask(() => this.#close())
  }

  #drain(): void {
    this.#wake?.()
    this.#wake = undefined
  }

  #close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#drain()
    this.#onClose?.()
  }
}

const ignore = () => {}

/** Frames bytes as one chunk (RFC 9112, 7.1). All readers of a batch come one after the other: one slot remembers. */
function chunkFraming(): (bytes: Uint8Array) => Uint8Array {
  let last: Uint8Array | undefined
  let framed: Uint8Array
  return (bytes) => {
    if (bytes === last) return framed
    const head = `${bytes.length.toString(16)}\r\n`
    const buffer = Buffer.allocUnsafe(head.length + bytes.length + 2)
    buffer.write(head, 'latin1')
    buffer.set(bytes, head.length)
    buffer.write('\r\n', head.length + bytes.length, 'latin1')
    framed = buffer
    last = bytes
    return framed
  }
}
