/** `GET /openapi.json`: the document of everything in the table of routes, from the schemas that check the requests. */
import { z } from 'zod'
import type { JsonObject, JsonValue } from '../../../core/json.ts'
import {
  acceptedSchema,
  errorSchema,
  healthSchema,
  modelsSchema,
  problemSchema,
  runDetailSchema,
  runListSchema,
  runSchema,
  sessionSchema,
  startedSchema,
} from './answers.ts'
import type { Content, Parameters } from './doc.ts'
import type { Route } from '../env.ts'
import { inputSchema } from '../runs/input-body.ts'
import { readQuery } from '../requests/query.ts'
import { startSchema } from '../runs/start-body.ts'

/** Schemas that have a name of their own in the document. */
const named = {
  Accepted: acceptedSchema,
  Error: errorSchema,
  Health: healthSchema,
  Input: inputSchema,
  Models: modelsSchema,
  Problem: problemSchema,
  Run: runSchema,
  RunDetail: runDetailSchema,
  RunList: runListSchema,
  Session: sessionSchema,
  Start: startSchema,
  Started: startedSchema,
} as const satisfies Record<string, z.ZodType>

/** The route of the document itself, which is made of `routes()` when it is first asked for. It holds no data, so it is open. */
export function openApiRoute(routes: () => readonly Route[]): Route {
  let document: string | undefined
  return {
    method: 'GET',
    path: '/openapi.json',
    open: true,
    doc: {
      summary: 'Show this document',
      answers: { 200: { description: 'OpenAPI 3.1.', content: { 'application/json': {} } } },
    },
    handle(c) {
      readQuery(c.req.url, [])
      document ??= JSON.stringify(openApiDocument(routes()))
      return c.body(document, 200, { 'Content-Type': 'application/json', 'Cache-Control': 'no-cache' })
    },
  }
}

/** An OpenAPI 3.1 document. https://spec.openapis.org/oas/v3.1.1.html */
export function openApiDocument(routes: readonly Route[]): JsonObject {
  const schemas = schemaBook()
  const paths: Record<string, Record<string, JsonObject>> = {}
  for (const route of routes) {
    const path = route.path.replaceAll(/:(\w+)(?:\{[^}]*\})?/g, '{$1}')
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operation(route, schemas.refer) }
  }
  return {
    openapi: '3.1.1',
    info: {
      title: 'Runlet',
      version: '1',
      summary: 'Durable token streams, from any model to any client',
      description:
        'A run is one answer being made: an append-only, numbered log of events that any number of readers can follow, ' +
        'leave and come back to. Events are described in PROTOCOL.md of the package `runlet`.',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: '/' }],
    security: [{ token: [] }, { cookie: [] }],
    paths,
    components: { schemas: schemas.components(), securitySchemes },
  }
}

const securitySchemes = {
  token: { type: 'http', scheme: 'bearer', description: 'What the server’s token file holds.' },
  cookie: {
    type: 'apiKey',
    in: 'cookie',
    name: 'runlet',
    description: 'The session of the page, which a one-time link begins. Called by a port, it is `runlet_PORT`.',
  },
  runToken: { type: 'http', scheme: 'bearer', description: 'A token to read one run, which expires.' },
  runTokenInUrl: { type: 'apiKey', in: 'query', name: 'access_token', description: 'The same, for an `EventSource`.' },
} as const satisfies JsonObject

type Refer = (schema: z.ZodType) => JsonObject

function operation(route: Route, refer: Refer): JsonObject {
  const { method, path, open, readers, doc, problem } = route
  const { summary, description, body, bodyOptional = false, answers, problems = {} } = doc
  const inPath = Object.fromEntries([...path.matchAll(/:(\w+)/g)].map(([, name]) => [name!, pathParameter(path)]))
  const parameters = [
    ...parameterList('path', { ...inPath, ...doc.path }, refer),
    ...parameterList('query', doc.query, refer),
    ...parameterList('header', doc.headers, refer),
  ]
  const refused = problem
    ? refusedElsewhere
    : { content: { 'application/problem+json': { schema: refer(problemSchema) } } }
  const ownProblems = open
    ? problems
    : { 401: 'There is no token, or it is not the one.', 403: NOT_ALLOWED, ...problems }
  return {
    operationId: operationId(method, path),
    summary,
    ...(description === undefined ? {} : { description }),
    ...(open || readers ? { security: callers(route) } : {}),
    ...(parameters.length > 0 ? { parameters } : {}),
    ...(body ? { requestBody: { required: !bodyOptional, content: contentOf(body, refer) } } : {}),
    responses: {
      ...Object.fromEntries(
        Object.entries(answers).map(([status, answer]) => [
          status,
          {
            description: answer.description,
            ...(answer.headers ? { headers: headersOf(answer.headers, refer) } : {}),
            ...(answer.content ? { content: contentOf(answer.content, refer) } : {}),
          },
        ]),
      ),
      ...Object.fromEntries(
        Object.entries(ownProblems).map(([status, when]) => [status, { description: when, ...refused }]),
      ),
      default: { description: 'It is refused, or it failed.', ...refused },
    },
  }
}

