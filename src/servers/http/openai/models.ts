import { errorBody, RunletError, toRunletError } from '../../../core/error.ts'
import { nearest } from '../../../core/near.ts'
import type { ModelInfo } from '../../../core/provider.ts'
import { quoted } from '../../../core/quote.ts'
import { modelsSchema } from '../openapi/answers.ts'
import type { Route } from '../env.ts'
import { readQuery } from '../requests/query.ts'
import { openaiProblem } from './problem.ts'
import { ofProvider } from './refusals.ts'

/** `GET /v1/models`: as OpenAI's clients know it, and for each provider that could not tell, why. */
export const listModels: Route = {
  method: 'GET',
  path: '/v1/models',
  problem: openaiProblem,
  doc: {
    summary: 'List the models that can be asked for',
    answers: {
      200: { description: 'As OpenAI lists them.', content: { 'application/json': { schema: modelsSchema } } },
    },
  },
  async handle(c, { runtime }) {
    readQuery(c.req.url, [])
    const answers = await runtime.models({ signal: c.req.raw.signal })
    return c.json({
      object: 'list',
      data: answers.flatMap(({ provider, models }) => models.map((model) => modelJson(provider, model))),
      errors: answers.flatMap(({ provider, error }) =>
        error ? [{ provider, ...errorBody(toRunletError(error)) }] : [],
      ),
    })
  },
}

/** `GET /v1/models/{id}`: one of them. Ids have slashes, which clients may or may not escape. */
export const showModel: Route = {
  method: 'GET',
  path: '/v1/models/:id{.+}',
  problem: openaiProblem,
  doc: {
    summary: 'Show a model',
    path: { id: { description: 'As `GET /v1/models` lists it.', example: 'openai/gpt-5-mini' } },
    answers: {
      200: {
        description: 'As OpenAI shows it.',
        content: { 'application/json': { schema: modelsSchema.shape.data.element } },
      },
    },
    problems: { 404: 'There is no such model.' },
  },
  async handle(c, { runtime }) {
    readQuery(c.req.url, [])
    const id = c.req.param('id') ?? ''
    const answers = await runtime.models({ signal: c.req.raw.signal })
    const known = answers.flatMap(({ provider, models }) => models.map((model) => modelJson(provider, model)))
    const model = known.find((one) => one.id === id)
    if (model) return c.json(model)
    const silent = answers.find(({ provider, error }) => error && id.startsWith(`${provider}/`))
    if (silent?.error) throw ofProvider(toRunletError(silent.error))
    throw modelUnknown(
      id,
      nearest(
        id,
        known.map((one) => one.id),
      ),
    )
  },
}

function modelJson(provider: string, { id, created_at = 0 }: ModelInfo) {
  return {
    id: `${provider}/${id}`,
    object: 'model',
    created: Math.floor(created_at / 1000),
    owned_by: provider,
  }
}

function modelUnknown(id: string, meant: string | undefined): RunletError {
  const hint = meant === undefined ? 'GET /v1/models lists those there are' : `did you mean "${meant}"?`
  return new RunletError('not_found', {
    reason: 'model_unknown',
    message: `there is no model ${quoted(id)} here; ${hint}`,
  })
}
