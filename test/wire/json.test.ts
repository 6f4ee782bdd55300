import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { boundedJson, excerpt, parseJson, parseJsonObject } from '../../src/wire/json.ts'

const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth)
const nestedObjects = (depth: number) => '{"a":'.repeat(depth - 1) + '{}' + '}'.repeat(depth - 1)
const failure = (work: () => unknown) => {
  try {
    work()
  } catch (error) {
    return error as Error & { reason: string; cause?: Error }
  }
  throw new Error('it did not throw')
}

test('json: every value comes back as JSON.parse reads it', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 5 }), (value) => {
      const text = JSON.stringify(value)
      expect(parseJson(text)).toEqual(JSON.parse(text))
    }),
  )
})

test('json: a depth of 64 is accepted, one more is not, wherever it is', () => {
  for (const make of [nested, nestedObjects, (depth: number) => `[1,{"a":"b"},${nested(depth - 1)},2]`]) {
    expect(() => parseJson(make(64))).not.toThrow()
    expect(failure(() => parseJson(make(65)))).toMatchObject({ code: 'invalid_request', reason: 'json_too_deep' })
  }
})

test('json: a depth that JSON.parse takes and JSON.stringify does not is refused', () => {
  for (const depth of [1000, 10_000, 200_000]) {
    expect(failure(() => parseJson(nested(depth)))).toMatchObject({ reason: 'json_too_deep' })
  }
})

test('json: what was accepted can be written again', () => {
  const deep = fc.integer({ min: 1, max: 200 }).chain((depth) => fc.constantFrom(nested(depth), nestedObjects(depth)))
  fc.assert(
    fc.property(deep, fc.integer({ min: 1, max: 100 }), (text, maxDepth) => {
      let value
      try {
        value = parseJson(text, { maxDepth })
      } catch {
        return
      }
      expect(JSON.stringify(value)).toBe(text)
    }),
  )
})

test('json: a value that was parsed elsewhere is held to the same depth', () => {
  expect(boundedJson({ a: [1] }, { maxDepth: 2 })).toEqual({ a: [1] })
  expect(failure(() => boundedJson({ a: [[1]] }, { maxDepth: 2 }))).toMatchObject({ reason: 'json_too_deep' })
})

const many: [name: string, text: (members: number) => string][] = [
  ['an array', (members) => `[${Array.from({ length: members }, () => '1').join(',')}]`],
  ['an object', (members) => `{${Array.from({ length: members }, (_, i) => `"k${i}":","`).join(',')}}`],
  [
    'strings full of commas',
    (members) => `[${Array.from({ length: members }, () => String.raw`",,,\",\\"`).join(',')}]`,
  ],
  ['arrays in an array', (members) => `[${Array.from({ length: members / 2 }, () => '[1]').join(',')}]`],
  [
    'objects in objects',
    (members) => `{${Array.from({ length: members / 2 }, (_, i) => `"k${i}":{"a":1}`).join(',')}}`,
  ],
]
for (const [name, text] of many) {
  test(`json: ${name}: 100,000 members are accepted, and no more, parsed here or elsewhere`, () => {
    const maxBytes = 1 << 22
    expect(JSON.stringify(parseJson(text(100_000), { maxBytes }))).toBe(text(100_000))
    const error = { code: 'invalid_request', reason: 'json_too_many' }
    expect(failure(() => parseJson(text(100_002), { maxBytes }))).toMatchObject(error)
    expect(failure(() => boundedJson(JSON.parse(text(100_002))))).toMatchObject(error)
  })
}

test('json: what has far too many members is refused before it is made', () => {
  // It is no JSON: whoever parses it says that.
  expect(failure(() => parseJson(`[${'1,'.repeat(200_001)}`))).toMatchObject({ reason: 'json_too_many' })
  expect(failure(() => parseJson(`["${'1,'.repeat(200_001)}`))).toMatchObject({ reason: 'bad_json' })
})

test('json: the limit of size is counted in bytes', () => {
  expect(parseJson('"\u20ac"', { maxBytes: 5 })).toBe('\u20ac')
  for (const text of ['"\u20ac"', '12345']) {
    expect(failure(() => parseJson(text, { maxBytes: 4 }))).toMatchObject({
      code: 'invalid_request',
      reason: 'json_too_large',
    })
  }
})

test('json: damage is told with its place in the message and its text in the cause only', () => {
  const error = failure(() => parseJson('{"a":1,"secret":"hunter2" "b"}'))
  expect(error).toMatchObject({ code: 'invalid_request', reason: 'bad_json' })
  expect(error.message).toBe('no valid JSON from character 26 on')
  expect(error.cause?.message).toContain('hunter2')
  expect(failure(() => parseJson('{"a":')).message).toBe('no valid JSON from character 5 on')
  expect(failure(() => parseJson('hunter2')).message).not.toContain('hunter2')
})

test('json: an object is an object', () => {
  expect(parseJsonObject('{"a":1}')).toEqual({ a: 1 })
  for (const text of ['[]', 'null', '1', '"{}"', '', 'undefined']) {
    expect(failure(() => parseJsonObject(text))).toMatchObject({ code: 'invalid_request', reason: 'bad_json' })
  }
})

test('json: a foreign __proto__ is a member like any other', () => {
  const value = parseJsonObject('{"__proto__":{"admin":true}}')
  expect(Object.hasOwn(value, '__proto__')).toBe(true)
  expect(({} as { admin?: boolean }).admin).toBeUndefined()
})

test('json: an excerpt is short, quoted, and around the place', () => {
  expect(excerpt('abc')).toBe('"abc"')
  const long = excerpt(`${'x'.repeat(500)}\n!${'y'.repeat(500)}`, 500)
  expect(long).toBe(`"${'x'.repeat(60)}\\n!${'y'.repeat(58)}" of 1002 characters`)
})
