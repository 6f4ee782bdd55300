import { z } from 'zod'
import type { JsonObject, JsonValue } from '../../../core/json.ts'
import type { ModelOptions } from '../../../core/provider.ts'
import { quoted } from '../../../core/quote.ts'
import type { ToolSpec } from '../../../core/tool.ts'
import type { StartRequest } from '../../../engine/request.ts'
import { anyJson, anyObject, checked, invalid } from '../requests/checked.ts'
import { conversationOf, messageSchema } from './messages.ts'
import { unsupported } from './refusals.ts'

const text = z.string().min(1)

const toolSchema = z.looseObject({
  type: z.string(),
  function: z
    .object({
      name: text,
      description: z.string().nullish(),
      parameters: anyObject.nullish(),
      strict: z.boolean().nullish(),
    })
    .optional(),
})

const toolChoiceSchema = z.union([
  z.enum(['auto', 'none', 'required']),
  z.looseObject({ type: z.string(), function: z.object({ name: text }).optional() }),
])

/** Members that are handed to the provider as they are: it knows them, or leaves them out. */
const passedOn = [
  'frequency_penalty',
  'logit_bias',
  'logprobs',
  'metadata',
  'moderation',
  'parallel_tool_calls',
  'prediction',
  'presence_penalty',
  'prompt_cache_key',
  'prompt_cache_retention',
  'response_format',
  'safety_identifier',
  'seed',
  'service_tier',
  'store',
  'top_logprobs',
  'user',
  'verbosity',
  'web_search_options',
] as const

/** The members that mean something here. Null is how OpenAI's clients leave one out. */
export const chatSchema = z.object({
  model: text.nullish(),
  messages: z.array(messageSchema).min(1),
  stream: z.boolean().nullish(),
  stream_options: z.looseObject({ include_usage: z.boolean().nullish() }).nullish(),
  n: z.literal(1, 'expected 1: a run is one answer').nullish(),
  temperature: z.number().min(0).nullish(),
  top_p: z.number().min(0).max(1).nullish(),
  max_completion_tokens: z.int().min(1).nullish(),
  max_tokens: z.int().min(1).nullish(),
  stop: z.union([text, z.array(text)]).nullish(),
  reasoning_effort: z.string().nullish(),
  tools: z.array(toolSchema).nullish(),
  tool_choice: toolChoiceSchema.nullish(),
  modalities: z.array(z.string()).nullish(),
  ...passedSchema(),
})

function passedSchema() {
  const members = passedOn.map((name) => [name, anyJson.optional()] as const)
  return Object.fromEntries(members) as Record<(typeof passedOn)[number], z.ZodOptional<typeof anyJson>>
}

type ChatBody = z.infer<typeof chatSchema>

/** What a body asks for. */
export interface ChatRequest {
  readonly request: StartRequest
  readonly stream: boolean
  readonly includeUsage: boolean
  /** Members that were ignored. */
  readonly unknown: readonly string[]
}

/**
 * Reads the body of a Chat Completions request. Throws `invalid_request` with reason `body_invalid`, and `unsupported`
 * for what OpenAI has and Runlet has not; both name the place.
 */
export function readChatBody(json: JsonObject): ChatRequest {
  for (const name of ['functions', 'function_call']) {
    if (json[name] !== undefined && json[name] !== null) {
      throw unsupported(name, 'the deprecated functions are not taken; send them as tools and tool_choice')
    }
  }
  const { value: body, unknown } = checked(chatSchema, json)
  if (body.modalities?.some((modality) => modality !== 'text')) {
    throw unsupported('modalities', 'an answer is text here; ask for ["text"], or leave it out')
  }
  const { system, messages } = conversationOf(body.messages)
  const callerTools = (body.tools ?? []).map(toolSpec)
  return {
    request: {
      ...(isGiven(body.model) ? { model: body.model } : {}),
      ...(system === undefined ? {} : { system }),
      messages,
      ...(callerTools.length > 0 ? { callerTools, callerResults: 'next_run' } : {}),
      options: modelOptions(body),
    },
    stream: body.stream ?? false,
    includeUsage: body.stream_options?.include_usage ?? false,
    unknown,
  }
}

const efforts = ['none', 'minimal', 'low', 'medium', 'high'] as const

function modelOptions(body: ChatBody): ModelOptions {
  const { temperature, top_p, stop, reasoning_effort, tool_choice } = body
  const max_tokens = body.max_completion_tokens ?? body.max_tokens
  const effort = efforts.find((one) => one === reasoning_effort)
  const passed: Record<string, JsonValue> = {}
  for (const name of passedOn) {
    const value = body[name]
    if (isGiven(value)) passed[name] = value
  }
  // A level that only some providers know.
  if (isGiven(reasoning_effort) && effort === undefined) passed['reasoning_effort'] = reasoning_effort
  return {
    ...(isGiven(temperature) ? { temperature } : {}),
    ...(isGiven(top_p) ? { top_p } : {}),
    ...(isGiven(max_tokens) ? { max_tokens } : {}),
    ...(isGiven(stop) ? { stop: typeof stop === 'string' ? [stop] : stop } : {}),
    ...(effort === undefined ? {} : { reasoning_effort: effort }),
    ...(isGiven(tool_choice) ? { tool_choice: toolChoice(tool_choice, body.tools ?? []) } : {}),
    ...(Object.keys(passed).length > 0 ? { provider_options: passed } : {}),
    keep_fields: true,
  }
}

function toolSpec({ type, function: given }: z.infer<typeof toolSchema>, i: number): ToolSpec {
  if (type !== 'function')
    throw unsupported(`tools.${i}`, `a tool of type ${quoted(type)} is not taken, only functions`)
  if (!given) throw invalid(`tools.${i}.function`, 'expected an object')
  const { name, description, parameters, strict } = given
  return {
    name,
    description: description ?? '',
    parameters: parameters ?? { type: 'object', properties: {} },
    ...(isGiven(strict) ? { strict } : {}),
  }
}

function toolChoice(
  choice: z.infer<typeof toolChoiceSchema>,
  tools: readonly z.infer<typeof toolSchema>[],
): NonNullable<ModelOptions['tool_choice']> {
  if (typeof choice === 'string') {
    if (choice === 'required' && tools.length === 0) throw invalid('tool_choice', 'there are no tools to choose from')
    return choice
  }
  if (choice.type !== 'function' || !choice.function) {
    throw unsupported('tool_choice', `a choice of type ${quoted(choice.type)} is not taken, only functions`)
  }
  const { name } = choice.function
  if (tools.some((tool) => tool.function?.name === name)) return { name }
  throw invalid('tool_choice.function.name', `there is no tool ${quoted(name)} in tools`)
}

const isGiven = <T>(value: T | null | undefined): value is T => value !== null && value !== undefined
