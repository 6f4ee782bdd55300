/** What `doctor` looks at, in the order in which one thing needs the other. */
import { accessSync, constants } from 'node:fs'
import { dirname } from 'node:path'
import type { Config } from '../config/load.ts'
import type { ProviderSettings } from '../config/providers.ts'
import type { Places } from '../config/places.ts'
import { makePrivateFolder } from '../config/places.ts'
import { toRunletError } from '../core/error.ts'
import type { Provider } from '../core/provider.ts'
import { openLog } from '../logs/index.ts'
import { tokenFile } from '../servers/http/auth/token.ts'
import { providersOf } from './compose.ts'
import { daemonBackend } from './daemon-backend.ts'
import { findDaemon } from './daemon.ts'
import type { Finding } from './doctor.ts'
import { invocation } from './invocation.ts'
import { chooseModel } from './model.ts'
import { digestOf, loadSettings, myPlaces, storePlace } from './settings.ts'
import { durationOf } from './words.ts'

const PROBE_MS = 3_000

export async function examine(flags: { readonly store?: string }): Promise<Finding[]> {
  const places = myPlaces()
  const { finding: configuration, config } = await examineConfig(places)
  const findings: Finding[] = [
    { name: 'node', state: 'ok', text: `${process.version} on ${process.platform}` },
    await attempt('home', () => examineHome(places)),
    configuration,
    await attempt('store', () => examineStore(storePlace(flags.store, places))),
    await attempt('token', async () => {
      await tokenFile(places.token)
      return { name: 'token', state: 'ok', text: `${places.token}, for you only` }
    }),
    await attempt('daemon', () => examineDaemon(places, config)),
  ]
  if (!config) return findings
  const providers = providersOf(config)
  const reachable = await Promise.all(
    Object.entries(config.providers).map(([name, settings]) => examineProvider(name, settings, providers[name]!)),
  )
  return [...findings, ...reachable, await examineModel(config, providers)]
}

/** What an examination throws is what is broken; its message says how to mend it. */
async function attempt(name: string, look: () => Promise<Finding>): Promise<Finding> {
  try {
    return await look()
  } catch (thrown) {
    return broken(name, thrown)
  }
}

function broken(name: string, thrown: unknown): Finding {
  const text = fileTrouble(thrown) ?? toRunletError(thrown).message
  return { name, state: 'broken', text }
}

/** What the system says of a file that could not be used; undefined for anything else. */
function fileTrouble(thrown: unknown): string | undefined {
  if (!(thrown instanceof Error) || !('code' in thrown) || !('path' in thrown)) return undefined
  const { code, path } = thrown as NodeJS.ErrnoException
  const why: Readonly<Record<string, string>> = {
    ENOTDIR: 'it lies below something that is no folder',
    ENOENT: 'its folder is not there',
    EACCES: 'it may not be read or written',
    EPERM: 'it may not be read or written',
    EROFS: 'its file system is read-only',
    ENOSPC: 'its disk is full',
  }
  return `${path} cannot be used: ${why[code ?? ''] ?? code}`
}

async function examineHome(places: Places): Promise<Finding> {
  const folders = [...new Set([dirname(places.database), dirname(places.token), dirname(places.daemon)])]
  for (const folder of folders) {
    makePrivateFolder(folder)
    try {
      accessSync(folder, constants.W_OK | constants.X_OK)
    } catch {
      const fix = `make it yours (chown, chmod u+rwx), or set RUNLET_HOME to a folder that is`
      return { name: 'home', state: 'broken', text: `${folder} cannot be written`, fix }
    }
  }
  return { name: 'home', state: 'ok', text: folders.join(', ') }
}

async function examineConfig(places: Places): Promise<{ finding: Finding; config?: Config }> {
  try {
    const { config } = await loadSettings({})
    if (!config.source) {
      const text = `no runlet.toml here or at ${places.config}; none is needed`
      return { config, finding: { name: 'config', state: 'absent', text } }
    }
    const { path, kind, trust } = config.source
    const whose =
      kind === 'home' ? 'yours' : trust === 'trusted' ? 'trusted' : 'not trusted, and asking for nothing that needs it'
    return { config, finding: { name: 'config', state: 'ok', text: `${path} (${whose})` } }
  } catch (thrown) {
    return { finding: broken('config', thrown) }
  }
}

async function examineStore(store: string): Promise<Finding> {
  const log = await openLog(store)
  try {
    const [level] = log.levels
    const dead = await log.orphans()
    const text = `${store}, durability ${level}`
    if (dead.length === 0) return { name: 'store', state: 'ok', text }
    return {
      name: 'store',
      state: 'warning',
      text: `${text}; ${dead.length} runs belong to processes that died`,
      fix: '"runlet runs" ends them',
    }
  } finally {
    await log.close()
  }
}

async function examineDaemon(places: Places, config: Config | undefined): Promise<Finding> {
  const name = 'daemon'
  const daemon = findDaemon(places.daemon)
  if (!daemon) {
    const text = 'none runs; "ask" makes its runs itself'
    return { name, state: 'absent', text, fix: 'for --detach and HTTP: runlet serve' }
  }
  const about = `${daemon.url} (pid ${daemon.pid}), ${daemon.store}`
  const backend = await daemonBackend(daemon, places)
  if (!backend) {
    return { name, state: 'broken', text: `${about} does not answer`, fix: `stop it with: kill ${daemon.pid}` }
  }
  await backend.list({ limit: 1 })
  if (config && daemon.settings !== digestOf(config)) {
    return {
      name,
      state: 'warning',
      text: `${about}; it was started with other settings, so "ask" makes its runs itself`,
      fix: `start it again: kill ${daemon.pid}; runlet serve`,
    }
  }
  return { name, state: 'ok', text: about }
}

async function examineProvider(name: string, settings: ProviderSettings, provider: Provider): Promise<Finding> {
  const at = settings.baseUrl === undefined ? '' : ` at ${settings.baseUrl}`
  const started = Date.now()
  try {
    const models = await provider.models({ signal: AbortSignal.timeout(PROBE_MS) })
    const took = durationOf(Date.now() - started)
    const text = `${settings.api}${at}: ${models.length} ${models.length === 1 ? 'model' : 'models'}, answered in ${took}`
    if (models.length > 0) return { name, state: 'ok', text }
    const fix = settings.api === 'ollama' ? 'get one: ollama pull qwen3' : 'load a model there'
    return { name, state: 'warning', text, fix }
  } catch (thrown) {
    const { message } = toRunletError(thrown)
    if (settings.configured) return { name, state: 'broken', text: message }
    return { name, state: 'absent', text: `not configured (${message})` }
  }
}

async function examineModel(config: Config, providers: Readonly<Record<string, Provider>>): Promise<Finding> {
  const name = 'model'
  const command = invocation()
  try {
    const { model } = await chooseModel(config, async () => providers, { session: false, command })
    const from = { file: 'runlet.toml', environment: 'RUNLET_MODEL', flag: '--model' }
    const source = config.model ? from[config.model.from] : 'found; name another with --model or RUNLET_MODEL'
    return { name, state: 'ok', text: `${model} answers where none is named (${source})` }
  } catch (thrown) {
    return { name, state: 'warning', text: toRunletError(thrown).message }
  }
}
