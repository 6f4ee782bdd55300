import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import type { Lab } from '../lab.ts'
import type { Role, Row } from '../table.ts'
import type { Group } from './group.ts'

const MAIN = 'dist/cli/main.js'

interface Command {
  readonly title: string
  readonly role: Role
  readonly args: readonly string[]
  /** What it prints. */
  readonly prints: RegExp
}

const commands: readonly Command[] = [
  { title: 'node, doing nothing', role: 'baseline', args: ['-e', 'console.log(1)'], prints: /^1\n$/ },
  { title: 'runlet --version', role: 'runlet', args: [MAIN, '--version'], prints: /^\d+\.\d+\.\d+/ },
  { title: 'runlet --help', role: 'runlet', args: [MAIN, '--help'], prints: /Usage: runlet/ },
]

export const cli: Group = {
  title: 'starting the program',
  async run(lab) {
    if (!existsSync(MAIN)) throw new Error(`${MAIN} is missing; run "npm run build" first`)
    const samples = commands.map((): number[] => [])
    for (let round = 0; round < lab.rounds; round++) {
      for (const [i, command] of commands.entries()) samples[i]!.push(await start(lab, command))
    }
    return [
      {
        title: 'cli: from the start of the process to its end',
        unit: 'ms',
        rows: commands.map(({ title, role }, i): Row => ({ title, role, samples: samples[i]! })),
      },
    ]
  },
}

async function start(lab: Lab, { title, args, prints }: Command): Promise<number> {
  const begun = performance.now()
  const child = spawn(process.execPath, args, {
    env: { ...process.env, RUNLET_HOME: lab.folder() },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let printed = ''
  child.stdout.on('data', (chunk: Buffer) => {
    printed += chunk.toString()
  })
  const [code] = (await once(child, 'close')) as [number | null]
  if (code !== 0 || !prints.test(printed)) throw new Error(`${title} ended with ${code} and printed ${printed}`)
  return performance.now() - begun
}
