import { createParser } from 'eventsource-parser'
import { formatCursor, parseCursor, type Cursor } from '../../src/core/cursor.ts'
import type { Entry } from '../../src/core/event.ts'
import { emptyView, fold, type RunView } from '../../src/core/fold.ts'
import type { FormatOptions } from '../../src/core/format.ts'
import { parseLine } from '../../src/core/line.ts'
import type { FormatClient } from '../../src/testing/format-suite.ts'

export interface GaiClient extends FormatClient<RunView> {
  /** The entries it was given, over all its connections. */
  readonly entries: readonly Entry[]
  /** The records that are no entries, as they came. */
  readonly controls: readonly Record<string, unknown>[]
  /** Number of SSE comments. */
  readonly comments: number
}

/** Reads `gai` strictly: every record complete, in order, once, with the id that belongs to it. */
export function gaiClient({ framing }: Pick<FormatOptions, 'framing'>): GaiClient {
  const entries: Entry[] = []
  const controls: Record<string, unknown>[] = []
  let view: RunView = emptyView
  let cursor: Cursor | undefined
  let done = false
  let comments = 0
  const take = (line: string, frame?: { readonly event?: string | undefined; readonly id?: string | undefined }) => {
    if (done) throw new Error(`something follows the end: ${line}`)
    const record: Record<string, unknown> = JSON.parse(line)
    if (frame && frame.event !== record.type) throw new Error(`event ${frame.event} carries ${String(record.type)}`)
    if (record.type === 'done') {
      done = true
    } else if (record.seq === undefined) {
      controls.push(record)
      if (record.type === 'snapshot') {
        cursor = parseCursor(String(record.cursor))
        if (frame && frame.id !== record.cursor) throw new Error('a snapshot is a place to come back to')
        view = record.view as RunView
      } else if (frame?.id !== undefined) throw new Error(`${String(record.type)} is no place to come back to`)
      if (record.type === 'gap') cursor = { epoch: cursor!.epoch, seq: Number(record.to) }
    } else {
      const entry = parseLine(line)
      const expected = (cursor?.seq ?? 0) + 1
      if (entry.seq !== expected) throw new Error(`seq ${entry.seq} where ${expected} was due`)
      cursor = { epoch: entry.epoch ?? cursor!.epoch, seq: entry.seq }
      if (frame && frame.id !== formatCursor(cursor)) throw new Error(`${frame.id} is not ${formatCursor(cursor)}`)
      entries.push(entry)
    }
  }
  const connect =
    framing === 'sse' ? () => sseReader(take, () => comments++) : () => lineReader((line) => line !== '' && take(line))
  let feed = connect()
  return {
    feed: (bytes) => feed(bytes),
    cut() {
      feed = connect()
    },
    get state() {
      return (view = fold(view, entries))
    },
    get done() {
      return done
    },
    get cursor() {
      return cursor
    },
    entries,
    controls,
    get comments() {
      return comments
    },
  }
}

function sseReader(
  onFrame: (data: string, frame: { event?: string | undefined; id?: string | undefined }) => void,
  onComment: () => void,
): (bytes: Uint8Array) => void {
  const decoder = new TextDecoder()
  const parser = createParser({
    onEvent: (frame) => onFrame(frame.data, frame),
    onComment,
    onError: (error) => {
      throw error
    },
  })
  return (bytes) => parser.feed(decoder.decode(bytes, { stream: true }))
}

function lineReader(onLine: (line: string) => void): (bytes: Uint8Array) => void {
  const decoder = new TextDecoder()
  let rest = ''
  return (bytes) => {
    const lines = (rest + decoder.decode(bytes, { stream: true })).split('\n')
    rest = lines.pop()!
    for (const line of lines) onLine(line)
  }
}
