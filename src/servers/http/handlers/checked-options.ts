/** Options of handlers and streams, checked when they are given: a page's author may have no types to do it. */
import { RunletError } from '../../../core/error.ts'
import { nearest } from '../../../core/near.ts'
import type { HandlerOptions } from './run-handler.ts'

/** Every option of a handler. */
const handlerOptions: Readonly<Record<keyof HandlerOptions, true>> = {
  format: true,
  compact: true,
  timestamps: true,
  ids: true,
  retryMs: true,
  overflow: true,
  cancelOnDisconnect: true,
  origins: true,
  heartbeatMs: true,
  stallMs: true,
  maxPendingBytes: true,
  lagEvents: true,
  closeMs: true,
  clock: true,
  onDiagnostic: true,
  streams: true,
  permit: true,
  idempotencyScope: true,
  idempotencyMs: true,
  maxBodyBytes: true,
}

/**
 * Throws `invalid_request` with reason `bad_option`, naming what was meant, for a member that no handler knows besides
 * `more`, and for a format that is none.
 */
export function checkOptions(options: object, more: readonly string[] = []): void {
  const known = [...Object.keys(handlerOptions), ...more]
  for (const name of Object.keys(options)) {
    if (known.includes(name)) continue
    const meant = nearest(name, known)
    const hint = meant === undefined ? `known are ${known.join(', ')}` : `did you mean "${meant}"?`
    throw badOption(`there is no option ${JSON.stringify(name.slice(0, 40))}; ${hint}`)
  }
  const { format }: { format?: unknown } = options
  if (format === undefined || isFormat(format)) return
  const given = typeof format === 'string' ? JSON.stringify(format.slice(0, 40)) : 'none'
  throw badOption(`format is ${given}; give the format itself, an object`)
}

/** A value that a library's caller in JavaScript may have made of anything. */
function isFormat(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  return 'open' in value && typeof value.open === 'function' && 'framings' in value && Array.isArray(value.framings)
}

const badOption = (message: string) => new RunletError('invalid_request', { reason: 'bad_option', message })
