/** Server-sent events, read and written. https://html.spec.whatwg.org/multipage/server-sent-events.html */
import { createParser } from 'eventsource-parser'
import { RunletError } from '../core/error.ts'
import { decode, type Decoder } from './decode.ts'
import { utf8Decoder } from './utf8.ts'

/** One server-sent event, as the stream spells it. */
export interface SseFrame {
  /** Absent where the stream gives no name; a browser calls that `message`. */
  readonly event?: string | undefined
  /** Absent where this frame gives none, though an earlier one may have. */
  readonly id?: string | undefined
  /** The data lines, joined by LF. */
  readonly data: string
}

/** Limits, and who is told of what is no event. */
export interface SseOptions {
  /**
   * Most data of one frame, in UTF-16 units, which are never more than its bytes. Default 1 Mi. More, or a line longer
   * than that, throws `invalid_request` with reason `frame_too_long`.
   */
  readonly maxChars?: number
  /** Fields outside the standard that are given as frames of that name: llama.cpp spells errors as `error: {…}`. */
  readonly fieldsAsEvents?: readonly string[]
  /** A line that begins with a colon, without it: how servers keep a connection alive. */
  readonly onComment?: (text: string) => void
  /** The server asks readers to wait this long before they come back. */
  readonly onRetry?: (retryMs: number) => void
}

/** A decoder of events, which can be asked what stood around them. */
export interface SseDecoder extends Decoder<SseFrame> {
  /** The frame that lacked its blank line when the stream ended. The standard drops it; so does `end`, which sets this. */
  readonly cut: SseFrame | undefined
  /** The text before the first frame, its first 64 Ki or a little more: what a server sent instead of events. */
  readonly prelude: string
}

const LF = 10
const PRELUDE_CHARS = 1 << 16
/** Room for field names and an unfinished line, so that the exact limit is judged on whole frames, not on cuts. */
const SLACK_CHARS = 1024

/** The frames of each chunk as one array. */
export function sse(chunks: AsyncIterable<Uint8Array>, options: SseOptions = {}): AsyncGenerator<SseFrame[]> {
  return decode(chunks, sseDecoder(options))
}

/** Lines end with LF, CRLF or CR. Comments, empty frames and unknown fields are passed over, as the standard says. */
export function sseDecoder(options: SseOptions = {}): SseDecoder {
  const { maxChars = 1 << 20, fieldsAsEvents = [], onComment, onRetry } = options
  const utf8 = utf8Decoder()
  let out: SseFrame[] = []
  let begun = false
  let prelude = ''
  let cut: SseFrame | undefined
  let over = false
  // A CR ended the last text; an LF at the start of the next one belongs to it.
  let afterCr = false

  const parser = createParser({
    maxBufferSize: maxChars + SLACK_CHARS,
    onEvent(frame) {
      if (frame.data.length > maxChars) throw tooLong(maxChars)
      if (over) cut = frame
      else {
        begun = true
        out.push(frame)
      }
    },
    onError(error) {
      if (error.type === 'max-buffer-size-exceeded') throw tooLong(maxChars)
      if (over || error.type !== 'unknown-field' || !fieldsAsEvents.includes(error.field ?? '')) return
      begun = true
      out.push({ event: error.field, data: error.value ?? '' })
    },
    ...(onComment ? { onComment } : {}),
    ...(onRetry ? { onRetry } : {}),
  })
  // The parser drops "ï»¿" from its first text, where it takes it for a byte order mark. Ours is gone by then.
  parser.feed('')

  function feed(text: string): void {
    if (text === '') return
    if (!begun && prelude.length < PRELUDE_CHARS) prelude += text
    // The parser holds back a CR at the end of a text until it has seen the next; so a frame would wait for a frame.
    let fed = afterCr && text.charCodeAt(0) === LF ? text.slice(1) : text
    afterCr = false
    if (fed.includes('\r')) {
      afterCr = fed.endsWith('\r')
      fed = fed.replaceAll(/\r\n?/g, '\n')
    }
    parser.feed(fed)
    if (begun) prelude = ''
  }

  return {
    get cut() {
      return cut
    },
    get prelude() {
      return prelude
    },
    push(chunk, frames) {
      out = frames
      feed(utf8.push(chunk))
    },
    end(frames) {
      out = frames
      feed(utf8.end())
      over = true
      parser.feed('\n\n')
    },
  }
}

function tooLong(maxChars: number): RunletError {
  return new RunletError('invalid_request', {
    reason: 'frame_too_long',
    message: `a server-sent event is longer than the ${maxChars} characters that are accepted`,
  })
}

/** The text of one frame, its blank line included. Throws `internal`, `bad_sse_field` rather than let a value frame itself. */
export function sseFrame(frame: SseFrame & { readonly retryMs?: number }): string {
  const { event, id, data, retryMs } = frame
  let text = ''
  if (id !== undefined) text += `id: ${plain('id', id)}\n`
  if (event !== undefined) text += `event: ${plain('event', event)}\n`
  if (retryMs !== undefined) text += `retry: ${Math.max(0, Math.round(retryMs))}\n`
  return `${text}${prefixed('data: ', data)}\n`
}

/** A line that readers pass over: keeps proxies and clients from giving up. */
export function sseComment(text: string): string {
  return `${prefixed(': ', text)}\n`
}

/** One line of the field for each line of the text, whichever way its lines end. */
function prefixed(prefix: string, text: string): string {
  if (!/[\r\n]/.test(text)) return `${prefix}${text}\n`
  return text
    .split(/\r\n|\r|\n/)
    .map((line) => `${prefix}${line}\n`)
    .join('')
}

function plain(field: string, value: string): string {
  // A line end would begin another field, and readers ignore an id with a NUL in it.
  if (/[\r\n\0]/.test(value)) {
    throw new RunletError('internal', {
      reason: 'bad_sse_field',
      message: `the ${field} of a server-sent event holds a line end or a NUL; only data may have several lines`,
    })
  }
  return value
}
