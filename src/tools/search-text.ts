import type { Clock } from '../core/clock.ts'
import type { Tool, ToolContext } from '../core/tool.ts'
import type { Root } from './confine.ts'
import { openInside } from './confine.ts'
import { glob } from './glob.ts'
import type { LineMatcher, MatchedLine } from './line-matcher.ts'
import { literalMatcher, patternMatcher } from './line-matcher.ts'
import type { Report } from './report.ts'
import { report, shownPath } from './report.ts'
import { maxEntries, walk } from './walk.ts'

interface Input {
  readonly query: string
  readonly regex?: boolean
  readonly ignore_case?: boolean
  readonly path?: string
  readonly pattern?: string
  readonly ignored?: boolean
}

export interface SearchOptions {
  readonly clock: Clock
  /** Longest time that a regular expression may take over one file. Milliseconds. */
  readonly patternMs: number
}

/** Finds lines in the text files of a folder: `path:line: text`, one a line. */
export function searchText(root: Root, { clock, patternMs }: SearchOptions): Tool {
  return {
    name: 'search_text',
    description:
      'Find lines that contain a text, or match a regular expression, in the files of the working directory. Answers "path:line: text". Skips binaries and files over 1 MiB.',
    idempotent: true,
    timeoutMs: 60_000,
    parameters: {
      type: 'object',
      properties: {
        query: { type: 'string', minLength: 1, maxLength: 1_000, description: 'What to find, within one line.' },
        regex: { type: 'boolean', description: 'Take the query as a JavaScript regular expression. Default false.' },
        ignore_case: { type: 'boolean', description: 'Default false.' },
        path: {
          type: 'string',
          description: 'Folder to search, relative to the working directory. Default: all of it.',
        },
        pattern: { type: 'string', maxLength: 1_000, description: 'Only files like this: "*.ts", "src/**/*.{ts,js}".' },
        ignored: { type: 'boolean', description: 'Search .git and node_modules too. Default false.' },
      },
      required: ['query'],
      additionalProperties: false,
    },
    async run(input, context) {
      // The schema was checked by the caller.
      const { query, regex, ignore_case = false, ...where } = input as unknown as Input
      const wanted = { text: query, ignoreCase: ignore_case }
      const matcher = regex ? patternMatcher(wanted, { clock, timeoutMs: patternMs }) : literalMatcher(wanted)
      const stop = () => void matcher.close()
      context.signal.addEventListener('abort', stop, { once: true })
      try {
        return await search(root, matcher, where, context)
      } catch (error) {
        // A search that was stopped fails in whatever it was doing.
        context.signal.throwIfAborted()
        throw error
      } finally {
        context.signal.removeEventListener('abort', stop)
        await matcher.close()
      }
    },
  }
}

const maxFileBytes = 1024 * 1024
const maxSearchBytes = 256 * 1024 * 1024
const maxMatches = 1_000
const filesPerProgress = 1_000

type Where = Pick<Input, 'path' | 'pattern' | 'ignored'>

async function search(root: Root, matcher: LineMatcher, where: Where, context: ToolContext): Promise<string> {
  const { path = '.', pattern, ignored = false } = where
  const wanted = pattern === undefined ? undefined : glob(pattern)
  const answer = report()
  const skipped = { large: 0, binary: 0, unreadable: 0 }
  const scratch = Buffer.allocUnsafe(maxFileBytes)
  let files = 0
  let bytes = 0
  let matches = 0

  const found = walk(root, { path, depth: Infinity, ignored, signal: context.signal })
  for (;;) {
    const { value, done } = await found.next()
    if (done) {
      if (value.cut) answer.note(`cut after ${maxEntries} files and folders; name a folder inside with "path"`)
      noteSkipped(answer, { ...skipped, folders: value.unreadable })
      return answer.text(`[nothing found in ${files} files]`)
    }
    if (value.kind !== 'file' || (wanted && !wanted(value.path))) continue
    const file = await readText(root, value.path, scratch)
    context.signal.throwIfAborted()
    if (typeof file !== 'string') {
      skipped[file.skipped]++
      continue
    }
    files++
    bytes += file.length
    const lines = await matcher.find(file, maxMatches - matches)
    context.signal.throwIfAborted()
    matches += lines.length
    const name = shownPath(value.path)
    const full = !lines.every((line) => answer.add(`${name}:${line.line}: ${excerpt(file, line)}`))
    if (full || matches === maxMatches || bytes > maxSearchBytes) {
      const limit = full ? '64 KiB of matches' : matches === maxMatches ? `${maxMatches} matches` : '256 MiB of files'
      answer.note(`cut after ${limit}; there may be more. Narrow it down with "query", "path" or "pattern"`)
      noteSkipped(answer, skipped)
      return answer.text(`[nothing found in ${files} files]`)
    }
    if (files % filesPerProgress === 0) context.progress(`searched ${files} files, found ${matches} lines`)
  }
}

interface Skipped {
  readonly skipped: 'large' | 'binary' | 'unreadable'
}

/** A file's text, or why it is not searched. */
async function readText(root: Root, path: string, scratch: Buffer): Promise<string | Skipped> {
  try {
    const { handle, stats } = await openInside(root, path)
    try {
      if (!stats.isFile()) return { skipped: 'unreadable' }
      if (stats.size > maxFileBytes) return { skipped: 'large' }
      // Not `readFile`: the file may grow, and files of /proc have no size.
      const { bytesRead } = await handle.read(scratch, 0, maxFileBytes, 0)
      const bytes = scratch.subarray(0, bytesRead)
      return bytes.includes(0) ? { skipped: 'binary' } : bytes.toString('utf8')
    } finally {
      await handle.close()
    }
  } catch {
    // Gone, closed to us, or moved out of reach since it was listed: the others can still be searched.
    return { skipped: 'unreadable' }
  }
}

function noteSkipped(answer: Report, skipped: Readonly<Record<string, number>>): void {
  const counts = Object.entries(skipped).filter(([, count]) => count > 0)
  if (counts.length > 0) answer.note(`not searched: ${counts.map(([why, count]) => `${count} ${why}`).join(', ')}`)
}

const excerptLetters = 240

/** The line, or the part of a long one around the match. */
function excerpt(text: string, { start, end, at }: MatchedLine): string {
  if (end - start <= excerptLetters) return text.slice(start, end)
  const from = Math.max(start, Math.min(at - 60, end - excerptLetters))
  const to = from + excerptLetters
  const part = text.slice(from, to).replace(/^[\uDC00-\uDFFF]|[\uD800-\uDBFF]$/g, '')
  return `${from > start ? '…' : ''}${part}${to < end ? '…' : ''}`
}
