/** How a command ends: the lines on stderr and the exit status. */
import { inspect } from 'node:util'
import { CommanderError } from 'commander'
import { errorCodes, isRunletError, toRunletError } from '../core/error.ts'
import type { RunletError } from '../core/error.ts'
import type { TerminalEvent } from '../core/event.ts'
import { sanitise } from '../terminal/sanitise.ts'
import { styleFor } from '../terminal/style.ts'

export const exitStatus = {
  done: 0,
  error: 1,
  usage: 2,
  /** The answer stops short: out of tokens or steps, or withheld by the provider's filter. */
  incomplete: 3,
  /** As a shell reports a program that Ctrl-C ended. */
  cancelled: 130,
  /** As a shell reports a program whose terminal was closed (SIGHUP). */
  hangup: 129,
  /** As a shell reports a program that wrote to a closed pipe (SIGPIPE). */
  readerGone: 141,
} as const

/** The exit status that says how a run ended. */
export function statusOfEnding(event: TerminalEvent): number {
  if (event.type === 'error') return errorCodes[event.error.code].exit
  switch (event.finish_reason) {
    case 'stop':
    case 'tool_calls':
      return exitStatus.done
    case 'length':
    case 'tool_limit':
    case 'content_filter':
      return exitStatus.incomplete
    case 'cancelled':
      return exitStatus.cancelled
  }
}

/** The exit status of a command that threw. */
export function statusOfError(thrown: unknown): number {
  // Help and version end commander with 0; what it refuses is a mistake in the usage.
  if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? exitStatus.done : exitStatus.usage
  const error = toRunletError(thrown)
  if (error.reason === 'output_closed') return exitStatus.readerGone
  return errorCodes[error.code].exit
}

/** Tells on stderr what went wrong. Silent where commander has spoken, and where nobody is there to read. */
export function reportError(thrown: unknown, { verbose }: { readonly verbose: boolean }): void {
  if (thrown instanceof CommanderError) return
  const error = toRunletError(thrown)
  if (error.reason === 'output_closed') return
  complain(error.message)
  if (verbose) explainError(error)
  else if (error.reason === 'unexpected') complain('run it again with --verbose for the details')
}

/** One line on stderr, `runlet: …`, safe for a terminal whatever the message holds. */
export function complain(message: string): void {
  const style = styleFor(process.stderr, process.env)
  console.error(`${style.red('runlet:')} ${sanitise(message)}`)
}

/** What `--verbose` adds: what programs go by, and what was caught on the way. */
export function explainError({ code, reason, cause }: Pick<RunletError, 'code' | 'reason' | 'cause'>): void {
  console.error(`  code ${code}, reason ${reason}`)
  for (const line of causesOf(cause)) console.error(sanitise(`  ${line}`))
}

function causesOf(thrown: unknown): string[] {
  const lines: string[] = []
  for (let cause = thrown; cause !== undefined; cause = cause instanceof Error ? cause.cause : undefined) {
    if (isRunletError(cause)) lines.push(`because: ${cause.message} (${cause.code}, ${cause.reason})`)
    else if (cause instanceof Error) lines.push(`because: ${cause.stack ?? cause.message}`)
    else lines.push(`because: ${inspect(cause)}`)
  }
  return lines
}
