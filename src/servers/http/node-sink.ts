import type { ServerResponse } from 'node:http'
import type { Sink } from './sink.ts'

/**
 * Writes to Node's own response. Chunks of one loop turn leave in one system call: `http` corks the socket until the
 * next tick, and all batches that a reader can have at once come before it.
 */
export function nodeSink(response: ServerResponse, maxPendingBytes: number): Sink {
  let wake: (() => void) | undefined
  let onClose: (() => void) | undefined
  let closed = false
  const drain = () => {
    wake?.()
    wake = undefined
  }
  response.on('drain', drain)
  response.on('close', () => {
    closed = true
    drain()
    onClose?.()
  })
  // A write that meets a connection cut in the same turn; `close` follows.
  response.on('error', () => {})

  return {
    get pending() {
      return closed ? 0 : response.writableLength
    },
    // Without need of a drain there is next to nothing pending, and `drain` would never come.
    room: (bytes) => !response.writableNeedDrain || response.writableLength + bytes <= maxPendingBytes,
    write(bytes) {
      if (!closed && !response.destroyed) response.write(bytes)
    },
    drained: () =>
      new Promise((resolve) => {
        if (closed || !response.writableNeedDrain) resolve()
        else wake = resolve
      }),
    end() {
      if (!closed) response.end()
    },
    destroy: () => void response.destroy(),
    onClose(callback) {
      onClose = callback
      if (response.destroyed) queueMicrotask(callback)
    },
  }
}
