import { RunletError } from '../../../core/error.ts'
import { quoted } from '../../../core/quote.ts'

export interface Offers<T> {
  /** Media types that can be had, each with what it stands for; of two that are liked as much, the earlier one. */
  readonly types: Readonly<Record<string, T>>
  /** For those who take anything. */
  readonly fallback: T
}

/**
 * Chooses by an `Accept` header (RFC 9110, 12.5.1). A type that is named goes before a wildcard, since whoever names
 * one can read it. Throws `invalid_request` 406 with reason `not_acceptable`.
 */
export function negotiate<T>(accept: string | undefined, { types, fallback }: Offers<T>): T {
  if (accept === undefined || accept.trim() === '') return fallback
  const liked = new Map<string, number>()
  for (const range of accept.split(',')) {
    const [type = '', ...parameters] = range.split(';').map((part) => part.trim().toLowerCase())
    const quality = parameters.find((parameter) => parameter.startsWith('q='))
    liked.set(type, quality === undefined ? 1 : Number(quality.slice(2)) || 0)
  }
  const [best] = Object.keys(types)
    .filter((type) => (liked.get(type) ?? 0) > 0)
    .toSorted((a, b) => liked.get(b)! - liked.get(a)!)
  if (best !== undefined) return types[best]!
  const offered = Object.keys(types)
  const wildcards = ['*/*', ...offered.map((type) => `${type.split('/', 1)[0]}/*`)]
  if (wildcards.some((range) => (liked.get(range) ?? 0) > 0)) return fallback
  throw new RunletError('invalid_request', {
    status: 406,
    reason: 'not_acceptable',
    message: `nothing here can be had as ${quoted(accept)}; accept one of ${offered.join(', ')}`,
  })
}
