import type { Context } from 'hono'
import type { Format, FormatOptions, Framing } from '../../../core/format.ts'
import { RunletError } from '../../../core/error.ts'
import { nearest } from '../../../core/near.ts'
import { quoted } from '../../../core/quote.ts'
import { negotiate } from '../requests/accept.ts'
import type { HttpEnv } from '../env.ts'
import { readFlag } from '../requests/query.ts'

/** How a client wants entries spelled. */
export interface Spelling extends Pick<
  FormatOptions,
  'framing' | 'compact' | 'includeUsage' | 'ids' | 'timestamps' | 'retryMs'
> {
  readonly format: Format
}

/** The query parameters that choose a spelling. */
export const spellingParameters = ['format', 'compact', 'include_usage'] as const

export type SpellingQuery = Partial<Record<(typeof spellingParameters)[number], string>>

const streamTypes = {
  'text/event-stream': 'sse',
  'application/x-ndjson': 'ndjson',
  'application/ndjson': 'ndjson',
  'application/jsonl': 'ndjson',
} as const satisfies Record<string, Framing>

/** The framing that a reader of events asks for; `fallback` where it takes anything. Throws as `negotiate`. */
export function eventFraming(c: Context<HttpEnv>, fallback: Framing = 'sse'): Framing {
  return negotiate<Framing>(c.req.header('accept'), { types: streamTypes, fallback })
}

/** The framing that a starter of a run asks for; undefined if it wants no stream. Throws as `negotiate`. */
export function startFraming(c: Context<HttpEnv>): Framing | undefined {
  if (prefersAsync(c)) return undefined
  const types = { ...streamTypes, 'application/json': undefined }
  return negotiate<Framing | undefined>(c.req.header('accept'), { types, fallback: undefined })
}

/** `Prefer: respond-async` (RFC 7240): start it, and do not stream. */
export function prefersAsync(c: Context<HttpEnv>): boolean {
  const preferences = (c.req.header('prefer') ?? '').split(',').map((preference) => preference.trim().toLowerCase())
  return preferences.includes('respond-async')
}

/** Throws `invalid_request` with reason `unknown_format`, `bad_parameter`, or 406 with `not_acceptable`. */
export function readSpelling(
  { format: name = 'gai', compact, include_usage }: SpellingQuery,
  framing: Framing,
  formats: Readonly<Record<string, Format>>,
): Spelling {
  const format = Object.hasOwn(formats, name) ? formats[name] : undefined
  if (!format) {
    const meant = nearest(name, Object.keys(formats))
    throw new RunletError('invalid_request', {
      reason: 'unknown_format',
      message: `there is no format ${quoted(name)}; ${meant === undefined ? `known are ${Object.keys(formats).join(', ')}` : `did you mean "${meant}"?`}`,
    })
  }
  checkedFraming(format, framing)
  const short = readFlag('compact', compact)
  const includeUsage = readFlag('include_usage', include_usage) ?? false
  return { format, framing, includeUsage, ...(short === undefined ? {} : { compact: short }) }
}

/** The format itself, if it comes in that framing. Throws `invalid_request` 406 with `not_acceptable`. */
export function checkedFraming(format: Format, framing: Framing): Format {
  if (format.framings.includes(framing)) return format
  throw new RunletError('invalid_request', {
    status: 406,
    reason: 'not_acceptable',
    message: `the format ${format.name} does not come as ${framing}; it comes as ${format.framings.join(', ')}`,
  })
}
