/** What goes wrong at Chat Completions servers, in all the ways they spell it, as codes of ours. */
import { codeOfStatus, type ErrorCode, type RunletError } from '../../core/error.ts'
import { isRecord, type JsonRecord } from '../../wire/json.ts'
import type { Peer } from '../shared/peer.ts'
import { refusalError } from '../shared/refusal.ts'
import { retryAfterMs, type HeaderOf } from '../shared/retry-after.ts'

/** The provider's own codes, and those of its types that say as much. In lower case. Looked at first. */
export const chatErrorCodes = {
  context_length_exceeded: 'context_length_exceeded',
  context_window_exceeded: 'context_length_exceeded',
  max_tokens_exceeded: 'context_length_exceeded',
  string_above_max_length: 'context_length_exceeded',
  request_too_large: 'context_length_exceeded', // Anthropic
  out_of_range: 'context_length_exceeded', // Google
  exceed_context_size_error: 'context_length_exceeded', // llama.cpp
  model_not_found: 'not_found',
  model_not_available: 'not_found',
  deploymentnotfound: 'not_found', // Azure
  not_found_error: 'not_found',
  notfounderror: 'not_found', // vLLM
  not_found: 'not_found', // Google
  rate_limit_exceeded: 'rate_limited',
  rate_limit_reached: 'rate_limited',
  rate_limit_error: 'rate_limited',
  requests: 'rate_limited',
  tokens: 'rate_limited',
  insufficient_quota: 'rate_limited',
  quota_exceeded: 'rate_limited',
  billing_hard_limit_reached: 'rate_limited',
  billing_not_active: 'rate_limited',
  resource_exhausted: 'rate_limited', // Google
  content_filter: 'content_filtered',
  content_policy_violation: 'content_filtered',
  content_blocked: 'content_filtered',
  safety_violation: 'content_filtered',
  safety_blocked: 'content_filtered',
  responsibleaipolicyviolation: 'content_filtered', // Azure
  invalid_api_key: 'unauthorized',
  authentication_failed: 'unauthorized',
  authentication_error: 'unauthorized',
  invalid_authentication_error: 'unauthorized',
  unauthenticated: 'unauthorized', // Google
  permission_error: 'forbidden',
  permission_denied: 'forbidden', // Google
  account_deactivated: 'forbidden',
  unsupported_country_region_territory: 'forbidden',
  engine_overloaded: 'overloaded',
  engine_overloaded_error: 'overloaded',
  overloaded_error: 'overloaded',
  service_overloaded: 'overloaded',
  capacity_exceeded: 'overloaded',
  slow_down: 'overloaded',
  unavailable_error: 'provider_unavailable', // llama.cpp, while it loads the model
  unavailable: 'provider_unavailable', // Google
  timeout: 'timeout',
  request_timeout: 'timeout',
  timeout_error: 'timeout',
  deadline_exceeded: 'timeout', // Google
  not_supported_error: 'unsupported', // llama.cpp
  unimplemented: 'unsupported', // Google
  // The model wrote a call that its own server could not read: our client's request is not to blame.
  tool_use_failed: 'internal', // Groq
} as const satisfies Readonly<Record<string, ErrorCode>>

/** Types that say less than a status does. Looked at last. */
const vagueTypes: ReadonlyMap<string, ErrorCode> = new Map([
  ['invalid_request_error', 'invalid_request'],
  ['badrequesterror', 'invalid_request'], // vLLM
  ['invalid_argument', 'invalid_request'], // Google
  ['failed_precondition', 'invalid_request'], // Google
  ['server_error', 'internal'],
  ['api_error', 'internal'],
  ['internal_error', 'internal'],
  ['internalservererror', 'internal'], // vLLM
])

/** Codes after which no waiting helps. */
const spent: ReadonlySet<string> = new Set([
  'insufficient_quota',
  'quota_exceeded',
  'billing_hard_limit_reached',
  'billing_not_active',
])

/**
 * Many servers tell an overlong conversation as a plain 400. Seen: vLLM "maximum context length is", Mistral "too large
 * for model with", llama.cpp "exceeds the available context size", TGI "must be <=", Together "context length".
 */
const overflow = /maximum context length|context (length|window|size)|prompt is too long|too large for model with/i

/**
 * The error that a frame or a body tells, if it tells one: `{"error":{…}}` or `{"error":"…"}`, also beside `choices`
 * (OpenRouter), `{"object":"error",…}` (Mistral, older vLLM), and a list of one of these (Google).
 */
export function errorIn(json: unknown): JsonRecord | undefined {
  if (Array.isArray(json)) return json.length > 0 ? errorIn(json[0]) : undefined
  if (!isRecord(json)) return undefined
  const { error } = json
  if (isRecord(error)) return error
  if (typeof error === 'string' && error !== '') return { message: error }
  return json['object'] === 'error' || json['object'] === 'Error' ? json : undefined
}

export interface ErrorAnswer {
  /** The HTTP status, if it was one that refuses. */
  readonly status?: number
  readonly header?: HeaderOf
  /** The text that came, for the log. */
  readonly words: string
  /** The model that was asked for. */
  readonly model?: string
}

/** The typed error for what a provider said: by its code, else by its type, else by the status, else by a vague type. */
export function chatError(peer: Peer, error: JsonRecord, { status, header, words, model }: ErrorAnswer): RunletError {
  const inner = isRecord(error['innererror']) ? error['innererror'] : {}
  const names = [error['code'], inner['code'], error['type'], error['status']].map(nameOf)
  const told = status ?? statusIn(error)
  const known = names.find((name) => Object.hasOwn(chatErrorCodes, name)) as keyof typeof chatErrorCodes | undefined
  let reason: string = known ?? (told === undefined ? 'provider_error' : `http_${told}`)
  let code: ErrorCode
  if (known) code = chatErrorCodes[known]
  else if (told !== undefined) code = codeOfStatus(told)
  else code = names.map((name) => vagueTypes.get(name)).find((vague) => vague !== undefined) ?? 'internal'
  if (code === 'invalid_request' && overflow.test(words)) code = reason = 'context_length_exceeded'
  return refusalError(peer, {
    code,
    reason,
    words,
    requestId: header?.('x-request-id'),
    ...(code === 'not_found' && model !== undefined ? { says: unknownModel(model, known !== undefined) } : {}),
    ...(status === undefined ? {} : { status }),
    ...(known && spent.has(known) ? { temporary: false } : { retryAfterMs: waitMs(told, header) }),
  })
}

/** A status alone may also mean that the address is wrong. */
const unknownModel = (model: string, sure: boolean) =>
  sure
    ? `does not know the model ${model}; see what there is with \`runlet models\``
    : `does not know the model ${model}, or has no such API at this address; check the model id and the base URL`

/** Rate limit headers stand on every answer, so only a 429 gives them the meaning of a wait. */
function waitMs(status: number | undefined, header: HeaderOf | undefined): number | undefined {
  if (!header) return undefined
  return retryAfterMs(status === 429 ? header : (name) => (name.startsWith('retry-after') ? header(name) : undefined))
}

const nameOf = (value: unknown): string => (typeof value === 'string' ? value.toLowerCase() : '')

/** vLLM, OpenRouter and llama.cpp put the status into the error, as `code` or `status_code`, as a number or a string. */
function statusIn(error: JsonRecord): number | undefined {
  return [error['code'], error['status_code'], error['status']]
    .map((value) => (typeof value === 'string' && /^\d{3}$/.test(value) ? Number(value) : value))
    .find((value): value is number => typeof value === 'number' && value >= 400 && value < 600)
}
