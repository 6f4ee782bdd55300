/** The settings of one process: the flags it was given, over `runlet.toml`, over the environment. */
import { closeSync, fstatSync, openSync, readSync, realpathSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { RunletError } from '../core/error.ts'
import { CONFIG_FILE, valueOf } from './places.ts'
import type { Environment, Places } from './places.ts'
import { guarded, providersOf } from './providers.ts'
import type { ProviderSettings } from './providers.ts'
import type { ConfigFile } from './schema.ts'
import type { TomlFile } from './toml.ts'
import { trustIn } from './trust.ts'
import type { Trust } from './trust.ts'

export interface Config {
  /** The file that was read; undefined if there is none. */
  readonly source?: ConfigSource
  /** The model for requests that name none. */
  readonly model?: { readonly name: string; readonly from: 'flag' | 'file' | 'environment' }
  /** By name. `openai` and `ollama` are always there. */
  readonly providers: Readonly<Record<string, ProviderSettings>>
  /** By name: a model, or several of which the next is asked where one fails. */
  readonly aliases: Readonly<Record<string, string | readonly string[]>>
  readonly specialists: Readonly<Record<string, Specialist>>
  /** Names of the tools that `ask` offers where no flag names any. */
  readonly tools: readonly string[]
  readonly limits: NonNullable<ConfigFile['limits']>
  /** What all providers together may spend. */
  readonly budget: NonNullable<ConfigFile['budget']>
  /** `FILE:LINE:COLUMN` of a setting, or the place around it. */
  readonly where: (...path: string[]) => string
}

export interface ConfigSource {
  readonly path: string
  /** `folder`: it came with the working directory. `home`: it is the user's own. */
  readonly kind: 'folder' | 'home'
  readonly trust: Trust
}

/** A named AI: a model with instructions, or an endpoint. */
export interface Specialist {
  readonly model?: string
  readonly url?: string
  readonly system?: string
}

export interface LoadOptions {
  readonly cwd: string
  readonly places: Places
  readonly env: Environment
  readonly flags?: { readonly model?: string }
}

/** Longest configuration file. */
const MAX_BYTES = 1 << 20

/** A file that says what it may. */
export interface ParsedConfig {
  readonly file: ConfigFile
  readonly toml: TomlFile
  /** The keys that decide where requests and keys go, as paths. */
  readonly privileged: readonly (readonly string[])[]
}

/** Throws `invalid_request` with reason `config_invalid`: every fault of the file, one per line, each with its place. */
export async function parseConfig(content: Uint8Array, path: string): Promise<ParsedConfig> {
  // Most runs have no file, and then need neither the TOML parser nor the schema.
  const [{ readToml }, { checkConfig, privilegedKeys }] = await Promise.all([
    import('./toml.ts'),
    import('./schema.ts'),
  ])
  const toml = readToml(new TextDecoder().decode(content), path)
  const checked = checkConfig(toml.value)
  if ('complaints' in checked) {
    throw new RunletError('invalid_request', {
      reason: 'config_invalid',
      message: checked.complaints.map((complaint) => `${toml.where(complaint.path)}: ${complaint.what}`).join('\n'),
    })
  }
  return { file: checked.file, toml, privileged: privilegedKeys(checked.file) }
}

/**
 * Throws as `parseConfig`, and `forbidden` with reason `config_untrusted` when a file that came with the working directory asks for more than
 * a stranger may.
 */
export async function loadConfig({ cwd, places, env, flags = {} }: LoadOptions): Promise<Config> {
  const own = findFile(cwd, places)
  if (!own) return settle({ file: {}, env, flags, where: () => places.config })
  const { path, kind, content } = own
  const { toml, file, privileged: all } = await parseConfig(content, path)
  const trust = kind === 'home' ? 'trusted' : trustIn(places.trust, cwd, content)
  const [privileged] = all
  if (privileged && trust !== 'trusted') throw untrusted(toml.where(privileged), privileged, trust)
  return settle({
    file: trust === 'trusted' ? file : guarded(file, await homeFile(places)),
    source: { path, kind, trust },
    env,
    flags,
    where: (...key) => toml.where(key),
  })
}

async function homeFile({ config }: Places): Promise<ConfigFile> {
  const content = readConfigFile(config)
  return content ? (await parseConfig(content, config)).file : {}
}

/** The bytes of the `runlet.toml` in a folder; undefined if there is none. */
export function readConfigFile(path: string): Uint8Array | undefined {
  let file: number
  try {
    file = openSync(path, 'r')
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && (cause.code === 'ENOENT' || cause.code === 'ENOTDIR')) return
    throw unreadable(path, 'cannot be read', cause)
  }
  try {
    const stat = fstatSync(file)
    if (!stat.isFile()) throw unreadable(path, 'is not a file')
    if (stat.size > MAX_BYTES) throw unreadable(path, `is longer than ${MAX_BYTES} bytes`)
    const content = new Uint8Array(stat.size)
    return content.subarray(0, readSync(file, content))
  } finally {
    closeSync(file)
  }
}

