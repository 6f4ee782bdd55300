import type { JsonObject, JsonValue } from './json.ts'

/** What a conversation consists of, in order. Providers translate it to their own wire; `fold.ts` builds it from a log. */
export type Message = SystemMessage | UserMessage | AssistantMessage | ToolMessage

/** Instructions that stand before the conversation. */
export interface SystemMessage {
  readonly role: 'system'
  readonly content: string
}

/** What the person, or the program, said. */
export interface UserMessage {
  readonly role: 'user'
  readonly content: string
}

/** What the model said in one step, in the order it said it. */
export interface AssistantMessage {
  readonly role: 'assistant'
  readonly parts: readonly AssistantPart[]
}

/** A piece of an assistant message. Neighbouring deltas of one kind are one part. */
export type AssistantPart =
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'reasoning'; readonly text: string }
  | { readonly type: 'tool_call'; readonly call_id: string; readonly name: string; readonly input: JsonObject }

/** The outcome of one tool call. Every `tool_call` part is answered by one of these before the next user message. */
export interface ToolMessage {
  readonly role: 'tool'
  readonly call_id: string
  readonly name: string
  readonly content: JsonValue
  readonly is_error: boolean
}

/** The visible text of a message: text parts joined, without reasoning and tool calls. */
export function textOf(message: Message): string {
  switch (message.role) {
    case 'system':
    case 'user':
      return message.content
    case 'assistant':
      return message.parts.reduce((text, part) => (part.type === 'text' ? text + part.text : text), '')
    case 'tool':
      return contentText(message.content)
  }
}

/** A tool's outcome as a model reads it: a string as it is, anything else as JSON. */
export function contentText(content: JsonValue): string {
  return typeof content === 'string' ? content : JSON.stringify(content)
}

/** About how many tokens these messages are: four characters a token, the usual rule of thumb. */
export function estimateTokens(messages: readonly Message[]): number {
  return Math.ceil(messages.reduce((sum, message) => sum + sizeOf(message), 0) / 4)
}

function sizeOf(message: Message): number {
  switch (message.role) {
    case 'system':
    case 'user':
      return message.content.length
    case 'tool':
      return contentText(message.content).length
    case 'assistant':
      return message.parts.reduce(
        (sum, part) => sum + (part.type === 'tool_call' ? JSON.stringify(part.input).length : part.text.length),
        0,
      )
  }
}
