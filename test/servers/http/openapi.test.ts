import { Validator } from '@seriousme/openapi-schema-validator'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { describe, expect, test } from 'vitest'
import type { z } from 'zod'
import type { JsonObject } from '../../../src/core/json.ts'
import { checked } from '../../../src/servers/http/requests/checked.ts'
import type { Route } from '../../../src/servers/http/env.ts'
import { inputSchema } from '../../../src/servers/http/runs/input-body.ts'
import { openApiDocument } from '../../../src/servers/http/openapi/openapi.ts'
import { routes } from '../../../src/servers/http/routes.ts'
import { startSchema } from '../../../src/servers/http/runs/start-body.ts'
import { problemSchema } from '../../../src/servers/http/openapi/answers.ts'
import { held } from './held.ts'
import { ended, lab, type Lab } from './lab.ts'

interface Operation {
  readonly operationId: string
  readonly summary: string
  readonly security?: readonly Record<string, string[]>[]
  readonly parameters?: readonly { readonly name: string; readonly in: string }[]
  readonly requestBody?: { readonly required: boolean; readonly content: Record<string, Media> }
  readonly responses: Record<string, { readonly content?: Record<string, Media>; readonly headers?: object }>
}
interface Media {
  readonly schema?: JsonObject
  readonly example?: unknown
}
interface Document {
  readonly paths: Record<string, Record<string, Operation>>
  readonly components: { readonly schemas: Record<string, JsonObject>; readonly securitySchemes: object }
}

const document = openApiDocument(routes) as unknown as Document
const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ name: `${method.toUpperCase()} ${path}`, operation })),
)
const nameOf = ({ method, path }: Route) => `${method} ${path.replaceAll(/:(\w+)(?:\{[^}]*\})?/g, '{$1}')}`

/** Judges by a schema of the document, with all that it refers to. */
function judge(schema: JsonObject, value: unknown): string[] {
  const ajv = new Ajv2020({ strict: false, allErrors: true })
  const check = ajv.compile({ allOf: [schema], components: document.components })
  check(value)
  return (check.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`)
}

describe('the OpenAPI document', () => {
  test('is valid OpenAPI 3.1', async () => {
    const result = await new Validator().validate(structuredClone(document) as never)
    expect(result.errors ?? []).toEqual([])
    expect(result.valid).toBe(true)
  })

  test('is told from what is not', async () => {
    const broken = structuredClone(document) as unknown as { paths: Record<string, { get: { responses?: object } }> }
    delete broken.paths['/v1/runs']!.get.responses
    broken.paths['/v1/runs']!.get = { parameters: [{ name: 'x', in: 'nowhere' }] } as never
    expect((await new Validator().validate(broken)).valid).toBe(false)
  })

  test('is what the server answers, to anyone', async () => {
    const { server } = lab()
    const response = await server.fetch(new Request('http://127.0.0.1:7411/openapi.json'))
    expect([response.status, response.headers.get('content-type')]).toEqual([200, 'application/json'])
    expect(await response.json()).toEqual(document)
  })

  test('tells of every route that the server has, and of no other', () => {
    expect(operations.map(({ name }) => name).toSorted()).toEqual(routes.map(nameOf).toSorted())
  })

  test('names each operation once, and says what it does', () => {
    const ids = operations.map(({ operation }) => operation.operationId)
    expect(new Set(ids).size).toBe(ids.length)
    expect(operations.filter(({ operation }) => !/^[A-Z][^.]+$/.test(operation.summary))).toEqual([])
  })

  test('says who may call what: the owner, with a token or a cookie; a reader of one run; anyone', () => {
    const said = Object.fromEntries(operations.map(({ name, operation }) => [name, operation.security]))
    const reader = [{ token: [] }, { cookie: [] }, { runToken: [] }]
    const meant = routes.map((route) => {
      if (route.open) return [nameOf(route), []]
      return [
        nameOf(route),
        route.readers ? [...reader, ...(route.tokenInUrl ? [{ runTokenInUrl: [] }] : [])] : undefined,
      ]
    })
    expect(said).toEqual(Object.fromEntries(meant))
    const known = Object.keys(document.components.securitySchemes)
    expect(known).toEqual(['token', 'cookie', 'runToken', 'runTokenInUrl'])
  })

  test('refers to nothing that is not there, and holds nothing that is not referred to', () => {
    const text = JSON.stringify(document)
    const referred = new Set([...text.matchAll(/"\$ref":"([^"]+)"/g)].map(([, target]) => target!))
    const there = Object.keys(document.components.schemas).map((name) => `#/components/schemas/${name}`)
    expect([...referred].toSorted()).toEqual(there.toSorted())
    expect(text).not.toMatch(/\$defs|"~standard"|draft\/2020/)
  })

  test('has the parameters that are in the path', () => {
    const wrong = operations.filter(({ name, operation }) => {
      const inPath = [...name.matchAll(/\{(\w+)\}/g)].map(([, parameter]) => parameter)
      const said = (operation.parameters ?? []).filter((one) => one.in === 'path').map((one) => one.name)
      return JSON.stringify(inPath) !== JSON.stringify(said)
    })
    expect(wrong).toEqual([])
  })

  test('gives examples that are what they are examples of', () => {
    const wrong: string[] = []
    let count = 0
    for (const { name, operation } of operations) {
      const media = [
        ...Object.entries(operation.requestBody?.content ?? {}),
        ...Object.values(operation.responses).flatMap(({ content }) => Object.entries(content ?? {})),
      ]
      for (const [type, { schema, example }] of media) {
        if (example === undefined || !schema) continue
        count++
        wrong.push(...judge(schema, example).map((fault) => `${name} ${type}: ${fault}`))
      }
    }
    expect(wrong).toEqual([])
    expect(count).toBeGreaterThan(5)
  })
})

