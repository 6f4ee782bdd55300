import { inspect } from 'node:util'
import type { Diagnostic } from '../engine/runtime.ts'
import { redactor } from './redact.ts'

export const logLevels = ['debug', 'info', 'warning', 'error'] as const

export type LogLevel = (typeof logLevels)[number]

/** A diagnostic, or what is told only to those who ask for it. */
export type LogRecord = Omit<Diagnostic, 'level'> & {
  readonly level: LogLevel
  /** What belongs to this code alone: `status` of a request. */
  readonly detail?: Readonly<Record<string, string | number>>
}

export interface LogOptions {
  /** The least that is told. Default `info`. */
  readonly level?: LogLevel
  /** What must never be told: keys, tokens. They go in every spelling that a message may have them in. */
  readonly secrets?: readonly string[]
  /** Takes a line with its end. */
  readonly write: (line: string) => void
  /** Unix time in milliseconds. Default: the machine's. */
  readonly now?: () => number
}

/** Longest texts, in characters; what is longer ends in `…`. */
const LONGEST = { message: 1_000, cause: 8_000, id: 128 }

/**
 * Tells what happens inside a daemon, one JSON object per line, with the causes that no client sees. Whatever a text
 * holds, it stays within its line and its limit, and a terminal has nothing to obey in it.
 */
export function logLines({
  level = 'info',
  secrets = [],
  write,
  now = Date.now,
}: LogOptions): (record: LogRecord) => void {
  const least = logLevels.indexOf(level)
  const redact = redactor(secrets)
  // What is cut first may keep half a secret.
  const told = (text: string | undefined, most: number) => (text === undefined ? undefined : cut(redact(text), most))
  return ({ level: own, code, message, run_id, request_id, trace_id, cause, detail }) => {
    if (logLevels.indexOf(own) < least) return
    const line = JSON.stringify({
      ts: new Date(now()).toISOString(),
      level: own,
      code: told(code, LONGEST.id),
      message: told(message, LONGEST.message),
      run_id: told(run_id, LONGEST.id),
      request_id: told(request_id, LONGEST.id),
      trace_id: told(trace_id, LONGEST.id),
      ...detail,
      cause: told(textOf(cause), LONGEST.cause),
    })
    write(`${escaped(line)}\n`)
  }
}

const cut = (text: string, most: number) => (text.length <= most ? text : `${text.slice(0, most)}…`)

/**
 * JSON may hold these as they are. Terminals obey C1 controls, some log readers end lines at U+2028 and its like, and
 * marks of direction show a line in an order that it does not have.
 */
function escaped(json: string): string {
  return json.replaceAll(
    /[\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

/** Errors that stand behind errors, at most. */
const DEEPEST = 8

function textOf(cause: unknown, depth = 0): string | undefined {
  if (cause === undefined || depth === DEEPEST) return undefined
  if (!(cause instanceof Error)) return typeof cause === 'string' ? cause : inspect(cause)
  const below = textOf(cause.cause, depth + 1)
  return `${cause.stack ?? cause.message}${below === undefined ? '' : `\nbecause: ${below}`}`
}
