/** What the two protocols say about models without asking one: lists, details, versions. */
import type { JsonObject, JsonValue } from '../core/json.ts'
import type { Failure } from './apis/api.ts'
import { ollamaChat } from './apis/ollama.ts'
import { openaiError } from './apis/openai-errors.ts'
import type { Repertoire, SimModel } from './repertoire.ts'

/** A route that answers with one JSON body. Its errors are OpenAI's or Ollama's. */
export interface CatalogueRoute {
  readonly method: 'GET' | 'POST'
  readonly path: string
  /** `body` is the parsed request body, or undefined for GET. Throws what `Repertoire.find` throws. */
  readonly answer: (body: JsonValue | undefined) => JsonValue
  readonly errorBody: (failure: Failure) => JsonValue
}

export const VERSION = '0.0.0-runlet-sim'

export function catalogue(repertoire: Repertoire, startedAt: number): readonly CatalogueRoute[] {
  const { models } = repertoire
  const on = (prefix: string) => models.filter(({ paths }) => paths.some((path) => path.startsWith(prefix)))
  const created = Math.floor(startedAt / 1000)
  const modified_at = new Date(startedAt).toISOString()
  const { errorBody } = ollamaChat
  const get = (path: string, answer: () => JsonValue) => ({ method: 'GET', path, answer, errorBody }) as const

  return [
    {
      ...get('/v1/models', () => ({
        object: 'list',
        data: on('/v1/').map(({ name }) => ({ id: name, object: 'model', created, owned_by: 'runlet-sim' })),
      })),
      errorBody: openaiError,
    },
    get('/api/tags', () => ({ models: on('/api/').map((model) => tag(model, modified_at)) })),
    get('/api/ps', () => ({ models: [] })),
    get('/api/version', () => ({ version: VERSION })),
    {
      method: 'POST',
      path: '/api/show',
      errorBody,
      answer(body) {
        const name = modelName(body)
        repertoire.find(name, ollamaChat)
        // Not listed are other names of a listed model, such as lorem-5.
        const description = models.find((model) => model.name === name)?.description ?? name
        return { ...details(description), modified_at }
      },
    },
  ]
}

/** The model that an Ollama request names, without its default tag. */
export function modelName(body: JsonValue | undefined): string {
  const { model, name } = typeof body === 'object' && body !== null ? (body as JsonObject) : {}
  const asked = model ?? name
  return typeof asked === 'string' ? asked.replace(/:latest$/, '') : ''
}

const family = {
  parent_model: '',
  format: 'script',
  family: 'sim',
  families: ['sim'],
  parameter_size: '0',
  quantization_level: '',
}

function tag({ name }: SimModel, modified_at: string): JsonObject {
  return { name, model: name, modified_at, size: 0, digest: '', details: family }
}

function details(description: string): JsonObject {
  return {
    modelfile: `# ${description}\n`,
    parameters: '',
    template: '{{ .Prompt }}',
    details: family,
    model_info: { 'general.architecture': 'sim', 'sim.context_length': 131_072 },
    capabilities: ['completion', 'tools', 'thinking'],
  }
}
