import { inspect } from 'node:util'
import type { Diagnostic } from '../engine/runtime.ts'

/** Writes what happens inside a daemon to stderr, one JSON object per line, with the causes that no client sees. */
export function logLine({ level, code, message, run_id, cause }: Diagnostic): void {
  const ts = new Date().toISOString()
  process.stderr.write(`${JSON.stringify({ ts, level, code, message, run_id, cause: textOf(cause) })}\n`)
}

function textOf(cause: unknown): string | undefined {
  if (cause === undefined) return undefined
  if (!(cause instanceof Error)) return inspect(cause)
  const below = textOf(cause.cause)
  return `${cause.stack ?? cause.message}${below === undefined ? '' : `\nbecause: ${below}`}`
}
