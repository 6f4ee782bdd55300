/** What a configuration says of its providers, completed from the environment. */
import { valueOf } from './places.ts'
import type { Environment } from './places.ts'
import type { ConfigFile } from './schema.ts'

export interface ProviderSettings {
  /** A row of `providers/index.ts`. */
  readonly api: string
  readonly baseUrl?: string
  readonly server?: 'llama.cpp' | 'vllm' | 'ollama'
  /** Where the server differs from what its host lets one expect; as they stand in the file. */
  readonly dialect: Pick<FileProvider, (typeof dialectKeys)[number]>
  /** Sent with every request; never printed. */
  readonly headers?: Readonly<Record<string, string>>
  /** Headers whose value was to come from a variable that is not set. */
  readonly headersMissing: readonly { readonly header: string; readonly env: string }[]
  /** What holds for the calls of this provider; as they stand in the file. */
  readonly guards: Guards
  /** The environment variable that holds the key. */
  readonly apiKeyEnv?: string
  /** What stands in it. Never printed. */
  readonly apiKey?: string
  /** Whether nothing can be asked without the key. */
  readonly keyNeeded: boolean
  /** False for `openai` and `ollama` as long as neither the file nor the environment speaks of them. */
  readonly configured: boolean
}

type FileProvider = NonNullable<ConfigFile['providers']>[string]

const dialectKeys = ['end_mark', 'max_tokens_field', 'ask_usage', 'reasoning_back'] as const
const guardKeys = ['rate_limit', 'budget', 'prices', 'safety', 'safety_reasoning', 'safety_window'] as const

/** Limits and rules of one provider. */
export type Guards = Pick<FileProvider, (typeof guardKeys)[number]>

/** The providers that exist without being configured. */
export const builtIn: Readonly<Record<string, { api: string; baseUrlEnv: string; apiKeyEnv?: string }>> = {
  openai: { api: 'openai-chat', baseUrlEnv: 'OPENAI_BASE_URL', apiKeyEnv: 'OPENAI_API_KEY' },
  ollama: { api: 'ollama', baseUrlEnv: 'OLLAMA_HOST' },
}

/** The settings of every provider that the file names, and of those that are always there. */
export function providersOf(file: ConfigFile, env: Environment): Record<string, ProviderSettings> {
  const providers: Record<string, ProviderSettings> = {}
  for (const name of new Set([...Object.keys(builtIn), ...Object.keys(file.providers ?? {})])) {
    const known = Object.hasOwn(builtIn, name) ? builtIn[name] : undefined
    const told = file.providers?.[name]
    const baseUrl = told?.base_url ?? (known && valueOf(env, known.baseUrlEnv))
    const apiKeyEnv = told?.api_key_env ?? known?.apiKeyEnv
    const apiKey = apiKeyEnv === undefined ? undefined : valueOf(env, apiKeyEnv)
    providers[name] = {
      api: told?.api ?? known?.api ?? 'openai-chat',
      ...(baseUrl === undefined ? {} : { baseUrl }),
      ...(told?.server === undefined ? {} : { server: told.server }),
      dialect: picked(told, dialectKeys),
      ...headersOf(told, env),
      guards: picked(told, guardKeys),
      ...(apiKeyEnv === undefined ? {} : { apiKeyEnv }),
      ...(apiKey === undefined ? {} : { apiKey }),
      // A server of one's own behind OPENAI_BASE_URL may ask for none; a key that the file names must be there.
      keyNeeded: told?.api_key_env !== undefined || (known?.apiKeyEnv !== undefined && baseUrl === undefined),
      configured: told !== undefined || baseUrl !== undefined || apiKey !== undefined,
    }
  }
  return providers
}

function headersOf(
  told: FileProvider | undefined,
  env: Environment,
): Pick<ProviderSettings, 'headers' | 'headersMissing'> {
  const headers: Record<string, string> = {}
  const headersMissing: { header: string; env: string }[] = []
  for (const [header, given] of Object.entries(told?.headers ?? {})) {
    const value = typeof given === 'string' ? given : valueOf(env, given.env)
    if (value !== undefined) headers[header] = value
    else if (typeof given === 'object') headersMissing.push({ header, env: given.env })
  }
  return { ...(Object.keys(headers).length > 0 ? { headers } : {}), headersMissing }
}

/** A stranger's file goes in the place of the user's own, but not in that of the limits that the user set. */
export function guarded(file: ConfigFile, own: ConfigFile): ConfigFile {
  const names = new Set([...Object.keys(file.providers ?? {}), ...Object.keys(own.providers ?? {})])
  const providers: Record<string, FileProvider> = {}
  for (const name of names) {
    const theirs = file.providers?.[name]
    const mine = own.providers?.[name]
    // What else the user says of a provider holds in the user's own folders only: it may not even be the same one.
    const guards = picked(mine, guardKeys)
    if (theirs || (Object.hasOwn(builtIn, name) && Object.keys(guards).length > 0)) {
      providers[name] = { ...theirs, ...guards }
    }
  }
  const budget = own.budget ?? file.budget
  return { ...file, providers, ...(budget ? { budget } : {}) }
}

/** These members of `from`, as far as they are there. */
function picked<Key extends keyof FileProvider>(from: FileProvider | undefined, keys: readonly Key[]) {
  const entries = keys.flatMap((key) => (from?.[key] === undefined ? [] : [[key, from[key]] as const]))
  return Object.fromEntries(entries) as Pick<FileProvider, Key>
}