/** Who may call a route that is not for the owner alone. */
function callers({ open, tokenInUrl }: Route): JsonObject[] {
  if (open) return []
  return [{ token: [] }, { cookie: [] }, { runToken: [] }, ...(tokenInUrl ? [{ runTokenInUrl: [] }] : [])]
}

const NOT_ALLOWED = 'A foreign page, or somebody who may only read one run.'

/** Routes of other protocols answer with their errors, which are theirs to describe. */
const refusedElsewhere = { content: { 'application/json': { schema: { type: 'object' } } } } as const

const pathParameter = (path: string) => ({
  description: path.includes('/sessions/') ? 'The session.' : path.includes('/runs/') ? 'The run.' : 'Which one.',
})

function parameterList(place: 'path' | 'query' | 'header', parameters: Parameters = {}, refer: Refer): JsonObject[] {
  return Object.entries(parameters).map(([name, { description, schema, example }]) => ({
    name,
    in: place,
    ...(place === 'path' ? { required: true } : {}),
    description,
    schema: schema ? refer(schema) : { type: 'string' },
    ...(example === undefined ? {} : { example }),
  }))
}

function headersOf(headers: Parameters, refer: Refer): JsonObject {
  return Object.fromEntries(
    Object.entries(headers).map(([name, { description, schema }]) => [
      name,
      { description, schema: schema ? refer(schema) : { type: 'string' } },
    ]),
  )
}

function contentOf(content: Content, refer: Refer): JsonObject {
  return Object.fromEntries(
    Object.entries(content).map(([type, { schema, example }]) => [
      type,
      {
        schema: schema ? refer(schema) : { type: type.endsWith('json') && !type.includes('nd') ? 'object' : 'string' },
        ...(example === undefined ? {} : { example: example as JsonValue }),
      },
    ]),
  )
}

/** `POST /v1/runs/:id/cancel` is `postRunsIdCancel`. */
function operationId(method: string, path: string): string {
  const words = path.split(/[^A-Za-z0-9]+/).filter((word) => word !== '' && word !== 'v1')
  return method.toLowerCase() + words.map((word) => word[0]!.toUpperCase() + word.slice(1)).join('')
}

/** Writes schemas down once each: those with a name under it, the others where they stand. */
function schemaBook(): { readonly refer: Refer; components(): JsonObject } {
  const metadata = z.registry<{ id: string }>()
  for (const [id, schema] of Object.entries(named)) metadata.add(schema, { id })
  const components: Record<string, JsonObject> = {}

  /**
   * A schema with a name becomes a reference to it, and its definition comes along. All as input, for what a request may
   * hold also describes what an answer does: both grow by additions.
   */
  function refer(schema: z.ZodType): JsonObject {
    const json = z.toJSONSchema(schema, {
      metadata,
      io: 'input',
      unrepresentable: 'any',
      override: ({ zodSchema, jsonSchema }) => void Object.assign(jsonSchema, z.globalRegistry.get(zodSchema)),
    }) as Record<string, JsonValue>
    const { $schema: _, $defs, ...rest } = json
    for (const [id, definition] of Object.entries(($defs ?? {}) as Record<string, JsonObject>)) {
      components[id] ??= inDocument(definition)
    }
    return inDocument(rest)
  }

  return {
    refer,
    components: () => Object.fromEntries(Object.entries(components).toSorted(([a], [b]) => (a < b ? -1 : 1))),
  }
}

/** The same, with references into the components of the document, and without the names that these have there. */
function inDocument(schema: JsonObject): JsonObject {
  const { id: _, ...nameless } = schema
  return JSON.parse(JSON.stringify(nameless).replaceAll('"#/$defs/', '"#/components/schemas/')) as JsonObject
}
