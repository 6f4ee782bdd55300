import type { Command } from 'commander'
import { Option } from 'commander'
import type { RunStatus } from '../core/event.ts'
import type { RunHeader } from '../core/log.ts'
import { sanitiseLine } from '../terminal/sanitise.ts'
import { styleFor } from '../terminal/style.ts'
import { openBackend, recordOf } from './backend.ts'
import { countOption, storeOf, storeOption } from './options.ts'
import { printJson, printLines } from './output.ts'
import { resolveSession } from './run-id.ts'
import { agoOf, durationOf, shortId } from './words.ts'

interface RunsFlags {
  readonly json?: boolean
  readonly session?: string
  readonly status?: RunStatus
  readonly limit: number
  readonly store?: string
}

const statuses = ['running', 'completed', 'failed', 'cancelled'] as const satisfies readonly RunStatus[]

export function addRuns(program: Command): void {
  program
    .command('runs')
    .summary('list runs, newest first')
    .description('Lists runs, newest first. The short id in the first column names a run in every other command.')
    .option('--json', 'one JSON object per line, with whole ids')
    .option('--session <id>', 'only the runs of one session; "last" is the newest')
    .addOption(new Option('--status <status>', 'only runs in this state').choices(statuses))
    .addOption(countOption('--limit <n>', 'most runs to list').default(20))
    .addOption(storeOption())
    .addHelpText('after', '\nExample:\n  runlet runs --status running')
    .action(async (flags: RunsFlags) => runs(flags))
}

async function runs({ json, session, status, limit, store }: RunsFlags): Promise<void> {
  const backend = await openBackend(storeOf(store))
  try {
    const records = await backend.list({
      limit,
      ...(status ? { status } : {}),
      ...(session === undefined ? {} : { session_id: await resolveSession(backend, session) }),
    })
    if (json) await printJson(records.map(recordOf))
    else if (records.length === 0) await printLines(['no runs'])
    else await printLines(table(records, process.stdout.columns || 100))
  } finally {
    await backend.close()
  }
}

/** Columns as wide as they need to be; the title takes what is left. */
function table(records: readonly RunHeader[], width: number): string[] {
  const style = styleFor(process.stdout, process.env)
  const rows = [
    ['RUN', 'STATUS', 'AGE', 'TIME', 'SESSION', 'MODEL', 'PROMPT'],
    ...records.map((record) => [
      shortId(record.run_id),
      record.status,
      agoOf(record.created_at, Date.now()),
      record.ended_at === undefined ? '' : durationOf(record.ended_at - record.created_at),
      shortId(record.session_id),
      sanitiseLine(`${record.provider}/${record.model}`),
      sanitiseLine(record.title),
    ]),
  ]
  const widths = rows[0]!.slice(0, -1).map((_, i) => Math.max(...rows.map((row) => row[i]!.length)))
  const paint: Record<string, (text: string) => string> = {
    running: style.yellow,
    failed: style.red,
    cancelled: style.dim,
    completed: style.green,
  }
  return rows.map((row, n) => {
    const cells = row.map((cell, i) => (i < widths.length ? cell.padEnd(widths[i]!) : cell))
    const line = cells.join('  ')
    const cut = process.stdout.isTTY && line.length > width ? `${line.slice(0, width - 1)}…` : line
    if (n === 0) return style.dim(cut)
    return cut.replace(row[1]!, (text) => (paint[text] ?? String)(text))
  })
}
