/**
 * Server-sent events from a Runlet server, in a tenth of the code that `wire/sse.ts` and its parser take, since a page
 * loads this. Line ends are LF or CRLF; a CR alone, which our servers never send, is none here.
 */
import { RunletError } from '../core/error.ts'
import type { SseFrame } from '../wire/sse.ts'

/** The longest event of a run begins with its prompt, whose JSON may be several times as long as the request's body. */
const MAX_LINE_CHARS = 64 << 20

/** The frames of each chunk as one array, never an empty one. A frame that lacks its blank line is none. */
export async function* sseFrames(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<SseFrame[], void, undefined> {
  const decoder = new TextDecoder()
  /** Of the line that has not ended. They are joined once: `rest + text` per chunk would be quadratic. */
  let pieces: string[] = []
  let chars = 0
  let frame: { event?: string; id?: string; data?: string } = {}
  for await (const chunk of chunks) {
    const lines = decoder.decode(chunk, { stream: true }).split('\n')
    const rest = lines.pop()!
    if (lines.length > 0) {
      lines[0] = pieces.join('') + lines[0]
      pieces = []
      chars = 0
    }
    pieces.push(rest)
    chars += rest.length
    if (chars > MAX_LINE_CHARS) throw tooLong()
    const frames: SseFrame[] = []
    for (const line of lines) {
      const [field, value] = readLine(line)
      if (field === 'data') frame.data = frame.data === undefined ? value : `${frame.data}\n${value}`
      else if (field === 'id' || field === 'event') frame[field] = value
      else if (field === '' && value === '') {
        const { data, ...names } = frame
        if (data !== undefined) frames.push({ ...names, data })
        frame = {}
      }
    }
    if (frames.length > 0) yield frames
  }
}

/** A blank line has neither; a comment has no field, and is given something for a value. */
function readLine(text: string): readonly [field: string, value: string] {
  const line = text.endsWith('\r') ? text.slice(0, -1) : text
  const colon = line.indexOf(':')
  if (colon < 0) return [line, '']
  if (colon === 0) return ['', line]
  return [line.slice(0, colon), line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1)]
}

const tooLong = () =>
  new RunletError('invalid_request', {
    reason: 'frame_too_long',
    message: `a server-sent event is longer than the ${MAX_LINE_CHARS} characters that are accepted`,
  })
