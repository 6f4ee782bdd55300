import { join, resolve } from 'node:path'
import type { Command } from 'commander'
import { parseConfig, readConfigFile } from '../config/load.ts'
import { CONFIG_FILE } from '../config/places.ts'
import { distrustFolder, trustFolder } from '../config/trust.ts'
import { RunletError } from '../core/error.ts'
import { sanitiseLine } from '../terminal/sanitise.ts'
import { printLines } from './output.ts'
import { myPlaces } from './settings.ts'

interface TrustFlags {
  readonly remove?: boolean
}

export function addTrust(program: Command): void {
  program
    .command('trust')
    .argument('[folder]', 'the folder whose runlet.toml you have read', '.')
    .summary("let a folder's runlet.toml name addresses and keys")
    .description(
      'A runlet.toml in a working directory may come from a stranger: until you trust it, it may choose models, ' +
        'prompts and read-only tools, but no address and no key. The trust is for the file as it is; when it changes, ' +
        'it has to be given again.',
    )
    .option('--remove', 'take the trust back')
    .addHelpText('after', '\nExample:\n  runlet trust ~/projects/demo')
    .action(async (folder: string, flags: TrustFlags) => trust(folder, flags))
}

async function trust(folder: string, { remove = false }: TrustFlags): Promise<void> {
  const { trust: store } = myPlaces()
  const path = resolve(folder)
  const file = join(path, CONFIG_FILE)
  const content = readConfigFile(file)
  if (!content && !remove) {
    throw new RunletError('not_found', {
      reason: 'config_missing',
      message: `there is no ${CONFIG_FILE} in ${path}; name the folder that has one: runlet trust FOLDER`,
    })
  }
  if (remove || !content) {
    return printLines([distrustFolder(store, path) ? `no longer trusted: ${path}` : `was not trusted: ${path}`])
  }
  // A file that cannot be read is refused before anything is recorded.
  const powers = await powersOf(content, file)
  trustFolder(store, { folder: path, content, now: Date.now() })
  await printLines([`trusted, as it is: ${file}`, ...powers])
}

/** What the file is trusted with, so that nobody trusts more than they meant to. */
async function powersOf(content: Uint8Array, path: string): Promise<string[]> {
  const { toml, privileged } = await parseConfig(content, path)
  return privileged.map((keys) => {
    const set = keys.reduce<unknown>((table, key) => (table as Record<string, unknown>)[key], toml.value)
    return `  ${sanitiseLine(`${keys.join('.')} = ${typeof set === 'string' ? set : JSON.stringify(set)}`)}`
  })
}
