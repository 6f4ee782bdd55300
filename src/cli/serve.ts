import { InvalidArgumentError, Option, type Command } from 'commander'
import { isRunletError, RunletError } from '../core/error.ts'
import { probeDaemon } from './daemon.ts'
import { logLevels, logLines, type LogLevel } from './log-lines.ts'
import { collect, numberOption, storeOption } from './options.ts'
import { loadSettings } from './settings.ts'
import type { CommonFlags } from './settings.ts'
import { stopSignals } from './stop-signals.ts'

export interface ServeFlags extends CommonFlags {
  readonly port?: number
  readonly host?: string
  readonly origin?: readonly string[]
  readonly name?: readonly string[]
  readonly behindProxy?: boolean
  readonly drain?: number
  readonly logLevel?: LogLevel
}

export function addServe(program: Command): void {
  program
    .command('serve')
    .summary('run the daemon: HTTP for every client')
    .description(
      'Serves runs over HTTP until SIGINT or SIGTERM. The first line on stdout is "runlet listening on URL"; stderr ' +
        'has one JSON object per event of its own. "ask", "follow" and the others find it by themselves. Every client ' +
        'has to show the token that lies beside the store.',
    )
    .addOption(numberOption('-p, --port <n>', 'port to listen on; 0 takes any that is free', [0, 65_535]).default(7411))
    .option('--host <address>', 'address to listen on', '127.0.0.1')
    .option('--origin <origin>', 'a web page that may call, for example https://app.example.org; repeatable', origins)
    .option('--name <host>', 'a Host header to answer to besides its own address; repeatable', collect)
    .option('--behind-proxy', 'believe X-Forwarded-Proto and X-Forwarded-Host, which the proxy before it sets itself')
    .option('-m, --model <name>', 'the model for requests that name none')
    .addOption(
      numberOption('--drain <seconds>', 'how long runs may go on once it is asked to stop', [0, 86_400]).default(10),
    )
    .addOption(
      new Option('--log-level <level>', 'the least that stderr tells; debug: every request')
        .choices(logLevels)
        .default('info'),
    )
    .addOption(storeOption())
    .addHelpText('after', '\nExample:\n  runlet serve --port 8080 --origin https://app.example.org')
    .action(async (flags: ServeFlags) => serve(flags))
}

async function serve(flags: ServeFlags): Promise<void> {
  const { drain = 10, logLevel = 'info' } = flags
  const [settings, { runDaemon, secretsOf }] = await Promise.all([loadSettings(flags), import('./run-daemon.ts')])
  const log = logLines({
    level: logLevel,
    secrets: await secretsOf(settings),
    write: (line) => void process.stderr.write(line),
  })
  const stop = stopSignals()
  const daemon = await runDaemon(settings, { ...daemonFlags(flags), log }).catch(async (error: unknown) => {
    throw isRunletError(error) && error.reason === 'port_in_use' ? await portTaken(flags, error) : error
  })
  console.log(`runlet listening on ${daemon.url}`)
  log({ level: 'info', code: 'listening', message: `serving ${settings.store} on ${daemon.url}` })
  await aborted(stop.signal)
  const message = `${String(stop.signal.reason)}: no new runs, ${drain} s for those under way; a second signal stops at once`
  log({ level: 'info', code: 'stopping', message })
  await daemon.close({ waitMs: drain * 1_000 })
  log({ level: 'info', code: 'stopped', message: 'what was under way has ended' })
}

/** Who has the port, where that can be told, and how to take another one. */
async function portTaken({ host = '127.0.0.1', port }: ServeFlags, cause: RunletError): Promise<RunletError> {
  const address = host.includes(':') ? `[${host}]` : host
  const who = (await probeDaemon({ url: `http://${address}:${port}` })) === 'answers' ? 'a Runlet daemon' : 'a program'
  return new RunletError(cause.code, {
    reason: cause.reason,
    message: `port ${port} of ${host} is in use: ${who} listens there. Stop it, or choose another port: --port 8080 (--port 0 takes a free one)`,
    cause,
  })
}

/** Browsers send an origin without a slash, and people copy addresses with one. */
function origins(value: string, before?: readonly string[]): string[] {
  if (URL.canParse(value) && value === `${new URL(value).origin}/`) {
    throw new InvalidArgumentError(`Write it without the slash at its end: ${value.slice(0, -1)}`)
  }
  return collect(value, before)
}

/** The flags of `serve` that `start` has too. */
export function daemonFlags({ port, host, origin, name, behindProxy }: ServeFlags) {
  return {
    ...(port === undefined ? {} : { port }),
    ...(host === undefined ? {} : { host }),
    ...(origin === undefined ? {} : { origins: origin }),
    ...(name === undefined ? {} : { hosts: name }),
    ...(behindProxy === undefined ? {} : { behindProxy }),
  }
}

export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
