/** Limits and rules of the configuration, put around its providers. */
import type { Config } from '../config/load.ts'
import type { Guards, ProviderSettings } from '../config/providers.ts'
import { RunletError, toRunletError } from '../core/error.ts'
import type { Provider } from '../core/provider.ts'
import {
  budgeted,
  fallback,
  memoryLedger,
  rateLimited,
  safe,
  type Amount,
  type BudgetOptions,
  type BudgetWrapper,
  type Prices,
} from '../wrappers/wrappers.ts'

/** Puts around each provider what holds for it, and around all of them what holds for all. */
export function guard(providers: Readonly<Record<string, Provider>>, config: Config): Record<string, Provider> {
  const overall = budgetOf(config.budget)
  return Object.fromEntries(
    Object.entries(providers).map(([name, provider]) => {
      const settings = config.providers[name]
      return [name, settings ? guardOne(provider, { name, settings, overall, config }) : provider]
    }),
  )
}

interface One {
  readonly name: string
  readonly settings: ProviderSettings
  readonly overall: BudgetWrapper | undefined
  readonly config: Config
}

/** From the inside: what is sent, what it costs, what is shown. */
function guardOne(provider: Provider, { name, settings, overall, config }: One): Provider {
  const { rate_limit, budget, safety = [] } = settings.guards
  const prices = pricesOf(settings.guards.prices)
  let guarded = provider
  if (rate_limit) {
    const { requests_per_minute, tokens_per_minute, max_wait_ms, max_queued } = rate_limit
    guarded = rateLimited({
      ...(requests_per_minute === undefined ? {} : { requestsPerMinute: requests_per_minute }),
      ...(tokens_per_minute === undefined ? {} : { tokensPerMinute: tokens_per_minute }),
      ...(max_wait_ms === undefined ? {} : { maxWaitMs: max_wait_ms }),
      ...(max_queued === undefined ? {} : { maxQueued: max_queued }),
    })(guarded)
  }
  guarded = budgetOf(budget)?.(guarded, { prices }) ?? guarded
  guarded = overall?.(guarded, { prices }) ?? guarded
  return safety.length > 0 ? safeOne(guarded, { name, guards: settings.guards, config }) : guarded
}

/** Every limit of the file that is there; undefined if there is none. */
function budgetOf(set: Config['budget'] | undefined): BudgetWrapper | undefined {
  if (!set || Object.keys(set).length === 0) return undefined
  const run = amountOf(set.run_tokens, set.run_cost)
  const session = amountOf(set.session_tokens, set.session_cost)
  const options: BudgetOptions = { ...(run ? { run } : {}), ...(session ? { session } : {}), ledger: memoryLedger() }
  return budgeted(options)
}

function amountOf(tokens: number | undefined, cost: number | undefined): Amount | undefined {
  if (tokens === undefined && cost === undefined) return undefined
  return { ...(tokens === undefined ? {} : { tokens }), ...(cost === undefined ? {} : { cost }) }
}

function pricesOf(set: Guards['prices'] = {}): Prices {
  return Object.fromEntries(
    Object.entries(set).map(([model, { input, output, cached_input }]) => [
      model,
      { input, output, ...(cached_input === undefined ? {} : { cachedInput: cached_input }) },
    ]),
  )
}

/** Throws `invalid_request` with reason `config_invalid` and the place of the first rule that cannot be used. */
function safeOne(
  provider: Provider,
  { name, guards, config }: { readonly name: string; readonly guards: Guards; readonly config: Config },
): Provider {
  const { safety = [], safety_reasoning, safety_window } = guards
  const rules = safety.map(({ case_sensitive, words, pattern, replacement, ...rule }) => ({
    ...rule,
    ...(words ? { words } : {}),
    ...(pattern === undefined ? {} : { pattern }),
    ...(replacement === undefined ? {} : { replacement }),
    ...(case_sensitive === undefined ? {} : { caseSensitive: case_sensitive }),
  }))
  const options = {
    ...(safety_reasoning === undefined ? {} : { reasoning: safety_reasoning }),
    ...(safety_window === undefined ? {} : { window: safety_window }),
  }
  for (const [i, rule] of rules.entries()) {
    try {
      safe({ rules: [rule], ...options })
    } catch (thrown) {
      throw badRule(config.where('providers', name, 'safety', String(i), 'pattern'), toRunletError(thrown))
    }
  }
  return safe({ rules, ...options })(provider)
}

const badRule = (where: string, cause: RunletError) =>
  new RunletError('invalid_request', {
    reason: 'config_invalid',
    message: `${where}: ${cause.message}`,
    cause,
  })

/** How long a step may wait for its first content, where the configuration does not say; as the engine has it. */
const FIRST_CONTENT_MS = 120_000

/**
 * A provider for every alias that lists several models, named after the alias. `FAST` stands for `FAST/FIRST`, where
 * `FIRST` is the full name of its first model. The candidates share the time that a step has for its first content, so
 * that the last one has its turn before the engine gives up.
 */
export function fallbacks(
  config: Config,
  providers: Readonly<Record<string, Provider>>,
): { readonly providers: Record<string, Provider>; readonly aliases: Record<string, string> } {
  const { first_content_ms = FIRST_CONTENT_MS } = config.limits
  const made: Record<string, Provider> = {}
  const aliases: Record<string, string> = {}
  for (const [alias, models] of Object.entries(config.aliases)) {
    if (typeof models === 'string') {
      aliases[alias] = models
      continue
    }
    const candidates = models.map((full) => {
      const slash = full.indexOf('/')
      const name = full.slice(0, slash)
      return { name, provider: providers[name]!, model: full.slice(slash + 1) }
    })
    made[alias] = fallback(candidates, { firstContentMs: Math.floor(first_content_ms / candidates.length) })
    aliases[alias] = `${alias}/${models[0]!}`
  }
  return { providers: made, aliases }
}
