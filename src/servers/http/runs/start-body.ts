import { z } from 'zod'
import type { JsonObject } from '../../../core/json.ts'
import type { Message } from '../../../core/message.ts'
import { quoted } from '../../../core/quote.ts'
import type { StartRequest } from '../../../engine/request.ts'
import { anyJson, anyObject, checked, invalid } from '../requests/checked.ts'

const text = z.string().min(1)

const part = z.discriminatedUnion('type', [
  z.object({ type: z.literal('text'), text: z.string() }),
  z.object({ type: z.literal('reasoning'), text: z.string() }),
  z.object({ type: z.literal('tool_call'), call_id: text, name: text, input: anyObject }),
])

const message = z.discriminatedUnion('role', [
  z.object({ role: z.literal('system'), content: z.string() }),
  z.object({ role: z.literal('user'), content: z.string() }),
  z
    .object({ role: z.literal('assistant'), content: z.string().optional(), parts: z.array(part).optional() })
    .refine(({ content, parts }) => (content === undefined) !== (parts === undefined), 'expected content or parts')
    .meta({ description: 'What the model said: as text, or in parts as `GET /v1/runs/{id}` gives them.' }),
  z.object({
    role: z.literal('tool'),
    call_id: text,
    name: text,
    content: anyJson,
    is_error: z.boolean().optional(),
  }),
])

const options = z.object({
  temperature: z.number().min(0).optional(),
  top_p: z.number().min(0).max(1).optional(),
  max_tokens: z.int().min(1).optional(),
  stop: z.array(text).optional(),
  reasoning_effort: z.enum(['none', 'minimal', 'low', 'medium', 'high']).optional(),
  tool_choice: z
    .union([z.enum(['auto', 'none', 'required']), z.object({ name: text })], {
      error: 'expected "auto", "none", "required" or {"name": …}',
    })
    .optional(),
  provider_options: anyObject.optional(),
  keep_fields: z.boolean().optional(),
})

const callerTool = z.object({
  name: z.string().regex(/^[A-Za-z0-9_-]{1,64}$/, 'expected letters, digits, _ and -, at most 64'),
  description: z.string(),
  parameters: anyObject
    .refine(({ type }) => type === 'object', 'expected a JSON Schema with "type": "object"')
    .meta({
      type: 'object',
      required: ['type'],
      properties: { type: { const: 'object' } },
      description: 'JSON Schema of the input, of type object.',
    }),
})

/** The body of `POST /v1/runs`, as it checks requests and as the OpenAPI document shows it. */
export const startSchema = z.object({
  model: text.optional(),
  messages: z.array(message).optional(),
  prompt: z.string().optional(),
  system: z.string().optional(),
  session_id: text.optional(),
  tools: z.array(text).optional(),
  caller_tools: z.array(callerTool).optional(),
  caller_results: z.enum(['next_run', 'answer']).optional(),
  options: options.optional(),
  idempotency_key: z.string().optional(),
  durability: z.enum(['sync', 'os', 'memory']).optional(),
  on_interrupt: z.enum(['fail', 'restart']).optional(),
  cancel_on_disconnect: z.boolean().optional(),
})

/** What the body of `POST /v1/runs` asks for. */
export interface StartBody {
  readonly request: StartRequest
  readonly idempotencyKey: string | undefined
  readonly cancelOnDisconnect: boolean
  /** Members that were ignored. */
  readonly unknown: readonly string[]
}

/** Checks a body. Throws `invalid_request` with reason `body_invalid`, which names the faults. */
export function readStartBody(json: JsonObject): StartBody {
  const { value, unknown } = checked(startSchema, json)
  checkChoice(value)
  // What a session said before may hold the call; the model is asked with both.
  if (value.session_id === undefined) checkResults(value.messages ?? [])
  const { session_id, on_interrupt, messages, caller_tools, caller_results, ...rest } = value
  const { idempotency_key, cancel_on_disconnect, ...same } = rest
  return {
    request: {
      ...same,
      ...(messages === undefined ? {} : { messages: messages.map(toMessage) }),
      ...(session_id === undefined ? {} : { sessionId: session_id }),
      ...(caller_tools === undefined ? {} : { callerTools: caller_tools }),
      ...(caller_results === undefined ? {} : { callerResults: caller_results }),
      ...(on_interrupt === undefined ? {} : { onInterrupt: on_interrupt }),
    },
    idempotencyKey: idempotency_key,
    cancelOnDisconnect: cancel_on_disconnect ?? false,
    unknown,
  }
}

/** A choice that no tool of the request could meet. */
function checkChoice({ tools = [], caller_tools = [], options: given }: z.infer<typeof startSchema>): void {
  const choice = given?.tool_choice
  if (choice === undefined || choice === 'auto' || choice === 'none') return
  const names = [...tools, ...caller_tools.map(({ name }) => name)]
  if (choice === 'required') {
    if (names.length === 0) throw invalid('options.tool_choice', 'there are no tools to choose from')
  } else if (!names.includes(choice.name)) {
    throw invalid('options.tool_choice.name', `there is no tool ${quoted(choice.name)} in tools or caller_tools`)
  }
}

/** Models refuse a result of a call that nobody made. */
function checkResults(messages: readonly z.infer<typeof message>[]): void {
  const calls = new Set<string>()
  messages.forEach((given, i) => {
    if (given.role === 'assistant') {
      for (const one of given.parts ?? []) if (one.type === 'tool_call') calls.add(one.call_id)
    } else if (given.role === 'tool' && !calls.has(given.call_id)) {
      throw invalid(`messages.${i}.call_id`, `${quoted(given.call_id)} is no call of the messages before it`)
    }
  })
}

function toMessage(given: z.infer<typeof message>): Message {
  if (given.role === 'tool') return { ...given, is_error: given.is_error ?? false }
  if (given.role !== 'assistant') return given
  const { content = '', parts } = given
  return { role: 'assistant', parts: parts ?? (content === '' ? [] : [{ type: 'text', text: content }]) }
}
