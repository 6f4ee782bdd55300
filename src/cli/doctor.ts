import type { Command } from 'commander'
import { sanitise } from '../terminal/sanitise.ts'
import { styleFor } from '../terminal/style.ts'
import { storeOption } from './options.ts'
import { printJson, printLines } from './output.ts'
import { exitStatus } from './report.ts'

interface DoctorFlags {
  readonly json?: boolean
  readonly store?: string
  readonly url?: string | true
}

/** One thing that was looked at. */
export interface Finding {
  readonly name: string
  /** `absent`: not there, and not needed. `broken`: something that is needed does not work. */
  readonly state: 'ok' | 'absent' | 'warning' | 'broken'
  readonly text: string
  /** What to do about it. */
  readonly fix?: string
  /** Of a stream that was watched. Times in milliseconds. */
  readonly stream?: {
    readonly events: number
    readonly reads: number
    readonly first_byte_ms: number
    /** How much later than the most punctual event the later quarter came, at least. */
    readonly held_ms: number
    /** Times between two reads, counted by their lengths. */
    readonly gaps: Readonly<Record<string, number>>
  }
}

export function addDoctor(program: Command): void {
  program
    .command('doctor')
    .summary('look for what is missing or broken, and say how to mend it')
    .description(
      'Looks at everything that Runlet needs: folders, configuration, store, daemon, providers. Exits with 1 if ' +
        'something that is needed does not work.\n\n' +
        'With --url it also watches two seconds of simulated tokens arrive, from the daemon itself and through the URL ' +
        'of whatever stands in front of it, and says which of the hops holds them back and what it has to be told.',
    )
    .option('--url [url]', 'watch a stream arrive from the daemon, and from this URL if one is given')
    .option('--json', 'the findings as one JSON object')
    .addOption(storeOption())
    .addHelpText('after', '\nExamples:\n  runlet doctor\n  runlet doctor --url https://runlet.example.org')
    .action(async (flags: DoctorFlags) => doctor(flags))
}

async function doctor({ json, store, url }: DoctorFlags): Promise<void> {
  const { examine } = await import('./examine.ts')
  const findings = await examine(store === undefined ? {} : { store })
  if (url !== undefined) {
    const { examineStream } = await import('./examine-stream.ts')
    findings.push(...(await examineStream(url === true ? undefined : url)))
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
