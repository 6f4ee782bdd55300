import type { Format } from '../core/format.ts'
import { gai } from './gai.ts'
import { openaiChat } from './openai-chat.ts'

/** Every spelling that a client may ask for, by the name it asks with. */
export const formats = { gai, 'openai-chat': openaiChat } as const satisfies Record<string, Format>

export type FormatName = keyof typeof formats
