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
  /** Unresolved while the reader is behind. */
  let drained: Promise<void> | undefined
  let lastWrite: Promise<void> = Promise.resolve()

  stream.on('error', (cause) => gone.abort(failureOf(cause)))
  stream.on('close', () => gone.abort(failureOf(undefined)))

  function put(): void {
    if (pending === '' || gone.signal.aborted) return
    const text = pending
    pending = ''
    let room = true
    lastWrite = new Promise((resolve) => {
      room = stream.write(text, () => resolve())
    })
    if (!room) drained ??= firstOf(stream, gone.signal).finally(() => (drained = undefined))
    timer = clock.after(delayMs, () => {
      timer = undefined
      if (!drained) put()
    })
  }

  /** Another writer may have filled the room again. */
  async function allDrained(): Promise<void> {
    for (let wait = drained; wait; wait = drained) await wait
  }

  return {
    async write(text) {
      if (text === '' || gone.signal.aborted) return
      pending += text
      midLine = !text.endsWith('\n')
      if (pending.length >= maxLength || (!timer && !drained)) put()
      await allDrained()
      if (!timer) put()
    },
    async flush() {
      put()
      timer?.()
      timer = undefined
      if (!gone.signal.aborted) await Promise.race([lastWrite, aborted(gone.signal)])
    },
    gone: gone.signal,
    get midLine() {
      return midLine
    },
  }
}

/** Resolves when the stream has room, or never will. */
function firstOf(stream: Writable, gone: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    stream.once('drain', resolve)
    gone.addEventListener('abort', () => resolve(), { once: true })
  })
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
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
