/** Settings become parts: every provider, tool and limit that a process which makes runs is given. */
import type { Config } from '../config/load.ts'
import type { ProviderSettings } from '../config/providers.ts'
import { nearest } from '../core/near.ts'
import { RunletError, toRunletError } from '../core/error.ts'
import type { Provider } from '../core/provider.ts'
import type { Diagnostic } from '../engine/runtime.ts'
import { providers as apis } from '../providers/index.ts'
import type { ProviderApi } from '../providers/index.ts'
import { boxTools } from '../tools/index.ts'
import { fallbacks, guard } from './guards.ts'
import { simProvider } from './sim-provider.ts'
import type { Powers } from './store-backend.ts'

export interface Parts {
  readonly powers: Powers
  /** Stops what was started on the way: the simulator. */
  close(): Promise<void>
}

export interface ComposeOptions {
  /** The folder that tools may read. Without it there are none. */
  readonly toolRoot?: string
  readonly onDiagnostic?: (diagnostic: Diagnostic) => void
}

/** The model that `sim` stands for. */
const SIM_MODEL = 'sim/hello'

export function compose(config: Config, { toolRoot, onDiagnostic }: ComposeOptions = {}): Parts {
  const sim = simProvider()
  const single = { ...providersOf(config), sim }
  const several = fallbacks(config, single)
  const { first_content_ms, idle_ms, tool_ms, steps, attempts, parallel_tools, answer_chars } = config.limits
  return {
    powers: {
      providers: { ...single, ...several.providers },
      aliases: { sim: SIM_MODEL, ...several.aliases },
      ...(config.model ? { defaultModel: config.model.name } : {}),
      ...(toolRoot === undefined ? {} : { tools: boxTools({ root: toolRoot }) }),
      ...(onDiagnostic ? { onDiagnostic } : {}),
      limits: {
        ...(first_content_ms === undefined ? {} : { firstContentMs: first_content_ms }),
        ...(idle_ms === undefined ? {} : { idleMs: idle_ms }),
        ...(tool_ms === undefined ? {} : { toolMs: tool_ms }),
        ...(steps === undefined ? {} : { steps }),
        ...(attempts === undefined ? {} : { attempts }),
        ...(parallel_tools === undefined ? {} : { parallelTools: parallel_tools }),
        ...(answer_chars === undefined ? {} : { answerChars: answer_chars }),
      },
    },
    close: () => sim.close(),
  }
}

/**
 * Every provider of the configuration, with its limits and rules around it. One that cannot be used says so when it is
 * used: the others need not suffer for it. A rule that cannot be used is told at once: nobody is to go on without it.
 */
export function providersOf(config: Config): Record<string, Provider> {
  const made = Object.entries(config.providers).map(([name, settings]) => [name, providerOf(name, settings, config)])
  return guard(Object.fromEntries(made), config)
}

function providerOf(name: string, settings: ProviderSettings, config: Config): Provider {
  const { api, apiKey, apiKeyEnv, baseUrl, keyNeeded, dialect, headers, headersMissing } = settings
  if (!isApi(api)) {
    const known = Object.keys(apis)
    const meant = nearest(api, known)
    const hint = meant ? `did you mean "${meant}"?` : `there are ${known.join(', ')}`
    return unusable(
      api,
      new RunletError('unsupported', {
        reason: 'api_unknown',
        message: `${config.where('providers', name, 'api')}: there is no API "${api}"; ${hint}`,
      }),
    )
  }
  if (keyNeeded && apiKey === undefined) {
    return unusable(
      api,
      new RunletError('unauthorized', {
        reason: 'key_missing',
        message: `${name} needs a key, and ${apiKeyEnv} is not set where Runlet runs. Set it and try again: export ${apiKeyEnv}=…`,
        provider: name,
      }),
    )
  }
  const [missing] = headersMissing
  if (missing) {
    return unusable(
      api,
      new RunletError('unauthorized', {
        reason: 'key_missing',
        message: `${name} needs ${missing.env} for its header ${missing.header}, and it is not set where Runlet runs. Set it and try again: export ${missing.env}=…`,
        provider: name,
      }),
    )
  }
  try {
    return apis[api]({ name, base_url: baseUrl, api_key: apiKey, headers, ...dialect })
  } catch (thrown) {
    return unusable(api, toRunletError(thrown))
  }
}

function unusable(api: string, error: RunletError): Provider {
  return {
    api,
    capabilities: [],
    // oxlint-disable-next-line require-yield
    async *stream() {
      throw error
    },
    async models() {
      throw error
    },
  }
}

const isApi = (api: string): api is ProviderApi => Object.hasOwn(apis, api)
