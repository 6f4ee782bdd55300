/**
 * Where `ask` has its run made: by the daemon, if it would do the same as this process, else here. The parts of an
 * engine are loaded only where they are needed: with a daemon, `ask` is a small program.
 */
import type { Places } from '../config/places.ts'
import { RunletError } from '../core/error.ts'
import type { StartRequest } from '../engine/request.ts'
import type { Diagnostic } from '../engine/runtime.ts'
import type { Backend } from './backend.ts'
import type { DaemonRecord } from './daemon.ts'
import { findDaemon } from './daemon.ts'
import { chooseModel } from './model.ts'
import { digestOf } from './settings.ts'
import type { Settings } from './settings.ts'

export interface AskWish {
  readonly command: string
  readonly detach: boolean
  readonly model?: string
  readonly session?: string
  readonly tools: readonly string[]
  /** Told of what happens inside, if the run is made here. */
  readonly onDiagnostic?: (diagnostic: Diagnostic) => void
}

export interface AskBackend {
  readonly backend: Backend
  /** The model, instructions and tools to ask for. */
  readonly request: Pick<StartRequest, 'model' | 'system' | 'tools'>
}

export async function askBackend(settings: Settings, wish: AskWish): Promise<AskBackend> {
  const { config, places, store, cwd } = settings
  const { model, session, command, detach } = wish
  const providers = async () => (await import('./compose.ts')).providersOf(config)
  const chosen = await chooseModel(config, providers, {
    ...(model === undefined ? {} : { flag: model }),
    session: session !== undefined,
    command,
  })
  const tools = wish.tools.includes('all') ? await everyTool() : wish.tools
  const request = { ...chosen, ...(tools.length > 0 ? { tools } : {}) }

  const daemon = findDaemon(places.daemon)
  const difference = daemon ? differenceTo(daemon, settings, tools) : 'no daemon runs'
  const served = daemon && difference === undefined ? await reach(daemon, places) : undefined
  if (served) return { backend: served, request }
  if (detach) throw cannotDetach(difference ?? 'the daemon does not answer', command)

  const [{ compose }, { storeBackend }] = await Promise.all([import('./compose.ts'), import('./store-backend.ts')])
  const parts = compose(config, {
    ...(tools.length > 0 ? { toolRoot: cwd } : {}),
    ...(wish.onDiagnostic ? { onDiagnostic: wish.onDiagnostic } : {}),
  })
  const backend = await storeBackend(store, parts.powers)
  return {
    backend: {
      ...backend,
      async close() {
        await backend.close()
        await parts.close()
      },
    },
    request,
  }
}

async function reach(daemon: DaemonRecord, places: Places): Promise<Backend | undefined> {
  const { daemonBackend } = await import('./daemon-backend.ts')
  return daemonBackend(daemon, places)
}

async function everyTool(): Promise<string[]> {
  const { toolFactories } = await import('../tools/index.ts')
  return Object.keys(toolFactories)
}

/** Why the daemon would not do what this process would do; undefined if it would. */
function differenceTo(daemon: DaemonRecord, { config, store, cwd }: Settings, tools: readonly string[]) {
  if (daemon.store !== store) return `the daemon at ${daemon.url} keeps its runs in ${daemon.store}`
  if (daemon.settings !== digestOf(config)) {
    return `the daemon at ${daemon.url} was started with other settings (runlet.toml, keys, addresses)`
  }
  if (tools.length > 0 && daemon.cwd !== cwd) return `the tools of the daemon at ${daemon.url} see ${daemon.cwd}`
  return undefined
}

function cannotDetach(why: string, command: string): RunletError {
  return new RunletError('provider_unavailable', {
    reason: 'daemon_missing',
    message: `--detach leaves the run to a daemon, and ${why}. Start one with: ${command} serve &`,
  })
}
