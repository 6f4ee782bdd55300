import type { FileHandle } from 'node:fs/promises'
import { RunletError } from '../core/error.ts'
import type { Tool } from '../core/tool.ts'
import type { Root } from './confine.ts'
import { openInside } from './confine.ts'
import { maxResultBytes } from './report.ts'

interface Input {
  readonly path: string
  readonly start_line?: number
  readonly lines?: number
  readonly max_bytes?: number
}

/** Gives lines of a text file, as they are. What is left out is said in a last line in square brackets. */
export function readFile(root: Root): Tool {
  return {
    name: 'read_file',
    description:
      'Read a text file of the working directory, or some of its lines. At most 64 KiB per call; a last line in [brackets] says what is left out and how to go on.',
    idempotent: true,
    timeoutMs: 30_000,
    parameters: {
      type: 'object',
      properties: {
        path: { type: 'string', description: 'File to read, relative to the working directory.' },
        start_line: { type: 'integer', minimum: 1, description: 'First line to read, counted from 1. Default 1.' },
        lines: { type: 'integer', minimum: 1, description: 'How many lines to read. Default: all that fit.' },
        max_bytes: { type: 'integer', minimum: 1, maximum: maxResultBytes, description: 'Default and maximum 65536.' },
      },
      required: ['path'],
      additionalProperties: false,
    },
    async run(input, { signal }) {
      // The schema was checked by the caller.
      const { path, start_line = 1, lines = Infinity, max_bytes = maxResultBytes } = input as unknown as Input
      const { handle, stats } = await openInside(root, path)
      try {
        if (!stats.isFile()) throw notText(path, stats.isDirectory() ? 'a folder; list_files lists it' : 'not a file')
        const range = { path, from: start_line, to: start_line + lines, maxBytes: max_bytes }
        return await readLines(handle, range, signal)
      } finally {
        await handle.close()
      }
    },
  }
}

interface LineRange {
  readonly path: string
  /** First line, counted from 1, and the line before which to stop. */
  readonly from: number
  readonly to: number
  readonly maxBytes: number
}

/** How far into a file lines are looked for. */
const maxScanBytes = 256 * 1024 * 1024
const chunkBytes = 65_536
const lineFeed = 10

async function readLines(handle: FileHandle, range: LineRange, signal: AbortSignal): Promise<string> {
  const chunk = Buffer.allocUnsafe(chunkBytes)
  const kept: Buffer[] = []
  let keptBytes = 0
  let line = 1
  let lineEmpty = true
  for (let scanned = 0; scanned < maxScanBytes;) {
    signal.throwIfAborted()
    const { bytesRead } = await handle.read(chunk, 0, chunkBytes, scanned)
    if (bytesRead === 0) return wholeRange(range, kept, lineEmpty ? line - 1 : line)
    scanned += bytesRead
    const bytes = chunk.subarray(0, bytesRead)
    if (bytes.includes(0)) throw notText(range.path, 'a binary file')
    let at = 0
    while (at < bytesRead && line < range.to) {
      const feed = bytes.indexOf(lineFeed, at)
      const end = feed < 0 ? bytesRead : feed + 1
      if (line >= range.from) {
        const room = range.maxBytes - keptBytes
        const part = bytes.subarray(at, Math.min(end, at + room))
        kept.push(Buffer.from(part))
        keptBytes += part.length
        if (end - at > room) return cutShort(range, kept, line)
      }
      if (feed >= 0) line++
      lineEmpty = feed >= 0
      at = end
    }
    if (at < bytesRead) return `${textOf(kept)}[more lines follow; go on with start_line ${line}]`
  }
  throw new RunletError('unsupported', {
    reason: 'file_too_large',
    message: `"${range.path}" has no line ${range.from} in its first 256 MiB; search_text finds places in it`,
  })
}

/** The file, which has `count` lines, ended before the range did. */
function wholeRange({ path, from }: LineRange, kept: readonly Buffer[], count: number): string {
  if (kept.length > 0) return textOf(kept)
  if (count === 0) return '[the file is empty]'
  throw new RunletError('invalid_request', {
    reason: 'bad_range',
    message: `"${path}" has ${count} lines; there is no line ${from}`,
  })
}

/** The limit of bytes fell into `line`: whole lines are given, unless it is the first that is too long. */
function cutShort({ from, maxBytes }: LineRange, kept: readonly Buffer[], line: number): string {
  const bytes = Buffer.concat(kept)
  const whole = bytes.lastIndexOf(lineFeed) + 1
  const limit = `cut at ${maxBytes} bytes`
  if (whole > 0) return `${bytes.toString('utf8', 0, whole)}[${limit}; go on with start_line ${line}]`
  // Not through a character: a stream decoder holds an unfinished one back.
  const head = new TextDecoder().decode(bytes, { stream: true })
  return `${head}\n[${limit}, inside line ${from}; its rest cannot be read; line ${from + 1} can]`
}

function textOf(kept: readonly Buffer[]): string {
  return Buffer.concat(kept).toString('utf8')
}

function notText(path: string, what: string): RunletError {
  return new RunletError('invalid_request', {
    reason: 'not_text',
    message: `"${path}" is ${what}; only text can be read`,
  })
}
