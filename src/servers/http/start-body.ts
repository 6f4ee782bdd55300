import { z } from 'zod'
import { RunletError } from '../../core/error.ts'
import type { JsonObject } from '../../core/json.ts'
import type { Message } from '../../core/message.ts'
import { nearest } from '../../core/near.ts'
import type { StartRequest } from '../../engine/request.ts'

const text = z.string().min(1)

const message = z.discriminatedUnion('role', [
  z.strictObject({ role: z.literal('system'), content: z.string() }),
  z.strictObject({ role: z.literal('user'), content: z.string() }),
  z.strictObject({ role: z.literal('assistant'), content: z.string() }),
])

const options = z.strictObject({
  temperature: z.number().min(0).optional(),
  top_p: z.number().min(0).max(1).optional(),
  max_tokens: z.int().min(1).optional(),
  stop: z.array(text).optional(),
  reasoning_effort: z.enum(['none', 'minimal', 'low', 'medium', 'high']).optional(),
})

const body = z.strictObject({
  model: text.optional(),
  messages: z.array(message).optional(),
  prompt: z.string().optional(),
  system: z.string().optional(),
  session_id: text.optional(),
  tools: z.array(text).optional(),
  options: options.optional(),
  idempotency_key: z.string().optional(),
  durability: z.enum(['sync', 'os', 'memory']).optional(),
  on_interrupt: z.enum(['fail', 'restart']).optional(),
  cancel_on_disconnect: z.boolean().optional(),
})

/** The body of `POST /v1/runs`. */
export interface StartBody {
  readonly request: StartRequest
  readonly idempotencyKey: string | undefined
  readonly cancelOnDisconnect: boolean
}

/** Checks a body. Throws `invalid_request` with reason `unknown_member` or `body_invalid`; all faults are named. */
export function readStartBody(json: JsonObject): StartBody {
  const result = body.safeParse(json)
  if (!result.success) throw refusal(result.error.issues)
  const { session_id, on_interrupt, messages, idempotency_key, cancel_on_disconnect, ...same } = result.data
  return {
    request: {
      ...same,
      ...(messages === undefined ? {} : { messages: messages.map(toMessage) }),
      ...(session_id === undefined ? {} : { sessionId: session_id }),
      ...(on_interrupt === undefined ? {} : { onInterrupt: on_interrupt }),
    },
    idempotencyKey: idempotency_key,
    cancelOnDisconnect: cancel_on_disconnect ?? false,
  }
}

function toMessage(given: z.infer<typeof message>): Message {
  if (given.role !== 'assistant') return given
  return { role: 'assistant', parts: given.content === '' ? [] : [{ type: 'text', text: given.content }] }
}

function refusal(issues: readonly z.core.$ZodIssue[]): RunletError {
  const [first] = issues
  return new RunletError('invalid_request', {
    reason: first?.code === 'unrecognized_keys' ? 'unknown_member' : 'body_invalid',
    message: `the body is not accepted: ${issues.slice(0, 5).map(describe).join('; ')}`,
  })
}

function describe(issue: z.core.$ZodIssue): string {
  const place = issue.path.map(String).join('.')
  if (issue.code !== 'unrecognized_keys') return `${place || 'it'}: ${issue.message.replace(/^Invalid input: /, '')}`
  return issue.keys
    .slice(0, 5)
    .map((key) => {
      const meant = nearest(key, membersAt(issue.path))
      const name = JSON.stringify(key.slice(0, 40))
      return `there is no member ${name}${place && ` in ${place}`}${meant === undefined ? '' : `; did you mean "${meant}"?`}`
    })
    .join('; ')
}

function membersAt([outer]: readonly PropertyKey[]): string[] {
  if (outer === 'options') return Object.keys(options.shape)
  return outer === 'messages' ? ['role', 'content'] : Object.keys(body.shape)
}
