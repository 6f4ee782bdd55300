import { createHash } from 'node:crypto'
import { RunletError } from '../../../core/error.ts'
import type { JsonObject, JsonValue } from '../../../core/json.ts'
import type { IdempotencyClaim } from '../../../core/log.ts'
import type { HttpContext } from '../env.ts'

/**
 * The key of a request, from its header (a quoted string, as the draft says, or bare) or its body. Throws
 * `invalid_request` with reason `idempotency_key` if it is none, or two.
 * https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/
 */
export function idempotencyKey(headers: Headers, inBody: string | undefined): string | undefined {
  const given = [headers.get('idempotency-key'), headers.get('x-idempotency-key')]
    .filter((value) => value !== null)
    .map(unquoted)
  if (inBody !== undefined) given.push(inBody)
  const [key] = given
  if (key === undefined) return undefined
  if (given.some((other) => other !== key)) throw refusal('header and body give different idempotency keys; give one')
  if (!/^[\x20-\x7e]{1,255}$/.test(key)) {
    throw refusal('the idempotency key is not 1 to 255 visible ASCII characters; a UUID will do')
  }
  return key
}

/** A structured-field string (RFC 9651, 3.3.3), or the value as it is. */
function unquoted(value: string): string {
  if (!value.startsWith('"')) return value
  if (!/^"(?:[^"\\]|\\["\\])*"$/.test(value)) throw refusal('the idempotency key is quoted, but not to its end')
  return value.slice(1, -1).replaceAll(/\\(["\\])/g, '$1')
}

/**
 * The promise that goes with a key: `json` is the body, `route` names the route as `POST /v1/runs`. Only the owner
 * starts runs, so keys are the owner's; the same key on another route is another key.
 */
export function claimOf(
  key: string,
  json: JsonObject,
  { clock, limits }: Pick<HttpContext, 'clock' | 'limits'>,
  route: string,
): IdempotencyClaim {
  return {
    key,
    scope: `owner ${route}`,
    fingerprint: fingerprint(json),
    expires_at: clock.now() + limits.idempotencyMs,
  }
}

/** Digest of a body that does not depend on the order of its members, nor on the key that may stand in it. */
function fingerprint(json: JsonObject): string {
  const { idempotency_key: _, ...body } = json
  return createHash('sha256').update(canonical(body)).digest('base64url')
}

function canonical(value: JsonValue): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`
  const members = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1))
  return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${canonical(member)}`).join(',')}}`
}

function refusal(message: string): RunletError {
  return new RunletError('invalid_request', { reason: 'idempotency_key', message })
}