function unreadable(path: string, what: string, cause?: unknown): RunletError {
  return new RunletError('invalid_request', {
    reason: 'config_invalid',
    message: `${path} ${what}; make it readable, or remove it`,
    cause,
  })
}

interface FoundFile {
  readonly path: string
  readonly kind: ConfigSource['kind']
  /** Read once: what was checked for trust is what is used. */
  readonly content: Uint8Array
}

function findFile(cwd: string, places: Places): FoundFile | undefined {
  const here = join(cwd, CONFIG_FILE)
  const content = readConfigFile(here)
  if (content) return { path: here, kind: isSame(cwd, dirname(places.config)) ? 'home' : 'folder', content }
  const home = readConfigFile(places.config)
  return home && { path: places.config, kind: 'home', content: home }
}

function isSame(a: string, b: string): boolean {
  try {
    return realpathSync(a) === realpathSync(b)
  } catch {
    return false
  }
}

function untrusted(where: string, path: readonly string[], trust: Trust): RunletError {
  const what = path.at(-1) === 'prices' ? 'what a budget counts' : 'where requests and keys go'
  const why = trust === 'changed' ? 'the file changed since you trusted it' : 'you have not trusted this folder'
  return new RunletError('forbidden', {
    reason: 'config_untrusted',
    message: `${where}: ${path.join('.')} decides ${what}, and ${why}. Read the file, then run: runlet trust`,
  })
}

interface Parts {
  readonly file: ConfigFile
  readonly source?: ConfigSource
  readonly env: Environment
  readonly flags: { readonly model?: string }
  readonly where: Config['where']
}

function settle({ file, source, env, flags, where }: Parts): Config {
  const model = modelOf(file, env, flags)
  return {
    ...(source ? { source } : {}),
    ...(model ? { model } : {}),
    providers: providersOf(file, env),
    aliases: file.aliases ?? {},
    specialists: specialistsOf(file),
    tools: file.tools ?? [],
    limits: file.limits ?? {},
    budget: file.budget ?? {},
    where,
  }
}

function modelOf(file: ConfigFile, env: Environment, flags: { readonly model?: string }): Config['model'] {
  if (flags.model !== undefined) return { name: flags.model, from: 'flag' }
  if (file.default_model !== undefined) return { name: file.default_model, from: 'file' }
  const name = valueOf(env, 'RUNLET_MODEL')
  return name === undefined ? undefined : { name, from: 'environment' }
}

function specialistsOf(file: ConfigFile): Record<string, Specialist> {
  const specialists: Record<string, Specialist> = {}
  for (const [name, { aliases = [], ...specialist }] of Object.entries(file.specialists ?? {})) {
    for (const called of [name, ...aliases]) specialists[called] = specialist
  }
  return specialists
}
