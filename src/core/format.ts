import type { Batch } from './batch.ts'
import type { Cursor } from './cursor.ts'
import type { ErrorBody } from './error.ts'
import type { RunView } from './fold.ts'
import type { RunHeader } from './log.ts'

/** How entries are spelled for a client. Pure: batches in, bytes out. `testing/format-suite.ts` holds them to the log. */
export interface Format {
  /** As clients name it, for example in `?format=`. */
  readonly name: string
  /** Ways to frame it; a client chooses by `Accept`. */
  readonly framings: readonly Framing[]
  /** Needs the folded state at the place where a reading begins. Default false. */
  readonly stateful?: boolean
  /** Has an end that clients wait for: one who comes back to an ended run, with nothing left to read, is given it. Default false. */
  readonly waitsForEnd?: boolean
  /** Starts an encoding of one run for one reader. */
  open(run: RunHeader, options: FormatOptions): Encoder
}

/** How one record is told from the next: as server-sent events, or one JSON object a line. */
export type Framing = 'sse' | 'ndjson'

/** What a reader may choose. */
export interface FormatOptions {
  readonly framing: Framing
  /** Leave out what the first event said. Default: true on SSE, false on NDJSON. */
  readonly compact?: boolean
  /** The state at the place where the reading begins. Given to stateful formats, unless they begin at the start. */
  readonly view?: RunView
  /** The run may void what a step has said (`step.reset`): who cannot take text back holds a step until it ends. Default false. */
  readonly mayReset?: boolean
  /** `openai-chat`: tell the usage at the end, as `stream_options.include_usage` does there. Default false. */
  readonly includeUsage?: boolean
  /** Give server-sent events the cursor as their id, where a reader can come back to it. Default true. */
  readonly ids?: boolean
  /** Give records their time, where the format has a field for it that its clients can do without. Default true. */
  readonly timestamps?: boolean
  /** How long a reader of server-sent events is to wait before it comes back. Milliseconds. Default: the format's own. */
  readonly retryMs?: number
}

/** Spells one run for one reader: `start`, then batches and control records, then `end` after the terminal event. */
export interface Encoder {
  readonly contentType: string
  /** What stands before the first batch of this connection; often nothing. */
  start(): Uint8Array
  /** The bytes of one batch. Shared with other readers where the format allows it: not to be changed. */
  batch(batch: Batch): Uint8Array
  /** A record for this reader only. It has no seq and is not in the log. */
  control(record: ControlRecord): Uint8Array
  /** What stands behind the terminal event. Written only after it. */
  end(): Uint8Array
}

/**
 * What a server tells one reader about its reading, and when, by its own clock (Unix milliseconds). No provider can
 * cause one.
 */
export type ControlRecord = ControlBody & { readonly ts: number }

/** A control record without its time. */
export type ControlBody =
  /** The connection lives, though the run says nothing. */
  | { readonly type: 'heartbeat' }
  /** This reader is behind by this much and is being served from the store. */
  | { readonly type: 'lag'; readonly events: number; readonly cursor: Cursor }
  /** Entries that this reader cannot have. */
  | { readonly type: 'gap'; readonly from: number; readonly to: number; readonly reason: string }
  /** The reader is closed for being too slow; it can come back with the cursor. */
  | { readonly type: 'overflow'; readonly reason: string; readonly cursor: Cursor }
  /** The server ends this connection, not the run; the reader can come back with the cursor. */
  | { readonly type: 'closing'; readonly reason: string; readonly cursor: Cursor }
  /** The folded state at `cursor`, instead of the entries up to it. */
  | { readonly type: 'snapshot'; readonly cursor: Cursor; readonly view: object }
  /** The run has what this connection sent in a line of its request, counted from 1. */
  | {
      readonly type: 'input_accepted'
      readonly line: number
      /** What it was: the line's own `type`. */
      readonly input: string
      /** Members of the line that nobody knows, and that were left out. */
      readonly unknown_members?: readonly string[]
    }
  /** A line that this connection sent could not be taken. The run, the connection and the lines behind it are not touched. */
  | { readonly type: 'input_error'; readonly line: number; readonly error: ErrorBody }
