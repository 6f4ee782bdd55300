import { z } from 'zod'
import { toRunletError } from '../../../core/error.ts'
import type { JsonObject } from '../../../core/json.ts'
import type { AssistantPart, Message, ToolMessage } from '../../../core/message.ts'
import { quoted } from '../../../core/quote.ts'
import { parseJsonObject } from '../../../wire/json.ts'
import { invalid } from '../requests/checked.ts'
import { unsupported } from './refusals.ts'

const contentSchema = z.union([z.string(), z.array(z.looseObject({ type: z.string() }))])

const callSchema = z.looseObject({
  id: z.string().min(1),
  type: z.string().optional(),
  function: z.object({ name: z.string().min(1), arguments: z.string() }).optional(),
})

/** One message, as OpenAI has it. Members that a role does not have are not looked at. */
export const messageSchema = z.looseObject({
  role: z.enum(['system', 'developer', 'user', 'assistant', 'tool', 'function']),
  content: contentSchema.nullish(),
  tool_calls: z.array(callSchema).nullish(),
  tool_call_id: z.string().nullish(),
  refusal: z.string().nullish(),
  reasoning_content: z.string().nullish(),
})

type Given = z.infer<typeof messageSchema>

/**
 * A conversation in Runlet's words. Instructions (`system` and `developer`) become one text, wherever they stood; each
 * result gets the name of its tool from the call that it answers. Throws `invalid_request` and `unsupported`, with the
 * place.
 */
export function conversationOf(given: readonly Given[]): {
  readonly system: string | undefined
  readonly messages: readonly Message[]
} {
  const instructions: string[] = []
  const messages: Message[] = []
  /** Calls that have no result yet: the name of the tool, by id. */
  let open = new Map<string, string>()

  given.forEach((message, i) => {
    const place = `messages.${i}`
    if (message.role === 'tool') return void messages.push(toolResult(message, place, open))
    checkAnswered(open, place)
    switch (message.role) {
      case 'system':
      case 'developer':
        return void instructions.push(textOf(message, place))
      case 'user':
        return void messages.push({ role: 'user', content: textOf(message, place) })
      case 'assistant': {
        const parts = assistantParts(message, place)
        open = new Map(parts.flatMap((part) => (part.type === 'tool_call' ? [[part.call_id, part.name]] : [])))
        return void messages.push({ role: 'assistant', parts })
      }
      default:
        throw unsupported(`${place}.role`, 'the deprecated functions are not taken; send tools, and role "tool"')
    }
  })
  if (messages.at(-1)?.role === 'tool') checkAnswered(open, 'messages')
  return { system: instructions.length > 0 ? instructions.join('\n\n') : undefined, messages }
}

function toolResult(message: Given, place: string, open: Map<string, string>): ToolMessage {
  const call_id = message.tool_call_id ?? ''
  const name = open.get(call_id)
  if (name === undefined) {
    throw invalid(`${place}.tool_call_id`, `${quoted(call_id)} is no call of the assistant message before it`)
  }
  open.delete(call_id)
  return { role: 'tool', call_id, name, content: textOf(message, place), is_error: false }
}

/** Models refuse a conversation in which a call has no result. */
function checkAnswered(open: ReadonlyMap<string, string>, place: string): void {
  if (open.size === 0) return
  const ids = [...open.keys()].slice(0, 5).map(quoted)
  throw invalid(place, `a message of role "tool" has to answer each call before it; missing: ${ids.join(', ')}`)
}

function assistantParts(message: Given, place: string): AssistantPart[] {
  const { reasoning_content: reasoning, refusal, tool_calls } = message
  const text = textOf(message, place) || (refusal ?? '')
  const parts: AssistantPart[] = []
  if (reasoning) parts.push({ type: 'reasoning', text: reasoning })
  if (text !== '') parts.push({ type: 'text', text })
  const ids = new Set<string>()
  tool_calls?.forEach((call, i) => {
    const here = `${place}.tool_calls.${i}`
    if (ids.has(call.id)) throw invalid(`${here}.id`, `${quoted(call.id)} is the id of a call before it`)
    ids.add(call.id)
    parts.push(toolCall(call, here))
  })
  return parts
}

function toolCall(
  { id, type = 'function', function: called }: z.infer<typeof callSchema>,
  place: string,
): AssistantPart {
  if (type !== 'function') throw unsupported(place, `a call of type ${quoted(type)} is not taken, only functions`)
  if (!called) throw invalid(`${place}.function`, 'expected an object')
  return { type: 'tool_call', call_id: id, name: called.name, input: argumentsOf(called.arguments, place) }
}

/** No arguments at all is how many models call a tool that takes none. */
function argumentsOf(json: string, place: string): JsonObject {
  if (json.trim() === '') return {}
  try {
    return parseJsonObject(json, { maxBytes: Infinity })
  } catch (thrown) {
    throw invalid(`${place}.function.arguments`, toRunletError(thrown).message)
  }
}

/** The text of a message: a string, or its parts of type `text` and `refusal` joined. */
function textOf({ content }: Given, place: string): string {
  if (content === null || content === undefined) return ''
  if (typeof content === 'string') return content
  return content
    .map((part, i) => {
      const said = part.type === 'text' ? part['text'] : part.type === 'refusal' ? part['refusal'] : undefined
      if (typeof said === 'string') return said
      const here = `${place}.content.${i}`
      if (part.type === 'text') throw invalid(`${here}.text`, 'expected string')
      throw unsupported(here, `content of type ${quoted(part.type)} is not taken; Runlet passes on text only`)
    })
    .join('')
}
