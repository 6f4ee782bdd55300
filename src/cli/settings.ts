/** What one invocation works with: places, configuration, the store. */
import { createHash } from 'node:crypto'
import { homedir } from 'node:os'
import { resolve } from 'node:path'
import { loadConfig } from '../config/load.ts'
import type { Config } from '../config/load.ts'
import { placesOf } from '../config/places.ts'
import type { Places } from '../config/places.ts'

export interface Settings {
  readonly places: Places
  readonly config: Config
  /** As `openLog` takes it. */
  readonly store: string
  readonly cwd: string
}

/** Flags that any command may have. */
export interface CommonFlags {
  readonly verbose?: boolean
  readonly json?: boolean
  readonly store?: string
  readonly model?: string
}

export function myPlaces(): Places {
  return placesOf({ env: process.env, home: homedir(), cwd: process.cwd() })
}

/** One spelling for one store, so that two processes can tell whether they mean the same. */
export function storePlace(flag: string | undefined, places: Places): string {
  if (flag === undefined) return places.database
  const sqlite = /^sqlite:(.*)$/i.exec(flag)
  // One letter before a colon is a drive.
  return sqlite || !/^[a-z][a-z0-9+-]+:/i.test(flag) ? resolve(sqlite?.[1] ?? flag) : flag
}

export async function loadSettings(flags: CommonFlags): Promise<Settings> {
  const places = myPlaces()
  const cwd = process.cwd()
  const config = await loadConfig({
    cwd,
    places,
    env: process.env,
    flags: flags.model === undefined ? {} : { model: flags.model },
  })
  return { places, config, store: storePlace(flags.store, places), cwd }
}

/** Two processes with the same digest ask the same models with the same keys. */
export function digestOf({ providers, aliases, limits, budget }: Config): string {
  return createHash('sha256')
    .update(JSON.stringify([providers, aliases, limits, budget]))
    .digest('hex')
}
