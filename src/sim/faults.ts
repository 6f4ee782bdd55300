/**
 * Faults as text: `cut=500`, `status=429,retry-after=2`, `drip=1&every=10`. The same spelling serves the flag
 * `--fault`, the header `X-Sim-Fault` and the end of a model's name (`echo?cut=500,rst`), which every client passes
 * on as it is.
 */
import { RunletError } from '../core/error.ts'

/** What is to go wrong with an answer. Bytes are counted in its body, without the chunk framing of HTTP. */
export interface Faults {
  /** Close the connection (FIN) after so many bytes. A body that is shorter ends as usual. */
  readonly cut?: number
  /** Let `cut` reset the connection (RST) instead, 50 ms after the bytes; alone it means `cut` 0. */
  readonly rst?: boolean
  /** End the answer after so many bytes as if it were whole: HTTP is satisfied, the stream is not. */
  readonly end?: number
  /** Fall silent after so many bytes, connection open. `headers`: before the headers. */
  readonly stall?: number | 'headers'
  /** Write so many bytes at a time. */
  readonly drip?: number
  /** Between two such writes. Milliseconds. Default 1. */
  readonly every?: number
  /** Answer with this HTTP status and an error of the API's own shape. */
  readonly status?: number
  /** `Retry-After` of such an answer, as it is. */
  readonly retryAfter?: string
  /** Break the JSON of this frame: 1 is the first. */
  readonly malformed?: number
  readonly contentType?: string
  /** After so many frames send an error of the API's own shape, under HTTP 200, and end. */
  readonly error?: number
  /** Leave out the mark that ends the stream: `[DONE]`, `done: true`. */
  readonly noDone?: boolean
  /** Wait before the headers. Milliseconds. */
  readonly slowHeaders?: number
  /** The faults hold for the first so many requests only; without any other fault those are answered with 503. */
  readonly failFirst?: number
  /** Pace of the answer, which is no fault but is chosen in the same places. `Infinity`: no waiting at all. */
  readonly tokensPerSecond?: number
}

interface Term {
  /** What stands after `=`; absent if nothing may. */
  readonly value?: string
  /** Whether the value may be left out. */
  readonly optional?: boolean
  readonly about: string
  readonly read: (value: string) => Faults | undefined
}

const integer = (value: string, min: number, max: number): number | undefined =>
  /^\d{1,9}$/.test(value) && Number(value) >= min && Number(value) <= max ? Number(value) : undefined

const whole =
  (key: keyof Faults, min = 0, max = 999_999_999) =>
  (value: string): Faults | undefined => {
    const read = integer(value, min, max)
    return read === undefined ? undefined : { [key]: read }
  }

/** Every term, in the order of the help text. */
export const faultTerms = {
  cut: { value: 'BYTES', about: 'close the connection after so many bytes of the body', read: whole('cut') },
  rst: { about: 'with cut: reset the connection instead of closing it', read: () => ({ rst: true }) },
  end: { value: 'BYTES', about: 'end the answer after so many bytes as if it were whole', read: whole('end') },
  stall: {
    value: 'BYTES',
    optional: true,
    about: 'fall silent after so many bytes; without a number, before the headers',
    read: (value) => (value === '' ? { stall: 'headers' } : whole('stall')(value)),
  },
  drip: { value: 'BYTES', about: 'write so many bytes at a time', read: whole('drip', 1) },
  every: {
    value: 'MS',
    about: 'with drip: wait so long between two writes (default 1)',
    read: whole('every', 1, 3_600_000),
  },
  status: { value: 'CODE', about: 'answer with this HTTP status, 400 to 599', read: whole('status', 400, 599) },
  'retry-after': {
    value: 'SECONDS',
    about: 'with status: the Retry-After header; a date must be percent-encoded',
    read: (value) => (/^[\x20-\x7e]{1,100}$/.test(value) ? { retryAfter: value } : undefined),
  },
  malformed: { value: 'N', about: 'break the JSON of frame N', read: whole('malformed', 1) },
  'content-type': {
    value: 'TYPE',
    about: 'answer with this Content-Type',
    read: (value) => (/^[\x21-\x7e][\x20-\x7e]{0,99}$/.test(value) ? { contentType: value } : undefined),
  },
  error: { value: 'N', about: 'send an error object after N frames, and end', read: whole('error') },
  'no-done': { about: 'leave out the mark that ends the stream', read: () => ({ noDone: true }) },
  'slow-headers': { value: 'MS', about: 'wait so long before the headers', read: whole('slowHeaders', 0, 3_600_000) },
  'fail-first': {
    value: 'N',
    about: 'only the first N requests have the faults (alone: they are answered with 503)',
    read: whole('failFirst', 1),
  },
  tps: {
    value: 'NUMBER',
    about: 'tokens per second, or max',
    read: (value) => {
      const tokensPerSecond = parsePace(value)
      return tokensPerSecond === undefined ? undefined : { tokensPerSecond }
    },
  },
} as const satisfies Record<string, Term>

