import type { IncomingMessage } from 'node:http'
import type { Clock } from '../../../core/clock.ts'
import type { Cursor } from '../../../core/cursor.ts'
import { RunletError } from '../../../core/error.ts'
import type { Format } from '../../../core/format.ts'
import type { Diagnostic } from '../../../engine/runtime.ts'
import type { OverflowPolicy } from '../streams/overflow.ts'

/** What holds for all streams of a registry. */
export interface StreamsOptions {
  /** Longest silence on a stream before a sign of life. Milliseconds, 10 to 3,600,000. Default 15,000. */
  readonly heartbeatMs?: number
  /** A reader that takes no byte for this long is closed. Milliseconds, 10 to 3,600,000. Default 30,000. */
  readonly stallMs?: number
  /** Handed to one connection and not yet taken; then its reader waits. Bytes, 1 KiB to 16 MiB. Default 64 KiB. */
  readonly maxPendingBytes?: number
  /** A reader that comes back from being more events behind than this is told so. 1 to 1,000,000. Default 1,000. */
  readonly lagEvents?: number
  /** How long `close` waits for readers to take their last bytes. Milliseconds, 0 to 600,000. Default 1,000. */
  readonly closeMs?: number
  /** Default: the machine's. */
  readonly clock?: Clock
  /** Told of slow readers and of what failed. Default: of a handler, warnings of the process; else nothing. */
  readonly onDiagnostic?: (diagnostic: Diagnostic) => void
}

/** What a stream may be besides its run. */
export interface NdjsonOptions {
  /**
   * The request that is answered. It says where to read on (`Last-Event-ID`, else `?after=`), where the page that asks
   * comes from, and, if it is a `Request`, when it was given up. Default: none of these is looked at.
   */
  readonly request?: Request | IncomingMessage
  /** Where to begin, unless the request says it: `epoch-seq`. Default: at the start. */
  readonly after?: Cursor | string
  /** Begin with the folded state of the run instead, unless a place is given. Default false. */
  readonly snapshot?: boolean
  /** Default `gai`. It has to come in the framing that is asked for. */
  readonly format?: Format
  /** Say once what holds for all events. Default: true for SSE, false for NDJSON. */
  readonly compact?: boolean
  /** Give each record its time, `ts`. Default true. */
  readonly timestamps?: boolean
  /** What becomes of a reader that takes less than the run says. Default `catch-up`. */
  readonly overflow?: OverflowPolicy
  /** End the run when this connection ends before it, unless the run was only found again by its key. Default false. */
  readonly cancelOnDisconnect?: boolean
  /** Web pages of other origins that may read, exactly as browsers send them; needs `request`. At most 1,000. Default none. */
  readonly origins?: readonly string[]
  /** Response headers besides those that every stream has. */
  readonly headers?: Readonly<Record<string, string>>
}

export interface SseOptions extends NdjsonOptions {
  /** Give events their cursor as `id`, with which an `EventSource` comes back. Default true. */
  readonly ids?: boolean
  /** How long an `EventSource` waits before it comes back. Milliseconds, 0 to 3,600,000. Default: the format's, 2,000. */
  readonly retryMs?: number
}

/** The number itself if it is a whole one within bounds. Throws `invalid_request` with reason `bad_option`. */
export function within(name: string, value: number, least: number, most: number): number {
  if (Number.isSafeInteger(value) && value >= least && value <= most) return value
  throw new RunletError('invalid_request', {
    reason: 'bad_option',
    message: `${name} is ${value}; give a whole number from ${least} to ${most}`,
  })
}
