import type { Command } from 'commander'
import { sanitise } from '../terminal/sanitise.ts'
import { styleFor } from '../terminal/style.ts'
import { storeOption } from './options.ts'
import { printJson, printLines } from './output.ts'
import { exitStatus } from './report.ts'

interface DoctorFlags {
  readonly json?: boolean
  readonly store?: string
  readonly through?: string | true
}

/** One thing that was looked at. */
export interface Finding {
  readonly name: string
  /** `absent`: not there, and not needed. `broken`: something that is needed does not work. */
  readonly state: 'ok' | 'absent' | 'warning' | 'broken'
  readonly text: string
  /** What to do about it. */
  readonly fix?: string
}

export function addDoctor(program: Command): void {
  program
    .command('doctor')
    .summary('look for what is missing or broken, and say how to mend it')
    .description(
      'Looks at everything that Runlet needs: folders, configuration, store, daemon, providers. Exits with 1 if ' +
        'something that is needed does not work.\n\n' +
        'With --through it also watches a stream of the daemon arrive, from the URL of a proxy in front of it or from ' +
        'its own, and says whether something on the way holds it back and delivers it in lumps.',
    )
    .option('--through [url]', 'watch a stream arrive from this URL (default: the daemon itself)')
    .option('--json', 'the findings as one JSON object')
    .addOption(storeOption())
    .addHelpText('after', '\nExamples:\n  runlet doctor\n  runlet doctor --through https://runlet.example.org')
    .action(async (flags: DoctorFlags) => doctor(flags))
}

async function doctor({ json, store, through }: DoctorFlags): Promise<void> {
  const { examine } = await import('./examine.ts')
  const findings = await examine(store === undefined ? {} : { store })
  if (through !== undefined) {
    const { examineStream } = await import('./examine-stream.ts')
    findings.push(await examineStream(through === true ? undefined : through))
  }
  const ok = findings.every(({ state }) => state !== 'broken')
  if (json) await printJson([{ ok, findings }])
  else await printLines(findings.flatMap(describe))
  if (!ok) process.exitCode = exitStatus.error
}

const marks = { ok: '✓', absent: '-', warning: '!', broken: '✗' } as const

function describe({ name, state, text, fix }: Finding): string[] {
  const style = styleFor(process.stdout, process.env)
  const paint = { ok: style.green, absent: style.dim, warning: style.yellow, broken: style.red }[state]
  const below = ' '.repeat(14)
  const lines = sanitise(text).split('\n')
  return [
    `${paint(marks[state])} ${name.padEnd(12)}${lines[0]}`,
    ...lines.slice(1).map((line) => below + line),
    ...(fix === undefined ? [] : [`${below}${style.dim('fix:')} ${sanitise(fix)}`]),
  ]
}
