import type { Command } from 'commander'
import { isRunletError } from '../core/error.ts'
import { styleFor } from '../terminal/style.ts'
import type { DaemonRecord } from './daemon.ts'
import { findDaemon, rivalOf } from './daemon.ts'
import { invocation } from './invocation.ts'
import type { LogRecord } from './log-lines.ts'
import { numberOption, storeOption } from './options.ts'
import { complain } from './report.ts'
import type { ServeFlags } from './serve.ts'
import { aborted, daemonFlags } from './serve.ts'
import type { Settings } from './settings.ts'
import { loadSettings } from './settings.ts'
import { stopSignals } from './stop-signals.ts'

export function addStart(program: Command): void {
  program
    .command('start')
    .summary('start the daemon here, and show what to try')
    .description(
      'Starts the daemon in this terminal and prints what can be tried with it. Where no model is configured, it plays ' +
        'one simulated answer, so that there is something to see. Ctrl-C stops it.',
    )
    .addOption(numberOption('-p, --port <n>', 'port to listen on (default: 7411, else any that is free)', [0, 65_535]))
    .addOption(storeOption())
    .addHelpText('after', '\nExample:\n  npm start')
    .action(async (flags: ServeFlags) => start(flags))
}

async function start(flags: ServeFlags): Promise<void> {
  const settings = await loadSettings(flags)
  const command = invocation()
  const running = await rivalOf(settings.places.daemon)
  if (running) {
    console.log(`runlet listens already on ${running.url} (pid ${running.pid}; stop it with: kill ${running.pid})`)
    await showPage(running.url, settings)
    console.log(suggestions(running.url, { command, settings, model: await anyModel(settings, command) }))
    return
  }
  const stop = stopSignals()
  const daemon = await listen(settings, flags)
  console.log(`runlet listening on ${daemon.url}`)
  try {
    await showPage(daemon.url, settings)
    const model = await anyModel(settings, command)
    if (model === undefined) await playSimulation(settings, stop.signal)
    if (!stop.signal.aborted) {
      console.log(suggestions(daemon.url, { command, settings, model }))
      console.log('\nCtrl-C stops it.')
    }
    await aborted(stop.signal)
  } finally {
    await daemon.close()
  }
}

/** The way to the page, before all else: it is what there is to look at. */
async function showPage(url: string, { places }: Settings): Promise<void> {
  const { pageLink } = await import('./page-link.ts')
  try {
    const link = await pageLink(url, places)
    console.log(
      `\nOpen the page (once, within five minutes; "${callOf(invocation())} page" prints another link):\n\n  ${link}`,
    )
  } catch (error) {
    // Where only the sources were built, there is none. The rest works without it.
    if (!isRunletError(error) || error.reason !== 'page_missing') throw error
  }
}

/** On the usual port if it is free. */
async function listen(settings: Settings, flags: ServeFlags) {
  const { runDaemon } = await import('./run-daemon.ts')
  const options = { ...daemonFlags(flags), log: tell }
  try {
    return await runDaemon(settings, options)
  } catch (error) {
    if (flags.port !== undefined || !isRunletError(error) || error.reason !== 'port_in_use') throw error
    console.log('Port 7411 is taken by another program; another one will do.')
    return runDaemon(settings, { ...options, port: 0 })
  }
}

function tell({ level, message }: LogRecord): void {
  if (level === 'warning' || level === 'error') complain(message)
}

/** The model that `ask` would take by itself; undefined if there is none. */
async function anyModel({ config }: Settings, command: string): Promise<string | undefined> {
  const [{ chooseModel }, { providersOf }] = await Promise.all([import('./model.ts'), import('./compose.ts')])
  try {
    return (await chooseModel(config, async () => providersOf(config), { session: false, command })).model
  } catch {
    return undefined
  }
}

/** One answer of the simulator, through the daemon that was just started: what a newcomer sees is what it does. */
async function playSimulation({ places }: Settings, signal: AbortSignal): Promise<void> {
  const { daemonBackend } = await import('./daemon-backend.ts')
  const { textPrinter } = await import('./print-run.ts')
  const { watchRun } = await import('./watch-run.ts')
  const daemon = findDaemon(places.daemon) as DaemonRecord
  const backend = await daemonBackend(daemon, places)
  if (!backend) return
  const { dim } = styleFor(process.stdout, process.env)
  console.log(dim('\nNo model is configured: OPENAI_API_KEY is not set, and no Ollama with a model answers.'))
  console.log(dim('So this is the simulator:\n'))
  const { run_id } = await backend.start({ model: 'sim', prompt: 'Hello! What is this?' })
  await watchRun(backend.read(run_id, { signal }), textPrinter({ reasoning: false, quiet: false }), { json: false })
}

interface Known {
  readonly command: string
  readonly settings: Settings
  readonly model: string | undefined
}

/** Three things to try, each of which works when it is copied into another terminal in this folder. */
function suggestions(url: string, { command, settings, model }: Known): string {
  const { bold } = styleFor(process.stdout, process.env)
  const call = callOf(command)
  const flag = model === undefined ? ' --model sim' : ''
  return `
${bold('Try, in another terminal:')}

  ${call} ask${flag} "Why is the sky blue?"
  ${call} follow last
  curl -N ${url}/v1/runs -H "Authorization: Bearer $(cat ${quoted(settings.places.token)})" \\
    -H 'Accept: text/event-stream' -H 'Content-Type: application/json' -d '{"model":"${model ?? 'sim'}","prompt":"Hello"}'

${call} --help has the rest.`
}

/** The command as another terminal needs it, which has not the environment of this one. */
function callOf(command: string): string {
  const home = process.env['RUNLET_HOME']
  return home === undefined ? command : `RUNLET_HOME=${quoted(home)} ${command}`
}

/** A word for a POSIX shell. */
const quoted = (word: string) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`)
