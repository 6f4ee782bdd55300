import type { Command } from 'commander'
import { parseCursor } from '../core/cursor.ts'
import { openBackend } from './backend.ts'
import { invocation } from './invocation.ts'
import { storeOf, storeOption } from './options.ts'
import { jsonPrinter, terminalIn, textPrinter } from './print-run.ts'
import { resolveRun } from './run-id.ts'
import { watchRun } from './watch-run.ts'

interface FollowFlags {
  readonly after?: string
  readonly json?: boolean
  readonly reasoning?: boolean
  readonly quiet?: boolean
  readonly store?: string
}

export function addFollow(program: Command): void {
  program
    .command('follow')
    .argument('<run>', 'its id, the unique beginning or end of it, or "last"')
    .summary('watch a run from any terminal, from the start or from a cursor')
    .description(
      'Prints what a run said and goes on until it ends. Leaving (Ctrl-C) does not stop the run. The exit status says ' +
        'how it ended, as with "ask"; after Ctrl-C it is 0.',
    )
    .option('--after <cursor>', 'begin behind this event, for example 1-42')
    .option('--json', 'the events themselves (gai.events.v1), one JSON object per line')
    .option('--reasoning', "the model's thoughts too, on stderr")
    .option('--quiet', 'no tool lines and warnings on stderr')
    .addOption(storeOption())
    .addHelpText('after', '\nExamples:\n  runlet follow last\n  runlet follow last --json --after 1-42')
    .action(async (run: string, flags: FollowFlags) => follow(run, flags))
}

async function follow(name: string, flags: FollowFlags): Promise<void> {
  const { json, reasoning = false, quiet = false } = flags
  const after = flags.after === undefined ? undefined : parseCursor(flags.after)
  const backend = await openBackend(storeOf(flags.store))
  const stop = new AbortController()
  const leave = () => stop.abort()
  process.once('SIGINT', leave)
  process.once('SIGTERM', leave)
  try {
    const run = await resolveRun(backend, name)
    const printer = json ? jsonPrinter() : textPrinter({ reasoning, quiet })
    printer.gone.addEventListener('abort', leave)
    const records = backend.read(run, { ...(after ? { after } : {}), signal: stop.signal })
    let over = false
    process.exitCode = await watchRun(records, printer, {
      json: json ?? false,
      onRecord: (record) => (over = terminalIn(record) !== undefined),
    })
    printer.gone.throwIfAborted()
    if (!over && !quiet) console.error(`goes on: ${invocation()} follow ${run}`)
  } finally {
    process.off('SIGINT', leave)
    process.off('SIGTERM', leave)
    await backend.close()
  }
}
