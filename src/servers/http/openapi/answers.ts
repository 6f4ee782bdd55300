/** What answers hold, for the OpenAPI document; a test holds real answers to it. */
import { z } from 'zod'
import { errorCodes, type ErrorCode } from '../../../core/error.ts'

const ms = z.int().min(0).describe('Unix time in milliseconds.')
const count = z.int().min(0)

export const statuses = ['running', 'completed', 'failed', 'cancelled'] as const

const errorCode = z.enum(Object.keys(errorCodes) as [ErrorCode, ...ErrorCode[]])

const errorFields = {
  code: errorCode.describe('One of thirteen; match on this.'),
  reason: z.string().describe('The cause within the code; an open set.'),
  temporary: z.boolean().describe('The same request may succeed later.'),
  retry_after_ms: count.optional(),
}

/** An error in a run or a list. */
export const errorSchema = z.object({ ...errorFields, message: z.string().describe('For people; it may change.') })

/** Problem details, RFC 9457. */
export const problemSchema = z.object({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  detail: z.string().describe('For people: what happened, to what, and what to do. It may change.'),
  ...errorFields,
  run_id: z.string().optional(),
})

const usage = z.object({
  input_tokens: count,
  output_tokens: count,
  total_tokens: count,
  reasoning_tokens: count.optional(),
  cached_tokens: count.optional(),
  accuracy: z.enum(['exact', 'estimated']).describe('Whether the provider counted, or Runlet.'),
})

/** A run, as lists show it. */
export const runSchema = z.object({
  run_id: z.string(),
  session_id: z.string(),
  request_id: z.string(),
  trace_id: z.string(),
  provider: z.string(),
  model: z.string(),
  durability: z.enum(['sync', 'os', 'memory']),
  status: z.enum(statuses),
  title: z.string().describe('First line of the prompt, at most 80 characters.'),
  created_at: ms,
  ended_at: ms.optional(),
  cursor: z.string().describe('The place of the last stored entry, `epoch-seq`.'),
  finish_reason: z.enum(['stop', 'length', 'tool_calls', 'tool_limit', 'content_filter', 'cancelled']).optional(),
  error: errorSchema.optional(),
  usage: usage.optional(),
})

const part = z.discriminatedUnion('type', [
  z.object({ type: z.literal('text'), text: z.string() }),
  z.object({ type: z.literal('reasoning'), text: z.string() }),
  z.object({ type: z.literal('tool_call'), call_id: z.string(), name: z.string(), input: z.looseObject({}) }),
])

/** A run with what it has said so far. */
export const runDetailSchema = runSchema.extend({
  output_text: z.string().optional().describe('The visible answer so far. Absent once retention took the entries.'),
  message: z.object({ role: z.literal('assistant'), parts: z.array(part) }).optional(),
})

export const runListSchema = z.object({
  runs: z.array(runSchema),
  next: z.string().optional().describe('For `before=`: there may be more behind this page.'),
})

export const sessionSchema = z.object({
  session_id: z.string(),
  title: z.string(),
  created_at: ms,
  runs: z.array(runSchema).describe('Oldest first.'),
})

export const startedSchema = runSchema.pick({ run_id: true, session_id: true, status: true, cursor: true })

export const acceptedSchema = z.object({
  run_id: z.string(),
  accepted: z.string().describe('The `type` of what was sent.'),
})

export const modelsSchema = z.object({
  object: z.literal('list'),
  data: z.array(z.object({ id: z.string(), object: z.literal('model'), created: count, owned_by: z.string() })),
  errors: z
    .array(errorSchema.extend({ provider: z.string() }))
    .describe('Providers that could not say what they have, and why.'),
})

export const healthSchema = z.object({ status: z.enum(['ok', 'draining', 'store_failed']) })
