import { Worker } from 'node:worker_threads'
import type { Clock } from '../core/clock.ts'
import { RunletError } from '../core/error.ts'

/** Finds lines of a text. Whoever made it closes it, which also stops a search that is still going on. */
export interface LineMatcher {
  /** The lines that match, at most `most`. Calls are not to overlap. */
  find(text: string, most: number): Promise<readonly MatchedLine[]>
  close(): Promise<void>
}

export interface MatchedLine {
  /** Counted from 1. */
  readonly line: number
  /** Where the line begins and ends in the text, and where in it the match begins. */
  readonly start: number
  readonly end: number
  readonly at: number
}

export interface LineQuery {
  readonly text: string
  readonly ignoreCase: boolean
}

/** Finds lines that contain a text as it stands. */
export function literalMatcher({ text: query, ignoreCase }: LineQuery): LineMatcher {
  const wanted = ignoreCase ? query.toLowerCase() : query
  return {
    find: async (text, most) =>
      matchLines(text, most, (line) => (ignoreCase ? line.toLowerCase() : line).indexOf(wanted)),
    close: async () => {},
  }
}

export interface PatternLimits {
  readonly clock: Clock
  /** Longest time for one text. Milliseconds. */
  readonly timeoutMs: number
}

/**
 * Finds lines that match a regular expression, in a thread of its own: JavaScript's expressions may take exponential
 * time, and a thread is the one thing that can be stopped in the middle of one. Throws `invalid_request` with reason
 * `bad_pattern`; `find` throws `timeout` with reason `pattern_timeout`, after which the matcher is of no more use.
 */
export function patternMatcher(query: LineQuery, { clock, timeoutMs }: PatternLimits): LineMatcher {
  const flags = query.ignoreCase ? 'i' : ''
  try {
    RegExp(query.text, flags)
  } catch (cause) {
    throw badPattern(query, cause)
  }
  const worker = new Worker(workerSource, {
    eval: true,
    // Flags of this process may be wrong for that text: `--input-type=module` would make it a module.
    execArgv: [],
    workerData: { source: query.text, flags },
    resourceLimits: { maxOldGenerationSizeMb: 256 },
  })
  let failure: RunletError | undefined
  let waiting: Waiting | undefined
  const fail = (error: RunletError): void => {
    failure ??= error
    waiting?.reject(failure)
  }
  worker.on('message', (found: readonly MatchedLine[]) => waiting?.resolve(found))
  // Always listened to: an `error` event of a thread that nobody listens to ends the process.
  worker.on('error', (cause) => fail(badPattern(query, cause)))
  worker.on('exit', () => fail(stopped()))

  return {
    async find(text, most) {
      if (failure) throw failure
      const cancel = clock.after(timeoutMs, () => fail(tooSlow(query, timeoutMs)))
      try {
        return await new Promise((resolve, reject) => {
          waiting = { resolve, reject }
          worker.postMessage({ text, most })
        })
      } finally {
        waiting = undefined
        cancel()
      }
    },
    close: async () => void (await worker.terminate()),
  }
}

interface Waiting {
  readonly resolve: (found: readonly MatchedLine[]) => void
  readonly reject: (error: RunletError) => void
}

/** Calls `indexIn` for each line, without its ending, and gives those where it is not negative. */
function matchLines(text: string, most: number, indexIn: (line: string) => number): MatchedLine[] {
  const found: MatchedLine[] = []
  for (let line = 1, start = 0; start < text.length && found.length < most; line++) {
    const feed = text.indexOf('\n', start)
    const next = feed < 0 ? text.length : feed
    const end = text[next - 1] === '\r' && next > start ? next - 1 : next
    const index = indexIn(text.slice(start, end))
    if (index >= 0) found.push({ line, start, end, at: start + index })
    start = next + 1
  }
  return found
}

// As text, not as a file: a thread cannot load TypeScript, and a bundler would not find the file. `matchLines` is
// taken over as it was compiled, so that both matchers agree on what a line is; it uses nothing from outside itself.
const workerSource = `
const { parentPort, workerData } = require('node:worker_threads')
const matchLines = ${matchLines.toString()}
const pattern = new RegExp(workerData.source, workerData.flags)
parentPort.on('message', ({ text, most }) => {
  parentPort.postMessage(matchLines(text, most, (line) => line.search(pattern)))
})
`

function badPattern({ text }: LineQuery, cause: unknown): RunletError {
  // Made by the engine of the expressions from the expression alone: it holds nothing that the model did not send.
  const why = cause instanceof SyntaxError ? cause.message : `/${text}/ cannot be used here`
  return new RunletError('invalid_request', {
    reason: 'bad_pattern',
    message: `not a JavaScript regular expression: ${why}; without "regex" the query is searched as it stands`,
    cause,
  })
}

function tooSlow({ text }: LineQuery, timeoutMs: number): RunletError {
  return new RunletError('timeout', {
    reason: 'pattern_timeout',
    message: `/${text}/ took longer than ${timeoutMs} ms over one file; nested repetition such as (a+)+ does that. Simplify it, or search without "regex"`,
  })
}

function stopped(): RunletError {
  return new RunletError('internal', { reason: 'pattern_stopped', message: 'the search was stopped' })
}
