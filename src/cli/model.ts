/** Which model a request goes to, when the user may have named it in five ways or not at all. */
import type { Config } from '../config/load.ts'
import type { Provider } from '../core/provider.ts'
import { RunletError } from '../core/error.ts'

/** What `ask` puts into its request. */
export interface ChosenModel {
  /** Absent: the session's own. */
  readonly model?: string
  /** The instructions of a specialist. */
  readonly system?: string
}

export interface ModelWish {
  /** What `--model` said. */
  readonly flag?: string
  /** Whether a session is continued, which has a model of its own. */
  readonly session: boolean
  /** How to call this program, for hints. */
  readonly command: string
}

/** The model that answers where OpenAI's own API is asked and nobody named one. */
const OPENAI_DEFAULT = 'gpt-5-mini'

/** How long a provider may take to say whether it is there. Milliseconds. */
const PROBE_MS = 1_500

/**
 * `--model`, else the session's, else the configuration's, else what is there: OpenAI if there is a key, a local
 * Ollama's newest model. Throws `invalid_request` with reason `model_missing` when there is nothing to ask.
 */
export async function chooseModel(
  config: Config,
  providers: () => Promise<Readonly<Record<string, Provider>>>,
  { flag, session, command }: ModelWish,
): Promise<ChosenModel> {
  if (flag === undefined && session) return {}
  const name = flag ?? config.model?.name
  if (name !== undefined) return Object.hasOwn(config.specialists, name) ? specialist(config, name) : { model: name }
  const found = (await openaiModel(config, providers)) ?? (await ollamaModel(providers))
  if (found !== undefined) return { model: found }
  throw nothingToAsk(command)
}

function nothingToAsk(command: string): RunletError {
  const ways: [way: string, what: string][] = [
    ['export OPENAI_API_KEY=…', 'use OpenAI'],
    ['ollama pull qwen3', 'use a model on this machine (https://ollama.com)'],
    [`${command} ask --model sim "hello"`, 'try it offline, with the simulator'],
  ]
  const width = Math.max(...ways.map(([way]) => way.length))
  const lines = ways.map(([way, what]) => `  ${way.padEnd(width)}   ${what}`)
  return new RunletError('invalid_request', {
    reason: 'model_missing',
    message: `there is no model to ask: OPENAI_API_KEY is not set, and no Ollama with a model answers. Do one of these:\n${lines.join('\n')}`,
  })
}

function specialist(config: Config, name: string): ChosenModel {
  const { model, system } = config.specialists[name]!
  if (model === undefined) {
    throw new RunletError('unsupported', {
      reason: 'specialist_remote',
      message: `${config.where('specialists', name)}: ${name} answers at a URL, which "ask" cannot use; name a specialist that has a model`,
    })
  }
  return { model, ...(system === undefined ? {} : { system }) }
}

async function openaiModel(
  { providers: settings }: Config,
  providers: () => Promise<Readonly<Record<string, Provider>>>,
): Promise<string | undefined> {
  const { apiKey, baseUrl } = settings['openai']!
  if (baseUrl === undefined) return apiKey === undefined ? undefined : `openai/${OPENAI_DEFAULT}`
  // Another server behind OpenAI's API: only it knows its models.
  const names = await modelsOf((await providers())['openai']!)
  const name = names.find((id) => id === OPENAI_DEFAULT) ?? (names.length === 1 ? names[0] : undefined)
  if (name !== undefined || names.length === 0) return name && `openai/${name}`
  throw new RunletError('invalid_request', {
    reason: 'model_missing',
    message: `${baseUrl} has ${names.length} models; name one with --model, for example --model openai/${names[0]}`,
  })
}

async function ollamaModel(providers: () => Promise<Readonly<Record<string, Provider>>>): Promise<string | undefined> {
  const [newest] = await modelsOf((await providers())['ollama']!)
  return newest && `ollama/${newest}`
}

/** No models where the provider cannot be reached: this only looks around. */
async function modelsOf(provider: Provider): Promise<string[]> {
  try {
    return (await provider.models({ signal: AbortSignal.timeout(PROBE_MS) })).map(({ id }) => id)
  } catch {
    return []
  }
}
