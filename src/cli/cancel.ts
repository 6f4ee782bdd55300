import type { Command } from 'commander'
import { openBackend, recordOf } from './backend.ts'
import { storeOf, storeOption } from './options.ts'
import { printJson, printLines } from './output.ts'
import { resolveRun } from './run-id.ts'

interface CancelFlags {
  readonly json?: boolean
  readonly store?: string
}

export function addCancel(program: Command): void {
  program
    .command('cancel')
    .argument('<run>', 'its id, the unique beginning or end of it, or "last"')
    .summary('stop a run, wherever it is being made')
    .description(
      'Stops a run, in whichever process it is being made, and waits until it has ended. What was said until then is ' +
        'kept. A run that has ended already is left as it is.',
    )
    .option('--json', 'print what is known of the run, as JSON')
    .addOption(storeOption())
    .addHelpText('after', '\nExample:\n  runlet cancel last')
    .action(async (run: string, flags: CancelFlags) => cancel(run, flags))
}

async function cancel(name: string, { json, store }: CancelFlags): Promise<void> {
  const backend = await openBackend(storeOf(store))
  try {
    const run = await resolveRun(backend, name)
    const record = await backend.cancel(run, { reason: 'runlet cancel' })
    if (json) await printJson([recordOf(record)])
    else await printLines([record.status === 'cancelled' ? `${run} cancelled` : `${run} had ended: ${record.status}`])
  } finally {
    await backend.close()
  }
}
