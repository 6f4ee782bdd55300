/** The command line as a whole. Each command brings what it needs along only when it is called. */
import { readFileSync } from 'node:fs'
import { Command } from 'commander'
import { addAsk } from './ask.ts'
import { addCancel } from './cancel.ts'
import { addDoctor } from './doctor.ts'
import { addFollow } from './follow.ts'
import { invocation } from './invocation.ts'
import { addModels } from './models.ts'
import { addPage } from './page.ts'
import { addPrune } from './prune.ts'
import { complain } from './report.ts'
import { addRuns } from './runs.ts'
import { addServe } from './serve.ts'
import { addShow } from './show.ts'
import { addSim } from './sim.ts'
import { addStart } from './start.ts'
import { addToken } from './token.ts'
import { addTrust } from './trust.ts'

export function createProgram(): Command {
  const program = new Command('runlet')
    .description('Durable token streams, from any model to any client.')
    .version(version(), '-V, --version', 'print the version')
    .option('--verbose', 'tell the causes of an error')
    .helpOption('-h, --help', 'explain a command')
    .helpCommand('help [command]', 'explain a command')
    .configureHelp({ helpWidth: Math.min(process.stdout.columns ?? 100, 120), showGlobalOptions: true })
    .configureOutput({ outputError: (text) => complain(asOurs(text)) })
    .exitOverride()
    .addHelpText('after', () => `\nTry it offline:\n  ${invocation()} ask --model sim "hello"`)
  const commands = [
    addAsk,
    addFollow,
    addCancel,
    addShow,
    addRuns,
    addServe,
    addStart,
    addPage,
    addToken,
    addModels,
    addDoctor,
    addTrust,
    addPrune,
    addSim,
  ]
  for (const add of commands) add(program)
  for (const command of program.commands) command.helpOption('-h, --help', 'explain this command')
  return program
}

/** `error: unknown option '--jsno'\n(Did you mean --json?)` in our words. */
function asOurs(text: string): string {
  return text
    .trim()
    .replace(/^error: /, '')
    .replace(/\n\(Did you mean (.*)\?\)$/, '; did you mean $1?')
}

function version(): string {
  const file = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  return (JSON.parse(file) as { version: string }).version
}
