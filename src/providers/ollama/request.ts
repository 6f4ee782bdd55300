import type { JsonObject } from '../../core/json.ts'
import { contentText, textOf, type AssistantMessage, type Message } from '../../core/message.ts'
import type { ModelOptions, ModelRequest } from '../../core/provider.ts'

/** How hard to think. gpt-oss takes the levels only; other models take any level for a plain yes. */
const thinkLevels = {
  none: false,
  minimal: 'low',
  low: 'low',
  medium: 'medium',
  high: 'high',
} as const satisfies Record<NonNullable<ModelOptions['reasoning_effort']>, string | boolean>

/** The body of `POST /api/chat`. What the caller left out is left out, so that the model's own defaults hold. */
export function ollamaRequest({ model, messages, tools, options }: ModelRequest): JsonObject {
  const { temperature, top_p, max_tokens, stop, reasoning_effort } = options
  const given = {
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
    ...(reasoning_effort === undefined ? {} : { think: thinkLevels[reasoning_effort] }),
    ...(Object.keys(given).length > 0 ? { options: given } : {}),
  }
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
