/** Options that several commands share, and how their values are read. */
import { InvalidArgumentError, Option } from 'commander'
import { myPlaces, storePlace } from './settings.ts'
import type { Settings } from './settings.ts'

export const storeOption = () =>
  new Option(
    '--store <place>',
    'where runs are kept: a file, sqlite:PATH, or memory: (default: runlet.db in your home)',
  )

/** A whole number from `least` on. */
export function countOption(flags: string, description: string, least = 1): Option {
  return new Option(flags, description).argParser((text) => {
    const value = Number(text)
    if (/^\d{1,9}$/.test(text) && value >= least) return value
    throw new InvalidArgumentError(`It must be a whole number, at least ${least}.`)
  })
}

export function numberOption(flags: string, description: string, [least, most]: readonly [number, number]): Option {
  return new Option(flags, description).argParser((text) => {
    const value = Number(text)
    if (/^\d*\.?\d+$/.test(text) && value >= least && value <= most) return value
    throw new InvalidArgumentError(`It must be a number from ${least} to ${most}.`)
  })
}

/** An option that may be given several times. */
export const collect = (value: string, before: readonly string[] = []): string[] => [...before, value]

/** What commands need that look at runs, and no configuration. */
export function storeOf(flag: string | undefined): Pick<Settings, 'places' | 'store'> {
  const places = myPlaces()
  return { places, store: storePlace(flag, places) }
}