describe('the schemas of requests', () => {
  const schemas: [name: string, schema: z.ZodType][] = [
    ['Start', startSchema],
    ['Input', inputSchema],
  ]
  const bodies: JsonObject[] = [
    {},
    { prompt: 'Hi' },
    { prompt: 7 },
    { prompt: 'Hi', stranger: 1 },
    { model: '' },
    { messages: [{ role: 'user', content: 'Hi' }] },
    { messages: [{ role: 'bot', content: 'Hi' }] },
    { messages: [{ role: 'assistant', parts: [{ type: 'tool_call', call_id: 'c', name: 'n', input: {} }] }] },
    { messages: [{ role: 'assistant', parts: [{ type: 'tool_call', call_id: 'c', name: 'n', input: [] }] }] },
    { messages: [{ role: 'tool', call_id: 'c', name: 'n', content: null }] },
    { messages: [{ role: 'tool', call_id: 'c', name: 'n' }] },
    { options: { temperature: -1 } },
    { options: { tool_choice: 'auto' } },
    { options: { tool_choice: { name: 'x' } } },
    { options: { tool_choice: 'x' } },
    { options: { provider_options: { a: 1 } } },
    { options: { provider_options: 1 } },
    { caller_tools: [{ name: 'a b', description: '', parameters: {} }] },
    { caller_tools: [{ name: 'ab', description: '', parameters: {} }], caller_results: 'answer' },
    { caller_tools: [{ name: 'ab', description: '', parameters: { type: 'object' } }], caller_results: 'answer' },
    { caller_results: 'never' },
    { type: 'steer', text: 'x' },
    { type: 'steer' },
    { type: 'tool_result', call_id: 'c', result: null },
    { type: 'tool_result', call_id: 'c' },
    { type: 'cancel' },
    { type: 'cancel', reason: 'x'.repeat(201) },
    { type: 'pause' },
  ]
  for (const [name, schema] of schemas) {
    test(`${name}: the document accepts what the server accepts, and refuses what it refuses`, () => {
      const verdicts = (accepts: (body: JsonObject) => boolean) =>
        bodies.map((body) => [JSON.stringify(body), accepts(body)])
      const said = verdicts((body) => judge({ $ref: `#/components/schemas/${name}` }, body).length === 0)
      expect(said).toEqual(verdicts((body) => schema.safeParse(body).success))
      expect(new Set(said.map(([, accepted]) => accepted)).size).toBe(2)
    })
  }
})

describe('real answers', () => {
  /** What an answer says must be in the schema, and all that it says. */
  async function holds(l: Lab, name: string, response: Response): Promise<void> {
    const route = routes.find((one) => nameOf(one) === name)!
    const schema = response.ok
      ? route.doc?.answers[response.status]?.content?.['application/json']?.schema
      : problemSchema
    const json = await response.json()
    expect(schema, `${name} ${response.status}`).toBeDefined()
    expect(checked(schema!, json).unknown, name).toEqual([])
  }

  test('are what the document says, member by member', async () => {
    const { scripts } = held()
    const l = lab({ scripts })
    const ask = async (name: string, path: string, init?: RequestInit) => holds(l, name, await l.ask(path, init))
    const post = async (name: string, path: string, body: object) => holds(l, name, await l.post(path, body))
    const started = await l.post('/v1/runs', { prompt: 'Hi' })
    const id = started.headers.get('x-run-id')!
    await holds(l, 'POST /v1/runs', started)
    await post('POST /v1/runs/{id}/input', `/v1/runs/${id}/input`, { type: 'steer', text: 'x' })
    await post('POST /v1/runs/{id}/input', `/v1/runs/${id}/input`, { type: 'steer', text: '' })
    await ask('GET /v1/runs/{id}', `/v1/runs/${id}`)
    await post('POST /v1/runs/{id}/cancel', `/v1/runs/${id}/cancel`, {})
    await ended(l, id)
    await ask('GET /v1/runs/{id}', `/v1/runs/${id}`)
    await ask('GET /v1/runs/{id}', '/v1/runs/nope')
    await ask('GET /v1/runs', '/v1/runs?limit=1')
    const { session_id } = await (await l.runtime.find(id)).header()
    await ask('GET /v1/sessions/{id}', `/v1/sessions/${session_id}`)
    await ask('GET /v1/models', '/v1/models')
    await ask('GET /healthz', '/healthz')
  })

  test('of a run that failed, with a tool, too', async () => {
    const call = { type: 'tool_call', call_id: 'c1', name: 'look', input: { a: 1 } } as const
    const l = lab({
      scripts: [
        [
          [{ type: 'start', model: 'm' }],
          [{ type: 'reasoning', text: 'Hm.' }],
          [call],
          [{ type: 'done', reason: 'tool_calls' }],
        ],
      ],
    })
    const caller_tools = [{ name: 'look', description: '', parameters: { type: 'object' } }]
    const response = await l.post('/v1/runs', { prompt: 'Hi', caller_tools })
    const id = response.headers.get('x-run-id')!
    await ended(l, id)
    await holds(l, 'GET /v1/runs/{id}', await l.ask(`/v1/runs/${id}`))
    const failing = await l.begin()
    const error = { code: 'network', reason: 'x', message: 'cut', temporary: true, retry_after_ms: 5 } as const
    await l.log.append(failing, 1, [{ type: 'error', error }])
    await holds(l, 'GET /v1/runs/{id}', await l.ask(`/v1/runs/${failing}`))
  })
})
