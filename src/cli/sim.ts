/** `runlet sim`: the provider simulator as a server, for trying and testing whatever talks to a model. */
import { type Command, InvalidArgumentError, Option } from 'commander'
import { type Faults, faultTerms, parseFaults, parsePace } from '../sim/faults.ts'
import type { SimRequest } from '../sim/journal.ts'
import type { SimModel } from '../sim/repertoire.ts'
import type { Sim, SimOptions } from '../sim/sim.ts'
import { printer } from '../terminal/print.ts'
import { sanitiseLine } from '../terminal/sanitise.ts'
import { stopSignals } from './stop-signals.ts'

/** Beside the daemon's 7411. */
const DEFAULT_PORT = 7412
/** Models shown at the start; `--list` shows all. */
const SHOWN_MODELS = 24

interface SimFlags {
  readonly port: number
  readonly dir: readonly string[]
  readonly tokensPerSecond?: number
  readonly timing?: 'recorded'
  readonly fault: readonly string[]
  readonly list?: true
  readonly quiet?: true
}

/** Adds the command to the program. */
export function addSim(program: Command): void {
  program
    .command('sim')
    .description('simulate a provider: OpenAI and Ollama over real HTTP, scripted or recorded, with pace and faults')
    .option('--port <number>', 'port on 127.0.0.1; 0 picks a free one', portOf, DEFAULT_PORT)
    .addOption(repeatable('--dir <folder>', 'play the recorded streams and scripts in this folder too (repeatable)'))
    .option('--tokens-per-second <number>', 'pace of every answer; max: no waiting at all', paceOf)
    .addOption(new Option('--timing <which>', 'play timed recordings with their own time').choices(['recorded']))
    .addOption(repeatable('--fault <faults>', 'what goes wrong with every answer, see below (repeatable)'))
    .option('--list', 'print the models and exit')
    .option('--quiet', 'no line on stderr per request')
    .addHelpText('after', faultHelp())
    .action((flags: SimFlags) => run(flags))
}

async function run(flags: SimFlags): Promise<void> {
  const out = printer(process.stdout)
  const print = async (text: string) => {
    await out.write(text)
    await out.flush()
    out.gone.throwIfAborted()
  }
  const options = simOptions(flags)
  if (flags.list) {
    const { apis } = await import('../sim/apis/index.ts')
    const { repertoire } = await import('../sim/repertoire.ts')
    const { models } = await repertoire(apis, { dirs: flags.dir, scripts: {} })
    return print(modelLines(models).join(''))
  }
  const { createSim } = await import('../sim/sim.ts')
  const sim = await createSim(options)
  const stop = stopSignals()
  try {
    await print(greeting(sim))
    await stopped(stop.signal)
  } finally {
    await sim.close()
    stop.release()
  }
}

function simOptions({ port, dir, tokensPerSecond, timing, fault, quiet }: SimFlags): SimOptions {
  const faults: Faults = parseFaults(fault.join('&'))
  return {
    port,
    dirs: dir,
    faults,
    recordedTiming: timing === 'recorded',
    ...(tokensPerSecond === undefined ? {} : { tokensPerSecond }),
    ...(quiet ? {} : { onEnd: (request) => console.error(requestLine(request)) }),
  }
}

function greeting({ url, models }: Sim): string {
  const lines = modelLines(models)
  const more = lines.length - SHOWN_MODELS
  return `runlet sim listening on ${url}

Models (any of them with faults: "echo?cut=120,rst"; see runlet sim --help):
${lines.slice(0, SHOWN_MODELS).join('')}${more > 0 ? `  … and ${more} more: add --list\n` : ''}
Point a client at it; any key will do:
  OPENAI_BASE_URL=${url}/v1 OPENAI_API_KEY=sim   OpenAI's clients, and runlet ask --model openai/echo
  OLLAMA_HOST=${url}   Ollama's clients, and runlet ask --model ollama/echo
  curl -N ${url}/api/chat -d '{"model":"sim","messages":[{"role":"user","content":"hello"}]}'
`
}

function modelLines(models: readonly SimModel[]): string[] {
  const width = Math.max(...models.slice(0, SHOWN_MODELS).map(({ name }) => name.length))
  return models.map(({ name, description }) => `  ${sanitiseLine(name.padEnd(width))}  ${sanitiseLine(description)}\n`)
}

function requestLine({ method, path, model, status, bytesSent, ending, startedAt, endedAt }: SimRequest): string {
  const took = endedAt === undefined ? '' : ` ${endedAt - startedAt} ms`
  const asked = [method, path, ...(model === undefined ? [] : [model])].join(' ')
  return sanitiseLine(`${asked}  ${status ?? 'no answer'} ${bytesSent} bytes${took} ${ending ?? ''}`)
}

function stopped(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}

function faultHelp(): string {
  const terms = Object.entries(faultTerms).map(([name, term]) => {
    const value = 'value' in term ? `=${term.value}` : ''
    return [`${name}${'optional' in term ? `[${value}]` : value}`, term.about] as const
  })
  const width = Math.max(...terms.map(([usage]) => usage.length))
  return `
Faults, joined by "," (or "&", ":"). They may stand in three places, of which the last wins:
  --fault cut=500,rst        for every request
  X-Sim-Fault: cut=500,rst   a header of one request
  "echo?cut=500,rst"         after the name of a model (quote it: "?" is special in a shell)

${terms.map(([usage, about]) => `  ${usage.padEnd(width)}  ${about}\n`).join('')}`
}

function repeatable(flags: string, description: string): Option {
  return new Option(flags, description)
    .argParser((value: string, before: readonly string[]) => [...before, value])
    .default([], 'none')
}

function portOf(value: string): number {
  const port = /^\d{1,5}$/.test(value) ? Number(value) : Number.NaN
  if (!(port <= 65_535)) throw new InvalidArgumentError('a port is a number from 0 to 65535.')
  return port
}

function paceOf(value: string): number {
  const pace = parsePace(value)
  if (pace === undefined) throw new InvalidArgumentError('a pace is a number above 0, or max.')
  return pace
}