/** Tokens per second from a positive number or `max` (`Infinity`); undefined for anything else. */
export function parsePace(value: string): number | undefined {
  if (value === 'max') return Number.POSITIVE_INFINITY
  const number = /^\d{1,6}(\.\d{1,6})?$/.test(value) ? Number(value) : 0
  return number > 0 ? number : undefined
}

/**
 * Reads terms `name` or `name=value` between `&`, `,` or `:`; values may be percent-encoded. A later term wins.
 * Throws `invalid_request` with reason `fault_unknown` (naming the known ones) or `fault_value`.
 */
export function parseFaults(text: string): Faults {
  let faults: Faults = {}
  for (const term of text.split(/[&,:]/).map((part) => part.trim())) {
    if (term === '') continue
    const [name = '', ...rest] = term.split('=')
    if (!Object.hasOwn(faultTerms, name)) {
      throw new RunletError('invalid_request', {
        reason: 'fault_unknown',
        message: `the simulator knows no fault "${name.slice(0, 40)}"; it knows ${Object.keys(faultTerms).join(', ')}`,
      })
    }
    const known: Term = faultTerms[name as keyof typeof faultTerms]
    const value = rest.length === 0 ? undefined : decoded(rest.join('='))
    const read = value === undefined ? !known.value || known.optional : known.value && value !== ''
    const fault = read ? known.read(value ?? '') : undefined
    if (!fault) throw badValue(name, known, value)
    faults = { ...faults, ...fault }
  }
  return faults
}

function decoded(value: string): string {
  try {
    return decodeURIComponent(value)
  } catch {
    return value
  }
}

function badValue(name: string, term: Term, value: string | undefined): RunletError {
  const usage = term.value ? `${name}=${term.value}` : name
  const given = value === undefined ? 'without a value' : `with the value "${value.slice(0, 40)}"`
  return new RunletError('invalid_request', {
    reason: 'fault_value',
    message: `the fault "${name}" cannot be used ${given}; write ${usage} (${term.about})`,
  })
}

/** Splits `echo?cut=500` into the model's name and its faults. */
export function splitModel(model: string): { readonly name: string; readonly suffix: string } {
  const at = model.indexOf('?')
  return at < 0 ? { name: model, suffix: '' } : { name: model.slice(0, at), suffix: model.slice(at + 1) }
}

/** Applies `failFirst`: counts the requests of one origin of faults, and tells which faults hold for the next. */
export interface FaultCounter {
  next(origin: string, faults: Faults): Faults
}

/** Origins that are remembered; the longest known is forgotten first. */
const MAX_ORIGINS = 10_000

export function faultCounter(): FaultCounter {
  const seen = new Map<string, number>()
  return {
    next(origin, faults) {
      const { failFirst, tokensPerSecond, ...others } = faults
      if (failFirst === undefined) return faults
      const before = seen.get(origin) ?? 0
      if (!seen.has(origin) && seen.size >= MAX_ORIGINS) seen.delete(seen.keys().next().value!)
      seen.set(origin, before + 1)
      const pace = tokensPerSecond === undefined ? {} : { tokensPerSecond }
      if (before >= failFirst) return pace
      return Object.keys(others).length > 0 ? { ...pace, ...others } : { ...pace, status: 503 }
    },
  }
}
