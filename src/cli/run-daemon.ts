/** The daemon: a store, an engine and an HTTP server in one process, until a signal ends it. */
import { dirname } from 'node:path'
import { makePrivateFolder } from '../config/places.ts'
import type { CancelTimer } from '../core/clock.ts'
import { systemClock } from '../core/clock.ts'
import type { Diagnostic, Runtime } from '../engine/runtime.ts'
import { createRuntime } from '../engine/runtime.ts'
import { openLog } from '../logs/index.ts'
import type { Listening } from '../servers/http/server.ts'
import { createHttpServer } from '../servers/http/server.ts'
import { tokenFile } from '../servers/http/token.ts'
import { compose } from './compose.ts'
import type { DaemonRecord } from './daemon.ts'
import { claimDaemon, daemonRunning, rivalOf } from './daemon.ts'
import { digestOf } from './settings.ts'
import type { Settings } from './settings.ts'

export interface DaemonOptions {
  readonly host?: string
  readonly port?: number
  readonly origins?: readonly string[]
  readonly hosts?: readonly string[]
  readonly onDiagnostic: (diagnostic: Diagnostic) => void
}

export interface Daemon {
  readonly url: string
  readonly runtime: Runtime
  /** Ends the runs, hands readers what is left, and lets go of everything. */
  close(): Promise<void>
}

/** How often runs are looked for whose process died: an `ask` that was killed beside the daemon. Milliseconds. */
const RECOVER_MS = 10_000

/** Throws `forbidden` (`daemon_running`), and what the store and the server throw. */
export async function runDaemon(settings: Settings, options: DaemonOptions): Promise<Daemon> {
  const { places, config, store, cwd } = settings
  const { onDiagnostic } = options
  const running = await rivalOf(places.daemon)
  if (running) throw daemonRunning(running)
  makePrivateFolder(dirname(places.token))
  const token = await tokenFile(places.token)

  const parts = compose(config, { toolRoot: cwd, onDiagnostic })
  const runtime = createRuntime({ ...parts.powers, log: await openLog(store) })
  try {
    await runtime.recover()
    const { host, port, origins, hosts } = options
    const server = createHttpServer({
      runtime,
      token,
      onDiagnostic,
      ...(host === undefined ? {} : { host }),
      ...(port === undefined ? {} : { port }),
      ...(origins === undefined ? {} : { origins }),
      ...(hosts === undefined ? {} : { hosts }),
    })
    const listening = await server.listen()
    const { url } = listening
    const record = { version: 1, url, pid: process.pid, started: Date.now(), store, cwd } as const
    const release = await claim(places.daemon, { ...record, settings: digestOf(config) }, listening)
    const stopRecovering = keepRecovering(runtime, onDiagnostic)
    return {
      url,
      runtime,
      async close() {
        release()
        stopRecovering()
        await runtime.close()
        await listening.close()
        await parts.close()
      },
    }
  } catch (error) {
    await runtime.close()
    throw error
  }
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
