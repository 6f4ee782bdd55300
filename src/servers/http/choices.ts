import { z } from 'zod'
import type { Route } from './env.ts'
import { readQuery } from './requests/query.ts'

const choicesSchema = z.object({
  aliases: z.record(z.string(), z.string()).describe('Short names of models, each with the model that it stands for.'),
  default_model: z.string().optional().describe('What answers where a request names no model.'),
  tools: z.array(z.object({ name: z.string(), description: z.string() })),
})

/** `GET /v1/choices`: what a start may name besides the models; for programs that let a person choose. */
export const listChoices: Route = {
  method: 'GET',
  path: '/v1/choices',
  doc: {
    summary: 'List aliases, the default model and tools',
    answers: {
      200: {
        description: 'What `POST /v1/runs` may name, besides what `GET /v1/models` lists.',
        content: { 'application/json': { schema: choicesSchema } },
      },
    },
  },
  handle(c, { runtime }) {
    readQuery(c.req.url, [])
    const { aliases, defaultModel, tools } = runtime.choices
    return c.json({ aliases, ...(defaultModel === undefined ? {} : { default_model: defaultModel }), tools })
  },
}
