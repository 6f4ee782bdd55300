/** Shows a run as it comes, and says how it ended: on stderr in words, and as an exit status. */
import type { Batch } from '../core/batch.ts'
import type { TerminalEvent } from '../core/event.ts'
import type { Gap } from '../core/log.ts'
import type { Diagnostic } from '../engine/runtime.ts'
import { styleFor } from '../terminal/style.ts'
import type { RunPrinter } from './print-run.ts'
import { terminalIn } from './print-run.ts'
import { complain, exitStatus, explainError, statusOfEnding } from './report.ts'

export interface WatchOptions {
  /** The events themselves are being printed: they say how the run ended. */
  readonly json: boolean
  /** Tell the code and the reason of an error too. */
  readonly verbose?: boolean
  /** What the process that makes the run said of it; it grows while the run goes on. */
  readonly diagnostics?: readonly Diagnostic[]
  /** Sees every record before it is shown. */
  readonly onRecord?: (record: Batch | Gap) => void
}

/** Resolves with the exit status once everything was shown; with 0 if the reading was stopped before the run's end. */
export async function watchRun(
  records: AsyncIterable<Batch | Gap>,
  printer: RunPrinter,
  { json, verbose = false, diagnostics = [], onRecord }: WatchOptions,
): Promise<number> {
  let ending: TerminalEvent | undefined
  try {
    for await (const record of records) {
      onRecord?.(record)
      await printer.show(record)
      ending = terminalIn(record)?.event as TerminalEvent | undefined
    }
  } finally {
    await printer.end()
  }
  if (!ending) return exitStatus.done
  if (!json && !printer.gone.aborted) explain(ending)
  if (verbose) explainCauses(ending, diagnostics)
  return statusOfEnding(ending)
}

/** A sentence for every ending that is not simply the end. */
function explain(ending: TerminalEvent): void {
  if (ending.type === 'error') return complain(ending.error.message)
  switch (ending.finish_reason) {
    case 'length':
      return complain('the answer stops here because it reached its limit of tokens; allow more with --max-tokens')
    case 'content_filter':
      return complain("the answer stops here because the provider's filter withheld the rest; ask it in other words")
    case 'tool_limit':
      return complain(
        'the answer stops here because the model called tools too often; raise limits.steps in runlet.toml',
      )
    case 'cancelled':
      if (process.stderr.isTTY) console.error(styleFor(process.stderr, process.env).dim('cancelled'))
      return
    case 'tool_calls':
    case 'stop':
  }
}

/** What no client is told: the cause of the ending, and whatever else went wrong on the way. */
function explainCauses(ending: TerminalEvent, diagnostics: readonly Diagnostic[]): void {
  const reason = ending.type === 'error' ? ending.error.reason : undefined
  for (const { code, message, cause } of diagnostics.filter((diagnostic) => diagnostic.code !== reason)) {
    complain(message)
    explainError({ code: 'internal', reason: code, cause })
  }
  if (ending.type !== 'error') return
  const cause = diagnostics.findLast(({ code }) => code === reason)?.cause
  explainError({ ...ending.error, cause })
}
