import { z } from 'zod'
import { RunletError } from '../../../core/error.ts'
import type { JsonObject, JsonValue } from '../../../core/json.ts'
import { isRecord } from '../../../wire/json.ts'

/** What a body says, and what it says besides. */
export interface Checked<T> {
  readonly value: T
  /** Members that nobody here knows, as `options.temprature` or `messages[].nmae`. They change nothing. */
  readonly unknown: readonly string[]
}

/** Any JSON, as it is. */
export const anyJson = z.custom<JsonValue>((value) => value !== undefined, 'expected a JSON value, and there is none')

/** A JSON object, as it is. */
export const anyObject = z.custom<JsonObject>(isRecord, 'expected an object').meta({ type: 'object' })

/**
 * Checks a body, and finds its members that the schema does not know: they are left out, so that a client may say more
 * than this server understands, and told, so that a slip is found. Throws `invalid_request` with reason `body_invalid`,
 * which names each fault, and what was expected instead.
 */
export function checked<T>(schema: z.ZodType<T>, json: JsonObject): Checked<T> {
  const result = schema.safeParse(json)
  if (!result.success) throw notAccepted(result.error.issues.slice(0, 5).map(describe).join('; '))
  const unknown = new Set<string>()
  collectUnknown(json, result.data, '', unknown)
  return { value: result.data, unknown: [...unknown] }
}

/** For a body that says something wrong at `place`, found behind its schema. */
export const invalid = (place: string, what: string): RunletError => notAccepted(`${place}: ${what}`)

function notAccepted(faults: string): RunletError {
  return new RunletError('invalid_request', {
    reason: 'body_invalid',
    message: `the body is not accepted: ${faults}`,
  })
}

function describe(issue: z.core.$ZodIssue): string {
  return `${issue.path.map(String).join('.') || 'it'}: ${fault(issue)}`
}

/** Of several things that were possible, each says what it would have been. */
function fault(issue: z.core.$ZodIssue): string {
  const own = issue.message.replace(/^Invalid input: /, '')
  if (own !== 'Invalid input' || issue.code !== 'invalid_union') return own
  const each = issue.errors.flatMap((issues) => issues.slice(0, 1).map(describeInside))
  return [...new Set(each)].join(', or ') || own
}

const describeInside = (issue: z.core.$ZodIssue): string => (issue.path.length === 0 ? fault(issue) : describe(issue))

/** More of them help nobody. */
const MOST_UNKNOWN = 10

/** Walks what was given beside what was taken of it; what was taken as it is has nothing unknown in it. */
function collectUnknown(given: unknown, taken: unknown, place: string, found: Set<string>): void {
  if (given === taken || found.size >= MOST_UNKNOWN) return
  if (Array.isArray(given) && Array.isArray(taken)) {
    given.forEach((member, i) => collectUnknown(member, taken[i], `${place}[]`, found))
  } else if (isRecord(given) && isRecord(taken)) {
    for (const [name, member] of Object.entries(given)) {
      const path = place === '' ? shown(name) : `${place}.${shown(name)}`
      if (Object.hasOwn(taken, name)) collectUnknown(member, taken[name], path, found)
      else if (found.size < MOST_UNKNOWN) found.add(path)
    }
  }
}

/** A name that a stranger chose, fit for a header and for a list. */
function shown(name: string): string {
  const short = name.slice(0, 40).replaceAll(/[^\w-]/g, '?')
  return short === '' ? '?' : short
}

/** The response header that tells of members that were ignored; nothing where there are none. */
export function unknownHeader(unknown: readonly string[]): Record<string, string> {
  return unknown.length === 0 ? {} : { 'X-Unknown-Members': unknown.join(', ') }
}
