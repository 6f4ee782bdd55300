import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { boxTools, toolFactories } from '../../src/tools/index.ts'

const tools = boxTools({ root: '.' })

test('the box holds what the table names, under the names that the tools tell a model', () => {
  expect(tools.map(({ name }) => name)).toEqual(Object.keys(toolFactories))
  expect(tools.map(({ name }) => name)).toEqual(['list_files', 'read_file', 'search_text', 'current_time'])
})

describe('each tool', () => {
  for (const tool of tools) {
    test(`${tool.name} reads only, and says so: it may be repeated after a crash`, () => {
      expect(tool.idempotent).toBe(true)
      expect(tool.name).toMatch(/^[\w-]{1,64}$/)
      expect(tool.description.length).toBeGreaterThan(20)
    })

    test(`${tool.name} has a schema that can be checked, describes every field, and refuses strangers`, () => {
      const schema = z.fromJSONSchema(tool.parameters)
      const properties = tool.parameters['properties'] as Record<string, { description?: string }>
      expect(Object.entries(properties).filter(([, { description }]) => !description)).toEqual([])
      const least = {
        ...(tool.name === 'read_file' ? { path: 'x' } : {}),
        ...(tool.name === 'search_text' ? { query: 'x' } : {}),
      }
      expect(schema.safeParse(least).success).toBe(true)
      expect(schema.safeParse({ ...least, stranger: 1 }).success).toBe(false)
      expect(schema.safeParse({ ...least, path: 5, time_zone: 5 }).success).toBe(false)
    })
  }

  const refused: [tool: string, input: object][] = [
    ['list_files', { depth: 0 }],
    ['list_files', { depth: 65 }],
    ['list_files', { depth: 1.5 }],
    ['list_files', { pattern: 'x'.repeat(1_001) }],
    ['read_file', {}],
    ['read_file', { path: 'x', start_line: 0 }],
    ['read_file', { path: 'x', lines: 0 }],
    ['read_file', { path: 'x', max_bytes: 65_537 }],
    ['search_text', {}],
    ['search_text', { query: '' }],
    ['search_text', { query: 'x'.repeat(1_001) }],
  ]
  for (const [name, input] of refused) {
    test(`${name} does not take ${JSON.stringify(input).slice(0, 40)}`, () => {
      const tool = tools.find((one) => one.name === name)!
      expect(z.fromJSONSchema(tool.parameters).safeParse(input).success).toBe(false)
    })
  }
})
