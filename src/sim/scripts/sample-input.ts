import type { JsonObject, JsonSchema, JsonValue } from '../../core/json.ts'

const MAX_DEPTH = 8

/**
 * The smallest input that a JSON Schema of type `object` asks for: its required members, each with its first choice;
 * strings without one are `text`. References and combinations of schemas are answered with their first branch or `null`.
 */
export function sampleInput(schema: JsonSchema, text: string): JsonObject {
  return objectSample(schema, text, 0)
}

function objectSample(schema: JsonObject, text: string, depth: number): JsonObject {
  const properties = isObject(schema['properties']) ? schema['properties'] : {}
  const required = Array.isArray(schema['required']) ? schema['required'] : []
  return Object.fromEntries(
    required
      .filter((key): key is string => typeof key === 'string')
      .map((key) => [key, valueSample(properties[key] ?? {}, text, depth + 1)]),
  )
}

function valueSample(schema: JsonValue, text: string, depth: number): JsonValue {
  if (!isObject(schema) || depth > MAX_DEPTH) return text
  for (const key of ['const', 'default']) if (schema[key] !== undefined) return schema[key]
  for (const key of ['enum', 'examples']) {
    const choices = schema[key]
    if (Array.isArray(choices) && choices.length > 0) return choices[0]
  }
  for (const key of ['anyOf', 'oneOf', 'allOf']) {
    const branches = schema[key]
    if (Array.isArray(branches) && branches.length > 0) return valueSample(branches[0], text, depth + 1)
  }
  const type = Array.isArray(schema['type']) ? schema['type'][0] : schema['type']
  switch (type) {
    case 'object':
      return objectSample(schema, text, depth)
    case 'array': {
      const length = typeof schema['minItems'] === 'number' ? Math.min(schema['minItems'], 100) : 0
      return Array.from({ length }, () => valueSample(schema['items'] ?? {}, text, depth + 1))
    }
    case 'integer':
    case 'number':
      return typeof schema['minimum'] === 'number' ? schema['minimum'] : 1
    case 'boolean':
      return true
    case 'null':
      return null
    default:
      return stringSample(schema, text)
  }
}

function stringSample(schema: JsonObject, text: string): string {
  const most = typeof schema['maxLength'] === 'number' ? schema['maxLength'] : Number.POSITIVE_INFINITY
  const least = typeof schema['minLength'] === 'number' ? Math.min(schema['minLength'], 10_000) : 0
  return Array.from(text).slice(0, most).join('').padEnd(least, '.')
}

function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
