/** The daemon: a store, an engine and an HTTP server in one process, until a signal ends it. */
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { makePrivateFolder } from '../config/places.ts'
import type { CancelTimer } from '../core/clock.ts'
import { systemClock } from '../core/clock.ts'
import type { Diagnostic, Runtime } from '../engine/runtime.ts'
import { createRuntime } from '../engine/runtime.ts'
import { openLog } from '../logs/index.ts'
import type { Listening } from '../servers/http/server.ts'
import { createHttpServer } from '../servers/http/server.ts'
import { tokenFile } from '../servers/http/auth/token.ts'
import { compose } from './compose.ts'
import type { DaemonRecord } from './daemon.ts'
import { claimDaemon, daemonRunning, rivalOf } from './daemon.ts'
import { checkDefaultModel } from './default-model.ts'
import type { LogRecord } from './log-lines.ts'
import { observers } from './observe.ts'
import { digestOf } from './settings.ts'
import type { Settings } from './settings.ts'
import { watchToken } from './watch-token.ts'

export interface DaemonOptions {
  readonly host?: string
  readonly port?: number
  readonly origins?: readonly string[]
  readonly hosts?: readonly string[]
  readonly behindProxy?: boolean
  /** Told of everything; what is only for those who ask for it has level `debug`. */
  readonly log: (record: LogRecord) => void
}

export interface Daemon {
  readonly url: string
  readonly runtime: Runtime
  /**
   * Takes no new runs and waits at most `waitMs` (default 0) for those under way, while they can be read on; ends the
   * others, sends readers away with their cursors, and lets go of everything.
   */
  close(options?: { readonly waitMs?: number }): Promise<void>
}

/** How often runs are looked for whose process died: an `ask` that was killed beside the daemon. Milliseconds. */
const RECOVER_MS = 10_000

/** How long readers may take to read the ends of their runs before the daemon stops. Milliseconds. */
const LAST_READ_MS = 1_000

/** Throws `forbidden` (`daemon_running`), `not_found` (`model_unknown`) for the default model, and what the store and the server throw. */
export async function runDaemon(settings: Settings, options: DaemonOptions): Promise<Daemon> {
  const { places, config, store, cwd } = settings
  const running = await rivalOf(places.daemon)
  if (running) throw daemonRunning(running)
  makePrivateFolder(dirname(places.token))
  const token = await tokenFile(places.token)

  const observed = await observers(options.log)
  const { onDiagnostic, observe } = observed
  const parts = compose(config, { toolRoot: cwd, onDiagnostic })
  checkDefaultModel(config, parts.powers)
  const runtime = createRuntime({
    ...parts.powers,
    providers: observed.traced(parts.powers.providers),
    observe,
    log: await openLog(store),
  })
  try {
    await runtime.recover()
    const { host, port, origins, hosts, behindProxy } = options
    const { idempotency_ms: idempotencyMs } = config.limits
    const server = createHttpServer({
      runtime,
      token,
      onDiagnostic,
      ...observed.http,
      ...builtPage(),
      ...(host === undefined ? {} : { host }),
      ...(port === undefined ? {} : { port }),
      ...(origins === undefined ? {} : { origins }),
      ...(hosts === undefined ? {} : { hosts }),
      ...(behindProxy === undefined ? {} : { behindProxy }),
      ...(idempotencyMs === undefined ? {} : { limits: { idempotencyMs } }),
    })
    observed.watch(server)
    const listening = await server.listen()
    const { url } = listening
    const record = { version: 1, url, pid: process.pid, started: Date.now(), store, cwd } as const
    const release = await claim(places.daemon, { ...record, settings: digestOf(config) }, listening)
    const stopRecovering = keepRecovering(runtime, onDiagnostic)
    const stopWatching = watchToken(places.token, { onToken: (other) => server.replaceToken(other), onDiagnostic })
    return {
      url,
      runtime,
      async close({ waitMs = 0 } = {}) {
        release()
        stopRecovering()
        stopWatching()
        void server.drain()
        await runtime.drain({ waitMs })
        await server.drain({ waitMs: LAST_READ_MS })
        await listening.close()
        await runtime.close()
        observed.close()
        await parts.close()
      },
    }
  } catch (error) {
    await runtime.close()
    throw error
  }
}

/** What no log may hold: the token, which is made where there is none yet, and the providers' keys. */
export async function secretsOf({ places, config }: Settings): Promise<string[]> {
  makePrivateFolder(dirname(places.token))
  const keys = Object.values(config.providers).flatMap(({ apiKey }) => (apiKey === undefined ? [] : [apiKey]))
  return [await tokenFile(places.token), ...keys]
}

/** The page lies beside the built program; where the sources themselves run, there may be none. */
function builtPage(): { readonly page?: string } {
  const page = fileURLToPath(new URL('../web', import.meta.url))
  return existsSync(join(page, 'index.html')) ? { page } : {}
}

/** Whoever comes second lets go of its port again. */
async function claim(path: string, record: DaemonRecord, listening: Listening): Promise<() => void> {
  try {
    return await claimDaemon(path, record)
  } catch (error) {
    await listening.close()
    throw error
  }
}

/** Looks for dead runs again and again, one look at a time; returns how to stop that. */
function keepRecovering(runtime: Runtime, onDiagnostic: (diagnostic: Diagnostic) => void): () => void {
  let cancelTimer: CancelTimer | undefined
  let stopped = false
  const look = async () => {
    try {
      await runtime.recover()
    } catch (cause) {
      onDiagnostic({ level: 'error', code: 'recover_failed', message: 'looking for dead runs failed', cause })
    }
    if (!stopped) wait()
  }
  const wait = () => {
    cancelTimer = systemClock.after(RECOVER_MS, () => void look())
  }
  wait()
  return () => {
    stopped = true
    cancelTimer?.()
  }
}
