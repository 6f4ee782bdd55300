import { createHash } from 'node:crypto'
import { RunletError } from '../../../core/error.ts'
import type { IdempotencyClaim } from '../../../core/log.ts'
import { idempotencyKey } from '../runs/idempotency.ts'

export interface ClaimOptions {
  readonly scope: string
  readonly expires_at: number
  /** Longest body. */
  readonly maxBodyBytes: number
}

/**
 * What a request's `Idempotency-Key` promises: that all requests with it have this body, byte for byte. Undefined
 * without a key. Leaves the body to be read by the next. Throws `invalid_request`: `idempotency_key`, and 413 with
 * `body_too_large`, with a key or without.
 */
export async function claimFor(
  request: Request,
  { scope, expires_at, maxBodyBytes }: ClaimOptions,
): Promise<IdempotencyClaim | undefined> {
  const key = idempotencyKey(request.headers, undefined)
  const length = Number(request.headers.get('content-length') ?? Number.NaN)
  if (length > maxBodyBytes) throw tooLarge(maxBodyBytes)
  // A body of known length needs no reading of ours, unless it is to be compared.
  if (key === undefined && (length >= 0 || !request.body)) return undefined
  const fingerprint = await digestOf(request, maxBodyBytes)
  return key === undefined ? undefined : { key, scope, fingerprint, expires_at }
}

async function digestOf(request: Request, maxBodyBytes: number): Promise<string> {
  const digest = createHash('sha256')
  const reader = request.clone().body?.getReader()
  let length = 0
  for (let read = await reader?.read(); read && !read.done; read = await reader?.read()) {
    length += read.value.length
    if (length > maxBodyBytes) {
      // Of two copies of a body neither is let go before both are: whoever waited for one would wait for ever.
      void Promise.all([reader?.cancel(), request.body?.cancel()]).catch(() => {})
      throw tooLarge(maxBodyBytes)
    }
    digest.update(read.value)
  }
  return digest.digest('base64url')
}

function tooLarge(maxBodyBytes: number): RunletError {
  return new RunletError('invalid_request', {
    status: 413,
    reason: 'body_too_large',
    message: `the body is longer than the ${maxBodyBytes} bytes accepted here`,
  })
}
