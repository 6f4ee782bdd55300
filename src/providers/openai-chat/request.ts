import type { JsonObject } from '../../core/json.ts'
import type { AssistantMessage, Message } from '../../core/message.ts'
import { contentText, textOf } from '../../core/message.ts'
import type { ModelOptions, ModelRequest } from '../../core/provider.ts'
import type { ToolSpec } from '../../core/tool.ts'

/** Where servers of this API differ in what they accept. */
export interface ChatDialect {
  /** How the limit of the answer is called. */
  readonly maxTokensField: 'max_tokens' | 'max_completion_tokens'
  /** Ask for the usage with `stream_options`. */
  readonly askUsage: boolean
  /** Give earlier reasoning back, as `reasoning_content` of the messages that call tools. */
  readonly reasoningBack: boolean
  /**
   * What ends an answer: `[DONE]`, or the end of the bytes after a `finish_reason` and the usage too, for servers that
   * never send `[DONE]`. Default `done`: without the mark, an answer that was cut looks like a whole one.
   */
  readonly endMark: 'done' | 'finish_reason'
}

const common: ChatDialect = { maxTokensField: 'max_tokens', askUsage: true, reasoningBack: false, endMark: 'done' }

/** Hosts of which more is known. What they refuse, they refuse with a 400 or a 422. */
const hosts: Readonly<Record<string, Partial<ChatDialect>>> = {
  // `max_tokens` is deprecated there, and refused by the reasoning models.
  'api.openai.com': { maxTokensField: 'max_completion_tokens' },
  // "Extra inputs are not permitted"; it sends the usage unasked.
  'api.mistral.ai': { askUsage: false },
  // Observed: it closes the connection behind the usage.
  'api.writer.com': { endMark: 'finish_reason' },
  // "The reasoning_content in the thinking mode must be passed back", also an empty one.
  'api.deepseek.com': { reasoningBack: true },
  'api.moonshot.ai': { reasoningBack: true },
  'api.moonshot.cn': { reasoningBack: true },
}

export function dialectOf(hostname: string): ChatDialect {
  return { ...common, ...hosts[hostname] }
}

/**
 * The body of `POST /chat/completions`. What the caller left out is left out, so that the server's defaults hold. What
 * has a name here goes before a member of the same name among the provider's own options.
 */
export function chatRequest(request: ModelRequest, dialect: ChatDialect): JsonObject {
  const { model, messages, tools, options } = request
  const { temperature, top_p, max_tokens, stop, reasoning_effort, tool_choice, provider_options } = options
  return {
    ...provider_options,
    model,
    messages: messages.map((message) => chatMessage(message, dialect)),
    stream: true,
    ...(dialect.askUsage ? { stream_options: { include_usage: true } } : {}),
    // An empty list is refused by most.
    ...(tools.length > 0 ? { tools: tools.map((tool) => ({ type: 'function', function: functionOf(tool) })) } : {}),
    // Without tools it is refused.
    ...(tools.length > 0 && tool_choice !== undefined ? { tool_choice: choiceOf(tool_choice) } : {}),
    ...(temperature === undefined ? {} : { temperature }),
    ...(top_p === undefined ? {} : { top_p }),
    ...(max_tokens === undefined ? {} : { [dialect.maxTokensField]: max_tokens }),
    ...(stop === undefined || stop.length === 0 ? {} : { stop }),
    ...(reasoning_effort === undefined ? {} : { reasoning_effort }),
  }
}

const functionOf = ({ name, description, parameters, strict }: ToolSpec) => ({
  name,
  description,
  parameters,
  ...(strict === undefined ? {} : { strict }),
})

const choiceOf = (choice: NonNullable<ModelOptions['tool_choice']>) =>
  typeof choice === 'string' ? choice : { type: 'function', function: { name: choice.name } }

function chatMessage(message: Message, dialect: ChatDialect): JsonObject {
  switch (message.role) {
    case 'system':
    case 'user':
      return { role: message.role, content: message.content }
    case 'assistant':
      return assistantMessage(message, dialect)
    case 'tool':
      return { role: 'tool', tool_call_id: message.call_id, content: contentText(message.content) }
  }
}

function assistantMessage(message: AssistantMessage, dialect: ChatDialect): JsonObject {
  const text = textOf(message)
  const calls = message.parts.filter((part) => part.type === 'tool_call')
  if (calls.length === 0) return { role: 'assistant', content: text }
  const reasoning = message.parts.reduce((all, part) => (part.type === 'reasoning' ? all + part.text : all), '')
  return {
    role: 'assistant',
    content: text === '' ? null : text,
    ...(dialect.reasoningBack ? { reasoning_content: reasoning } : {}),
    tool_calls: calls.map(({ call_id, name, input }) => ({
      id: call_id,
      type: 'function',
      function: { name, arguments: JSON.stringify(input) },
    })),
  }
}
