/** The command line as a whole. Each command brings what it needs along only when it is called. */
import { readFileSync } from 'node:fs'
import { Command } from 'commander'
import { nearest } from '../core/near.ts'
import { quoted } from '../core/quote.ts'
import { addAsk } from './ask.ts'
import { addCancel } from './cancel.ts'
import { addDoctor } from './doctor.ts'
import { addFollow } from './follow.ts'
import { invocation } from './invocation.ts'
import { addModels } from './models.ts'
import { addPage } from './page.ts'
import { addPrune } from './prune.ts'
import { complain, exitStatus } from './report.ts'
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
    .helpCommand(false)
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
  addHelp(program)
  for (const command of program.commands) command.helpOption('-h, --help', 'explain this command')
  // What only the program itself can be asked wrongly: the commands have their own options.
  program.configureOutput({ outputError: (text) => complain(withWay(asOurs(text), program)) })
  return program
}

/** `help`, which unlike commander's own knows when there is nothing to explain. */
function addHelp(program: Command): void {
  program
    .command('help')
    .argument('[command]')
    .summary('explain a command')
    .description('Explains a command, or lists them all.')
    .action((name: string | undefined) => {
      if (name === undefined) return program.help()
      const names = program.commands.map((command) => command.name())
      const command = program.commands.find((one) => one.name() === name)
      if (command) command.help()
      const meant = nearest(name, names)
      complain(
        `there is no command ${quoted(name)}; ${meant === undefined ? `there are ${names.join(', ')}` : `did you mean ${meant}?`}`,
      )
      process.exitCode = exitStatus.usage
    })
}

/** A question, or an option of `ask`, without the word `ask`: with how to ask it. */
function withWay(text: string, program: Command): string {
  const ask = program.commands.find((command) => command.name() === 'ask')!
  const option = /^unknown option '(-[^']*)'/.exec(text)?.[1]
  if (option !== undefined && ask.options.some(({ short, long }) => option === short || option === long)) {
    return `unknown option '${option}'; it belongs to a command: ${invocation()} ask ${option} …`
  }
  const prompt = /^unknown command '([^]*)'$/.exec(text)?.[1]
  return prompt === undefined ? text : `${text}; to ask a model: ${invocation()} ask ${quoted(prompt)}`
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
