import { InvalidArgumentError, Option } from 'commander'
import type { Command } from 'commander'
import { RunletError } from '../core/error.ts'
import { storeOf, storeOption } from './options.ts'
import { printJson, printLines } from './output.ts'
import { parseDuration, parseSize } from './words.ts'

interface PruneFlags {
  readonly olderThan?: number
  readonly maxSize?: number
  readonly json?: boolean
  readonly store?: string
}

export function addPrune(program: Command): void {
  program
    .command('prune')
    .summary('forget old runs')
    .description(
      'Forgets what ended runs said, oldest first, until both limits hold. Running ones stay. Works beside a daemon.',
    )
    .addOption(
      new Option('--older-than <age>', 'runs that ended longer ago than this: 12h, 30d').argParser((text) =>
        read(parseDuration(text), 'It must be a number and s, m, h or d, for example 30d.'),
      ),
    )
    .addOption(
      new Option('--max-size <bytes>', 'the oldest runs, until all take at most this: 500M, 2G').argParser((text) =>
        read(parseSize(text), 'It must be a number of bytes, or one with K, M or G, for example 2G.'),
      ),
    )
    .option('--json', 'print what was forgotten as JSON')
    .addOption(storeOption())
    .addHelpText('after', '\nExample:\n  runlet prune --older-than 30d')
    .action(async (flags: PruneFlags) => prune(flags))
}

function read(value: number | undefined, hint: string): number {
  if (value === undefined) throw new InvalidArgumentError(hint)
  return value
}

async function prune({ olderThan, maxSize, json, store }: PruneFlags): Promise<void> {
  if (olderThan === undefined && maxSize === undefined) {
    throw new RunletError('invalid_request', {
      reason: 'policy_missing',
      message: 'say what to forget: --older-than 30d, --max-size 2G, or both',
    })
  }
  const { openLog } = await import('../logs/index.ts')
  const log = await openLog(storeOf(store).store)
  try {
    const pruned = await log.prune({
      ...(olderThan === undefined ? {} : { maxAgeMs: olderThan }),
      ...(maxSize === undefined ? {} : { maxBytes: maxSize }),
    })
    if (json) await printJson([pruned])
    else await printLines([`forgot ${pruned.runs} runs, ${pruned.bytes} bytes`])
  } finally {
    await log.close()
  }
}
