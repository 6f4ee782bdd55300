import * as z from 'zod'
import type { ToolSpec } from '../../core/tool.ts'

/** A tool as OpenAI and Ollama spell it. */
export const toolSchema = z.looseObject({
  type: z.literal('function'),
  function: z.looseObject({
    name: z.string().min(1),
    description: z.string().optional(),
    parameters: z.record(z.string(), z.json()).optional(),
  }),
})

export function toolSpec({ function: { name, description, parameters } }: z.infer<typeof toolSchema>): ToolSpec {
  return { name, description: description ?? '', parameters: parameters ?? { type: 'object', properties: {} } }
}

/** What every request for an answer has. */
export const baseSchema = z.looseObject({ model: z.string().min(1), stream: z.boolean().nullish() })
