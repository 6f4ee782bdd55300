import type { JsonObject, JsonValue } from '../../core/json.ts'
import { contentText, textOf, type AssistantMessage, type Message } from '../../core/message.ts'
import type { ModelOptions, ModelRequest, ProviderEvent } from '../../core/provider.ts'
import type { ToolSpec } from '../../core/tool.ts'
import { isRecord } from '../../wire/json.ts'

/** How hard to think. gpt-oss takes the levels only; other models take any level for a plain yes. */
const thinkLevels = {
  none: false,
  minimal: 'low',
  low: 'low',
  medium: 'medium',
  high: 'high',
} as const satisfies Record<NonNullable<ModelOptions['reasoning_effort']>, string | boolean>

/** The body of `POST /api/chat`. What the caller left out is left out, so that the model's own defaults hold. */
export function ollamaRequest({ model, messages, tools: all, options }: ModelRequest): JsonObject {
  const { temperature, top_p, max_tokens, stop, reasoning_effort, tool_choice, provider_options = {} } = options
  const tools = callableTools(all, tool_choice)
  const format = formatOf(provider_options['response_format'])
  const given = {
    ...Object.fromEntries(
      sampling.flatMap((name) => (name in provider_options ? [[name, provider_options[name]!]] : [])),
    ),
    ...(temperature === undefined ? {} : { temperature }),
    ...(top_p === undefined ? {} : { top_p }),
    ...(max_tokens === undefined ? {} : { num_predict: max_tokens }),
    ...(stop === undefined || stop.length === 0 ? {} : { stop }),
  }
  return {
    model,
    messages: messages.map(ollamaMessage),
    stream: true,
    ...(tools.length > 0
      ? {
          tools: tools.map(({ name, description, parameters }) => ({
            type: 'function',
            function: { name, description, parameters },
          })),
        }
      : {}),
    ...(format === undefined ? {} : { format }),
    ...(reasoning_effort === undefined ? {} : { think: thinkLevels[reasoning_effort] }),
    ...(Object.keys(given).length > 0 ? { options: given } : {}),
  }
}

/** Members of OpenAI's request that Ollama has under the same name, among its own options. */
const sampling = ['seed', 'presence_penalty', 'frequency_penalty'] as const

/** OpenAI's `response_format`, as Ollama has it: `json`, or a schema. */
function formatOf(wanted: JsonValue | undefined): JsonValue | undefined {
  if (!isRecord(wanted)) return undefined
  if (wanted['type'] === 'json_object') return 'json'
  const spec = wanted['type'] === 'json_schema' ? wanted['json_schema'] : undefined
  return isRecord(spec) && isRecord(spec['schema']) ? spec['schema'] : undefined
}

/** Ollama has no `tool_choice`: the model chooses among what it is shown. */
function callableTools(tools: readonly ToolSpec[], choice: ModelOptions['tool_choice']): readonly ToolSpec[] {
  if (choice === 'none') return []
  return typeof choice === 'object' ? tools.filter(({ name }) => name === choice.name) : tools
}

/** What of a request Ollama cannot do: told, since the answer may not be what was asked for. */
export function ollamaWarnings({ tools, options: { tool_choice } }: ModelRequest): ProviderEvent[] {
  if (tools.length === 0 || tool_choice === undefined || tool_choice === 'auto' || tool_choice === 'none') return []
  const wish = tool_choice === 'required' ? 'call a tool' : `call ${tool_choice.name}`
  const message = `Ollama cannot make a model ${wish} (tool_choice); it was shown the tools, and may answer without them`
  return [{ type: 'warning', code: 'tool_choice_not_enforced', message }]
}

function ollamaMessage(message: Message): JsonObject {
  switch (message.role) {
    case 'system':
    case 'user':
      return { role: message.role, content: message.content }
    case 'assistant':
      return assistantMessage(message)
    case 'tool':
      return {
        role: 'tool',
        content: contentText(message.content),
        tool_name: message.name,
        tool_call_id: message.call_id,
      }
  }
}

/** Models that think and call tools expect to see their thoughts again; after a final answer the server drops them. */
function assistantMessage(message: AssistantMessage): JsonObject {
  const calls = message.parts.filter((part) => part.type === 'tool_call')
  const thinking = message.parts.reduce((all, part) => (part.type === 'reasoning' ? all + part.text : all), '')
  return {
    role: 'assistant',
    content: textOf(message),
    ...(thinking !== '' && calls.length > 0 ? { thinking } : {}),
    ...(calls.length > 0
      ? {
          tool_calls: calls.map(({ call_id, name, input }) => ({
            id: call_id,
            function: { name, arguments: input },
          })),
        }
      : {}),
  }
}
