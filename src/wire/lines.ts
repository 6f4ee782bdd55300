import { RunletError } from '../core/error.ts'
import { decode, type Decoder } from './decode.ts'
import { utf8Decoder } from './utf8.ts'

/** What a line may be at most. */
export interface LineOptions {
  /** Longest line accepted, in bytes without its LF. Default 1 MiB. A longer one throws `invalid_request`, `line_too_long`. */
  readonly maxBytes?: number
}

/** A decoder of lines, which can be asked about the one that is not complete. */
export interface LineDecoder extends Decoder<string> {
  /** True if the last line came without its LF: whether it counts is for the protocol to say. Known after `end`. */
  readonly cut: boolean
}

const LF = 10
const CR = 13

/** The lines of each chunk as one array. The last line is given even if it has no LF. */
export function lines(chunks: AsyncIterable<Uint8Array>, options: LineOptions = {}): AsyncGenerator<string[]> {
  return decode(chunks, lineDecoder(options))
}

/**
 * The only splitter: UTF-8 lines ended by LF, or by CRLF. No other character ends a line; U+2028 is text. A line costs
 * its length once, in however many pieces it comes.
 */
export function lineDecoder({ maxBytes = 1 << 20 }: LineOptions = {}): LineDecoder {
  const utf8 = utf8Decoder()
  // Pieces of the line that has not ended. They are joined once: `rest + chunk` per chunk would be quadratic.
  let pieces: string[] = []
  /** Bytes of that line so far. */
  let length = 0
  let cut = false

  function split(text: string, out: string[]): void {
    let end = text.indexOf('\n')
    if (end === -1) {
      if (text !== '') pieces.push(text)
      return
    }
    let start = 0
    if (pieces.length > 0) {
      pieces.push(text.slice(0, end))
      out.push(withoutCr(pieces.join('')))
      pieces = []
      start = end + 1
      end = text.indexOf('\n', start)
    }
    for (; end !== -1; end = text.indexOf('\n', start)) {
      out.push(text.slice(start, text.charCodeAt(end - 1) === CR && end > start ? end - 1 : end))
      start = end + 1
    }
    if (start < text.length) pieces.push(text.slice(start))
  }

  /** Where the first line begins that is too long, as an offset into the chunk; -1 if there is none. */
  function tooLong(chunk: Uint8Array): number {
    let start = 0
    let end = chunk.indexOf(LF)
    if (end === -1) return (length += chunk.length) > maxBytes ? 0 : -1
    if (length + end > maxBytes) return 0
    if (chunk.length > maxBytes) {
      for (start = end + 1; (end = chunk.indexOf(LF, start)) !== -1; start = end + 1) {
        if (end - start > maxBytes) return start
      }
    } else {
      start = chunk.lastIndexOf(LF) + 1
    }
    length = chunk.length - start
    return length > maxBytes ? start : -1
  }

  return {
    get cut() {
      return cut
    },
    push(chunk, out) {
      const fault = tooLong(chunk)
      split(utf8.push(fault === -1 ? chunk : chunk.subarray(0, fault)), out)
      if (fault !== -1) {
        throw new RunletError('invalid_request', {
          reason: 'line_too_long',
          message: `a line is longer than the ${maxBytes} bytes that are accepted; send less at once, or raise the limit`,
        })
      }
    },
    end(out) {
      const rest = utf8.end()
      if (rest !== '') pieces.push(rest)
      cut = pieces.length > 0
      if (cut) out.push(withoutCr(pieces.join('')))
      pieces = []
    },
  }
}

function withoutCr(line: string): string {
  return line.charCodeAt(line.length - 1) === CR ? line.slice(0, -1) : line
}
