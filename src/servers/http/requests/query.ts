import { RunletError } from '../../../core/error.ts'
import { quoted } from '../../../core/quote.ts'

/**
 * The query parameters of a request, each at most once. One that is not known is refused: a misspelt `after` would
 * otherwise be an answer from the start. Throws `invalid_request` with reason `unknown_parameter` or
 * `repeated_parameter`.
 */
export function readQuery<K extends string>(url: string, known: readonly K[]): Partial<Record<K, string>> {
  const query: Partial<Record<K, string>> = {}
  for (const [name, value] of new URL(url).searchParams) {
    if (!isOneOf(name, known)) {
      const those = known.length === 0 ? 'there are none' : `known are ${known.join(', ')}`
      throw bad('unknown_parameter', `there is no query parameter ${quoted(name)}; ${those}`)
    }
    if (query[name] !== undefined) throw bad('repeated_parameter', `the query parameter "${name}" is given twice`)
    query[name] = value
  }
  return query
}

/** Reads `1`, `true`, `0` or `false`. Throws `invalid_request` with reason `bad_parameter`. */
export function readFlag(name: string, value: string | undefined): boolean | undefined {
  if (value === undefined) return undefined
  if (value === '1' || value === 'true') return true
  if (value === '0' || value === 'false') return false
  throw badParameter(name, value, '1 or 0')
}

/** Reads a whole number of at least `least`. Throws `invalid_request` with reason `bad_parameter`. */
export function readCount(name: string, value: string | undefined, least: number): number | undefined {
  if (value === undefined) return undefined
  const count = /^\d{1,15}$/.test(value) ? Number(value) : NaN
  if (count >= least) return count
  throw badParameter(name, value, `a whole number from ${least} on`)
}

/** Reads one of some words. Throws `invalid_request` with reason `bad_parameter`. */
export function readWord<K extends string>(
  name: string,
  value: string | undefined,
  words: readonly K[],
): K | undefined {
  if (value === undefined || isOneOf(value, words)) return value
  throw badParameter(name, value, `one of ${words.join(', ')}`)
}

const isOneOf = <K extends string>(word: string, words: readonly K[]): word is K =>
  (words as readonly string[]).includes(word)

function badParameter(name: string, value: string, wanted: string): RunletError {
  return bad('bad_parameter', `the query parameter "${name}" is ${quoted(value)}; give ${wanted}`)
}

function bad(reason: string, message: string): RunletError {
  return new RunletError('invalid_request', { reason, message })
}
