/**
 * Text to a terminal, a pipe or a file, in few writes: the first piece at once, then what came within 16 ms together.
 * Whoever writes waits while the reader does not read.
 */
import type { Writable } from 'node:stream'
import type { CancelTimer, Clock } from '../core/clock.ts'
import { systemClock } from '../core/clock.ts'
import { RunletError } from '../core/error.ts'

export interface Printer {
  /** Adds text. What it returns is to be awaited: it resolves at once, unless the reader is behind. */
  write(text: string): Promise<void>
  /** Resolves once the system has taken everything, or will never take it. */
  flush(): Promise<void>
  /** Aborts when nothing can be written any more. Its reason is a `RunletError`: `output_closed` or `output_failed`. */
  readonly gone: AbortSignal
  /** True if the last character was no line feed. */
  readonly midLine: boolean
}

export interface PrinterOptions {
  readonly clock?: Clock
  /** Longest time that text waits for more. Milliseconds. Default 16, one frame of a screen. */
  readonly delayMs?: number
  /** Text that waits is written when it is this long. UTF-16 units. Default 65,536. */
  readonly maxLength?: number
}

export function printer(stream: Writable, options: PrinterOptions = {}): Printer {
  const { clock = systemClock, delayMs = 16, maxLength = 65_536 } = options
  const gone = new AbortController()
  let pending = ''
  let midLine = false
  /** Runs from each write; while it runs, text waits. */
  let timer: CancelTimer | undefined
  /** Settles, never rejects, when the system has taken the last write, or will not. */
  let lastWrite: Promise<void> = Promise.resolve()
  /** `lastWrite`, while the reader is behind. */
  let drained: Promise<void> | undefined

  /** Settles `lastWrite`. */
  let settle: (() => void) | undefined

  function giveUp(reason: RunletError): void {
    gone.abort(reason)
    settle?.()
  }
  stream.on('error', (cause) => giveUp(failureOf(cause)))
  stream.on('close', () => giveUp(failureOf(undefined)))

  function put(): void {
    if (pending === '' || gone.signal.aborted) return
    const text = pending
    pending = ''
    let taken = false
    let resolve: (() => void) | undefined
    const write = new Promise<void>((done) => (resolve = done))
    settle = () => {
      taken = true
      if (drained === write) drained = undefined
      resolve?.()
    }
    const room = stream.write(text, settle)
    lastWrite = write
    if (!room && !taken) drained = write
    timer = clock.after(delayMs, () => {
      timer = undefined
      if (!drained) put()
    })
  }

  return {
    async write(text) {
      if (text === '' || gone.signal.aborted) return
      pending += text
      midLine = !text.endsWith('\n')
      if (pending.length >= maxLength || (!timer && !drained)) put()
      // When one write has been taken, another writer may have followed it with the next.
      for (let wait = drained; wait; wait = drained) await wait
      if (!timer) put()
    },
    async flush() {
      put()
      timer?.()
      timer = undefined
      await lastWrite
    },
    gone: gone.signal,
    get midLine() {
      return midLine
    },
  }
}

function failureOf(cause: Error | undefined): RunletError {
  const code = cause && 'code' in cause ? String(cause.code) : 'EPIPE'
  if (code === 'EPIPE' || code === 'ECONNRESET' || code === 'ERR_STREAM_DESTROYED') {
    return new RunletError('network', { reason: 'output_closed', message: 'whoever read the output has gone', cause })
  }
  return new RunletError('internal', {
    reason: 'output_failed',
    message: `the output cannot be written (${code}); make room, or send it somewhere else`,
    cause,
  })
}
