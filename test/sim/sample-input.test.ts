import { expect, test } from 'vitest'
import * as z from 'zod'
import type { JsonObject } from '../../src/core/json.ts'
import { sampleInput } from '../../src/sim/scripts/sample-input.ts'

const object = (properties: JsonObject, required = Object.keys(properties)): JsonObject => ({
  type: 'object',
  properties,
  required,
  additionalProperties: false,
})

const cases: [name: string, schema: JsonObject, input: JsonObject][] = [
  ['no parameters', { type: 'object', properties: {} }, {}],
  ['an empty schema', {}, {}],
  ['optional members stay out', object({ a: { type: 'string' } }, []), {}],
  ['strings are the prompt', object({ query: { type: 'string' } }), { query: 'What is it?' }],
  [
    'string lengths',
    object({ a: { type: 'string', maxLength: 4 }, b: { type: 'string', minLength: 13 } }),
    { a: 'What', b: 'What is it?..' },
  ],
  [
    'enum, const, default',
    object({ a: { enum: ['x', 'y'] }, b: { const: 3 }, c: { type: 'string', default: 'z' } }),
    { a: 'x', b: 3, c: 'z' },
  ],
  ['numbers', object({ a: { type: 'integer', minimum: 5 }, b: { type: 'number' } }), { a: 5, b: 1 }],
  [
    'boolean, null, nullable',
    object({ a: { type: 'boolean' }, b: { type: 'null' }, c: { type: ['integer', 'null'] } }),
    { a: true, b: null, c: 1 },
  ],
  [
    'arrays',
    object({
      a: { type: 'array', items: { type: 'string' } },
      b: { type: 'array', items: { type: 'boolean' }, minItems: 2 },
    }),
    { a: [], b: [true, true] },
  ],
  ['nested objects', object({ a: object({ b: object({ c: { type: 'boolean' } }) }) }), { a: { b: { c: true } } }],
  ['the first of several', object({ a: { anyOf: [{ type: 'integer' }, { type: 'string' }] } }), { a: 1 }],
]
for (const [name, schema, input] of cases) {
  test(`sample input: ${name}, and the schema accepts it`, () => {
    expect(sampleInput(schema, 'What is it?')).toEqual(input)
    expect(z.fromJSONSchema(schema as z.core.JSONSchema.JSONSchema).safeParse(input).success).toBe(true)
  })
}
