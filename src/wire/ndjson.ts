import { RunletError, toRunletError } from '../core/error.ts'
import type { JsonObject } from '../core/json.ts'
import { decode, type Decoder } from './decode.ts'
import { badJson, isRecord, type JsonRecord } from './json.ts'
import { lineDecoder, type LineOptions } from './lines.ts'

/** One JSON object per line, as one line; LF included. `JSON.stringify` leaves no raw line end inside. */
export function ndjsonLine(record: JsonObject): string {
  return `${JSON.stringify(record)}\n`
}

/** The objects of each chunk as one array. */
export function ndjson(chunks: AsyncIterable<Uint8Array>, options: LineOptions = {}): AsyncGenerator<JsonRecord[]> {
  return decode(chunks, ndjsonDecoder(options))
}

/** A line as it was read, counted from 1: the object that it is, or why it is none. */
export type ReadLine =
  | { readonly number: number; readonly record: JsonRecord }
  | { readonly number: number; readonly error: RunletError }

/**
 * As `ndjson`, for those who answer a bad line and read on: errors stand in their line's place. Only a line that is too
 * long ends the reading, for where the next one begins is then not known.
 */
export function ndjsonLines(chunks: AsyncIterable<Uint8Array>, options: LineOptions = {}): AsyncGenerator<ReadLine[]> {
  const splitter = lineDecoder(options)
  let number = 0
  let lost = false

  function read(found: readonly string[], out: ReadLine[]): void {
    for (const line of found) {
      number++
      try {
        const record = parseLine(line, number, splitter.cut)
        if (record) out.push({ number, record })
      } catch (thrown) {
        out.push({ number, error: toRunletError(thrown) })
      }
    }
  }

  return decode(chunks, {
    get ended() {
      return lost
    },
    push(chunk, out) {
      const found: string[] = []
      try {
        splitter.push(chunk, found)
        read(found, out)
      } catch (thrown) {
        read(found, out)
        out.push({ number: number + 1, error: toRunletError(thrown) })
        lost = true
      }
    },
    end(out) {
      const found: string[] = []
      splitter.end(found)
      read(found, out)
    },
  })
}

/**
 * One JSON object per line; blank lines are passed over, a last line without LF counts. Throws `invalid_request`:
 * `bad_line` names the line, counted from 1; `truncated_line` is a last line that was cut; `line_too_long`.
 */
export function ndjsonDecoder(options: LineOptions = {}): Decoder<JsonRecord> {
  const splitter = lineDecoder(options)
  let number = 0

  function parse(found: readonly string[], out: JsonRecord[]): void {
    for (const line of found) {
      const record = parseLine(line, ++number, splitter.cut)
      if (record) out.push(record)
    }
  }

  return {
    push(chunk, out) {
      const found: string[] = []
      try {
        splitter.push(chunk, found)
      } finally {
        // Lines before one that is too long count; a bad one among them came earlier, and wins.
        parse(found, out)
      }
    },
    end(out) {
      const found: string[] = []
      splitter.end(found)
      parse(found, out)
    },
  }
}

/** The object that a line is; undefined for a blank one. `cut`: the line is the last, and has no LF. */
function parseLine(line: string, number: number, cut: boolean): JsonRecord | undefined {
  let record: unknown
  try {
    record = JSON.parse(line)
  } catch (cause) {
    if (line.trim() === '') return undefined
    throw badLine(line, number, { cause, cut })
  }
  if (isRecord(record)) return record
  throw badLine(line, number, { cause: new TypeError('it is JSON, but no object'), cut: false })
}

function badLine(line: string, number: number, fault: { readonly cause: unknown; readonly cut: boolean }): RunletError {
  return new RunletError('invalid_request', {
    reason: fault.cut ? 'truncated_line' : 'bad_line',
    message: fault.cut ? `the stream ends inside line ${number}` : `line ${number} is not a JSON object`,
    cause: badJson(line, fault.cause).cause,
  })
}
