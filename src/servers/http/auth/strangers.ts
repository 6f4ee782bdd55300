import type { Server } from 'node:http'
import type { Socket } from 'node:net'

/**
 * Connections on which nothing was shown yet that opens anything. They are bounded: of too many, those that have been
 * quiet longest are cut. So whoever opens thousands and says nothing closes the door to nobody else.
 */
export class Strangers {
  readonly #max: number
  /** Each with the turn in which it was last heard of; the one that has been quiet longest first. */
  readonly #sockets = new Map<Socket, number>()
  /** Counts turns of the event loop, as long as there are too many. */
  #turn = 0
  #looking = false

  constructor(max: number) {
    this.#max = max
  }

  get size(): number {
    return this.#sockets.size
  }

  /** Looks after the connections of a server. */
  watch(server: Server): void {
    const sockets = this.#sockets
    // One for all: with thousands of connections, a closure for each would be memory that strangers decide on.
    function forget(this: Socket): void {
      sockets.delete(this)
    }
    server.on('connection', (socket: Socket) => {
      socket.once('close', forget)
      sockets.set(socket, this.#turn)
      if (sockets.size > this.#max) this.#lookSoon()
    })
    server.on('request', ({ socket }: { readonly socket: Socket }) => {
      if (sockets.delete(socket)) sockets.set(socket, this.#turn)
    })
  }

  /** Whoever sits there has shown something that holds. */
  know(socket: Socket | undefined): void {
    if (socket) this.#sockets.delete(socket)
  }

  #lookSoon(): void {
    if (this.#looking) return
    this.#looking = true
    setImmediate(() => {
      this.#looking = false
      this.#turn++
      this.#cutQuietest()
      if (this.#sockets.size > this.#max) this.#lookSoon()
    })
  }

  /**
   * Thousands are accepted in one turn, before any of them is read. Only in the next one is what they sent heard: until
   * then it cannot be told who is quiet.
   */
  #cutQuietest(): void {
    for (const [socket, turn] of this.#sockets) {
      if (this.#sockets.size <= this.#max || this.#turn - turn < 2) return
      this.#sockets.delete(socket)
      socket.destroy()
    }
  }
}
