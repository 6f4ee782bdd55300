import type { Command } from 'commander'
import { toRunletError } from '../core/error.ts'
import { sanitiseLine } from '../terminal/sanitise.ts'
import { printJson, printLines } from './output.ts'
import { complain, exitStatus } from './report.ts'
import { loadSettings } from './settings.ts'

interface ModelsFlags {
  readonly json?: boolean
}

/** What `--model` takes, and what it stands for where that is not itself. */
interface ModelRow {
  readonly model: string
  readonly alias_of?: string | readonly string[]
  readonly specialist?: string
}

/** How long a provider may take to list its models. Milliseconds. */
const PATIENCE_MS = 5_000

export function addModels(program: Command): void {
  program
    .command('models')
    .summary('list the models that can be asked')
    .description(
      'Lists every model that the configured providers offer, as --model takes it, then the aliases and specialists. ' +
        'Providers that cannot be reached are named on stderr.',
    )
    .option('--json', 'one JSON object per line')
    .addHelpText('after', '\nExample:\n  runlet models | grep qwen')
    .action(async (flags: ModelsFlags) => models(flags))
}

async function models({ json }: ModelsFlags): Promise<void> {
  const { config } = await loadSettings({})
  const { compose } = await import('./compose.ts')
  const parts = compose(config)
  try {
    const { providers } = parts.powers
    const listed = await Promise.all(
      Object.entries(providers).map(async ([name, provider]) => {
        // What an alias lists is listed where it comes from.
        if (Object.hasOwn(config.aliases, name)) return []
        try {
          const found = await provider.models({ signal: AbortSignal.timeout(PATIENCE_MS) })
          return found.map(({ id }) => ({ model: `${name}/${id}` }))
        } catch (thrown) {
          // OpenAI and Ollama exist without being configured; then nobody misses them.
          if (config.providers[name]?.configured) {
            complain(`${name}: ${toRunletError(thrown).message}`)
            process.exitCode = exitStatus.error
          }
          return []
        }
      }),
    )
    const rows: ModelRow[] = [
      ...listed.flat(),
      ...Object.entries(config.aliases).map(([alias, model]) => ({ model: alias, alias_of: model })),
      ...Object.entries(config.specialists).map(([name, { model, url }]) => ({
        model: name,
        specialist: model ?? url,
      })),
    ]
    if (json) return await printJson(rows)
    await printLines(
      rows.map(({ model, alias_of, specialist }) => {
        const target = typeof alias_of === 'object' ? alias_of.join(', ') : (alias_of ?? specialist)
        return sanitiseLine(target === undefined ? model : `${model} -> ${target}`)
      }),
    )
  } finally {
    await parts.close()
  }
}
