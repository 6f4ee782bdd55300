import type { Command } from 'commander'
import { collect, storeOption } from './options.ts'
import { numberOption } from './options.ts'
import { loadSettings } from './settings.ts'
import type { CommonFlags } from './settings.ts'
import { stopSignals } from './stop-signals.ts'

export interface ServeFlags extends CommonFlags {
  readonly port?: number
  readonly host?: string
  readonly origin?: readonly string[]
  readonly name?: readonly string[]
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
    .option('--origin <origin>', 'a web page that may call, for example https://app.example.org; repeatable', collect)
    .option('--name <host>', 'a Host header to answer to besides its own address; repeatable', collect)
    .option('-m, --model <name>', 'the model for requests that name none')
    .addOption(storeOption())
    .addHelpText('after', '\nExample:\n  runlet serve --port 8080 --origin https://app.example.org')
    .action(async (flags: ServeFlags) => serve(flags))
}

async function serve(flags: ServeFlags): Promise<void> {
  const [settings, { runDaemon }, { logLine }] = await Promise.all([
    loadSettings(flags),
    import('./run-daemon.ts'),
    import('./log-lines.ts'),
  ])
  const stop = stopSignals()
  const daemon = await runDaemon(settings, { ...daemonFlags(flags), onDiagnostic: logLine })
  console.log(`runlet listening on ${daemon.url}`)
  logLine({ level: 'info', code: 'listening', message: `serving ${settings.store}` })
  await aborted(stop.signal)
  logLine({ level: 'info', code: 'stopping', message: 'a signal asked the daemon to stop' })
  await daemon.close()
}

/** The flags of `serve` that `start` has too. */
export function daemonFlags({ port, host, origin, name }: ServeFlags) {
  return {
    ...(port === undefined ? {} : { port }),
    ...(host === undefined ? {} : { host }),
    ...(origin === undefined ? {} : { origins: origin }),
    ...(name === undefined ? {} : { hosts: name }),
  }
}

export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
