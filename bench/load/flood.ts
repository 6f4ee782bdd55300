import { countMarks } from '../mark.ts'
import { type Ask, openLine, requestBytes, type Line } from './line.ts'

export interface FloodOptions {
  readonly port: number
  readonly ask: Ask
  /** Tokens of each answer. Another number is a failure. */
  readonly tokens: number
  /** Answers under way at once. */
  readonly runs: number
}

/** What a flood has received so far. */
export interface FloodCount {
  readonly tokens: number
  readonly bytes: number
  readonly answers: number
  /** Why the first of those that went wrong did. */
  readonly failure?: string
}

export interface Flood {
  count(): FloodCount
  /** Asks no more, and lets the answers under way come to their end, or breaks them off. */
  stop(how: { readonly atOnce: boolean }): Promise<void>
}

/** Asks again and again, on as many connections as runs, and counts. */
export function startFlood(options: FloodOptions): Flood {
  const { port, ask, tokens, runs } = options
  const request = requestBytes(ask, port)
  let received = 0
  let bytes = 0
  let answers = 0
  let failure: string | undefined
  let stopping = false

  const lines = Array.from({ length: runs }, () => openLine(port))
  const ends = lines.map((line) => new Promise<void>((resolve) => askOn(line, resolve)))

  function askOn(line: Line, over: () => void): void {
    if (stopping) return over()
    let marks = 0
    line.ask(request, {
      onBytes(chunk) {
        const more = countMarks(chunk)
        marks += more
        received += more
        bytes += chunk.length
      },
      onEnd() {
        answers++
        if (marks !== tokens) failure ??= `an answer had ${marks} tokens instead of ${tokens}`
        askOn(line, over)
      },
      onFailure(error) {
        failure ??= error.message
        over()
      },
    })
  }

  return {
    count: () => ({ tokens: received, bytes, answers, ...(failure === undefined ? {} : { failure }) }),
    async stop({ atOnce }) {
      stopping = true
      if (!atOnce) await Promise.all(ends)
      for (const line of lines) line.close()
    },
  }
}
