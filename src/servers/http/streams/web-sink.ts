import { RunletError } from '../../../core/error.ts'
import type { Sink } from './sink.ts'

/** A body for `new Response(body)`, filled through the sink. Works wherever there are web streams. */
export function webSink(maxPendingBytes: number): { readonly sink: Sink; readonly body: ReadableStream<Uint8Array> } {
  let wake: (() => void) | undefined
  let onClose: (() => void) | undefined
  let closed = false
  let controller!: ReadableStreamDefaultController<Uint8Array>
  const close = () => {
    if (closed) return
    closed = true
    wake?.()
    onClose?.()
  }
  const pending = () => (closed ? 0 : maxPendingBytes - (controller.desiredSize ?? maxPendingBytes))

  const body = new ReadableStream<Uint8Array>(
    {
      start(made) {
        controller = made
      },
      pull() {
        wake?.()
        wake = undefined
      },
      cancel: close,
    },
    new ByteLengthQueuingStrategy({ highWaterMark: maxPendingBytes }),
  )

  const sink: Sink = {
    get pending() {
      return pending()
    },
    get full() {
      return pending() >= maxPendingBytes
    },
    write(bytes) {
      if (!closed) controller.enqueue(bytes)
    },
    drained: () =>
      new Promise((resolve) => {
        if (closed || pending() < maxPendingBytes) resolve()
        else wake = resolve
      }),
    end() {
      if (!closed) controller.close()
      close()
    },
    destroy(reason) {
      if (closed) return
      controller.error(
        new RunletError(reason === 'slow_consumer' ? 'timeout' : 'network', {
          reason,
          message: 'this stream was cut before its end, and the run may go on; read on from the last cursor',
        }),
      )
      close()
    },
    onClose(callback) {
      onClose = callback
    },
  }
  return { sink, body }
}
