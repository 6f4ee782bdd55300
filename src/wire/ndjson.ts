import { RunletError } from '../core/error.ts'
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

/**
 * One JSON object per line; blank lines are passed over, a last line without LF counts. Throws `invalid_request`:
 * `bad_line` names the line, counted from 1; `truncated_line` is a last line that was cut; `line_too_long`.
 */
export function ndjsonDecoder(options: LineOptions = {}): Decoder<JsonRecord> {
  const splitter = lineDecoder(options)
  let number = 0

  function parse(found: readonly string[], out: JsonRecord[]): void {
    for (const line of found) {
      number++
      let record: unknown
      try {
        record = JSON.parse(line)
      } catch (error) {
        if (line.trim() === '') continue
        throw badLine(line, number, { cause: error, cut: splitter.cut })
      }
      if (!isRecord(record))
        throw badLine(line, number, { cause: new TypeError('it is JSON, but no object'), cut: false })
      out.push(record)
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

function badLine(line: string, number: number, fault: { readonly cause: unknown; readonly cut: boolean }): RunletError {
  return new RunletError('invalid_request', {
    reason: fault.cut ? 'truncated_line' : 'bad_line',
    message: fault.cut ? `the stream ends inside line ${number}` : `line ${number} is not a JSON object`,
    cause: badJson(line, fault.cause).cause,
  })
}
