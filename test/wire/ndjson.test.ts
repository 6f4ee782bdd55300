import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { chunked, decodeAll, everySplit, everyTruncation, everyTwoSplits } from '../../src/testing/every-split.ts'
import { ndjson, ndjsonDecoder, ndjsonLine, ndjsonLines } from '../../src/wire/ndjson.ts'
import type { JsonRecord } from '../../src/wire/json.ts'

const encode = (text: string) => new TextEncoder().encode(text)

async function* chunksOf(...texts: string[]) {
  for (const text of texts) yield encode(text)
}

const cases: [name: string, input: string, expected: JsonRecord[]][] = [
  ['one object a line', '{"a":1}\n{"b":2}\n', [{ a: 1 }, { b: 2 }]],
  ['CRLF and blank lines', '{"a":1}\r\n\r\n  \n{"b":2}\r\n', [{ a: 1 }, { b: 2 }]],
  ['a last line without LF', '{"a":1}\n{"b":2}', [{ a: 1 }, { b: 2 }]],
  ['U+2028 inside a string', '{"a":"x\u2028y"}\n', [{ a: 'x\u2028y' }]],
  ['characters of several bytes', '{"a":"\u{1f496}\u20ac"}\n', [{ a: '\u{1f496}\u20ac' }]],
  ['nothing', '\n\n', []],
]

for (const [name, input, expected] of cases) {
  test(`ndjson: ${name}, however the bytes are cut`, () => {
    const bytes = encode(input)
    for (const chunks of everySplit(bytes)) expect(decodeAll(ndjsonDecoder(), chunks)).toEqual({ out: expected })
    for (const chunks of everyTwoSplits(bytes)) expect(decodeAll(ndjsonDecoder(), chunks)).toEqual({ out: expected })
  })
}

for (const line of ['{"a":', 'hello', '[]', 'null', '{"a":1}{"b":2}']) {
  test(`ndjson: ${line} is named by its line, after what stood before it`, () => {
    const bytes = encode(`{"a":1}\n\n${line}\n{"b":2}\n`)
    for (const chunks of [...everySplit(bytes), chunked(bytes, 1)]) {
      const { out, fault } = decodeAll(ndjsonDecoder(), chunks)
      expect(out).toEqual([{ a: 1 }])
      expect(fault).toMatchObject({
        code: 'invalid_request',
        reason: 'bad_line',
        message: 'line 3 is not a JSON object',
      })
    }
  })
}

test('ndjson: a cut last line is told apart from a bad one', () => {
  const bytes = encode('{"a":1}\n{"b":2}\n')
  const ends = [...everyTruncation(bytes)].map((prefix) => {
    const { out, fault } = decodeAll(ndjsonDecoder(), [prefix])
    return fault ? (fault as { reason: string }).reason : out.length
  })
  const cut = Array.from({ length: 6 }, () => 'truncated_line')
  expect(ends).toEqual([0, ...cut, 1, 1, ...cut, 2])
})

test('ndjson: a bad line before one that is too long is the fault that is told', () => {
  const bytes = encode(`{"a":1}\nbad\n{"b":"${'x'.repeat(100)}"}\n`)
  for (const chunks of [[bytes], chunked(bytes, 1)]) {
    const { out, fault } = decodeAll(ndjsonDecoder({ maxBytes: 20 }), chunks)
    expect(out).toEqual([{ a: 1 }])
    expect(fault).toMatchObject({ reason: 'bad_line' })
  }
})

test('ndjson: a fault is thrown after the array of what stood before it', async () => {
  const batches: JsonRecord[][] = []
  const read = async () => {
    for await (const batch of ndjson(chunksOf('{"a":1}\n{"b":2}\nbad\n{"c":3}\n'))) batches.push(batch)
  }
  await expect(read()).rejects.toMatchObject({ reason: 'bad_line' })
  expect(batches).toEqual([[{ a: 1 }, { b: 2 }]])
})

test('ndjson: what is written is read back as it was', () => {
  const record = fc.dictionary(fc.string(), fc.jsonValue())
  fc.assert(
    fc.property(fc.array(record), fc.integer({ min: 1, max: 9 }), (records, size) => {
      const bytes = encode(records.map((one) => ndjsonLine(one as never)).join(''))
      expect(decodeAll(ndjsonDecoder(), chunked(bytes, size)).out).toEqual(
        records.map((one) => JSON.parse(JSON.stringify(one))),
      )
    }),
  )
})

describe('ndjsonLines', () => {
  const told = async (chunks: readonly Uint8Array[], maxBytes?: number) => {
    const lines: unknown[] = []
    const read = ndjsonLines(iterate(chunks), maxBytes === undefined ? {} : { maxBytes })
    for await (const some of read) {
      for (const line of some) lines.push([line.number, 'record' in line ? line.record : line.error.reason])
    }
    return lines
  }

  test('gives each line with its number, and reads on behind a bad one, however the bytes are cut', async () => {
    const bytes = encode('{"a":1}\n\nbad\r\n[]\n{"b":2}\n{"c":')
    const expected = [
      [1, { a: 1 }],
      [3, 'bad_line'],
      [4, 'bad_line'],
      [5, { b: 2 }],
      [6, 'truncated_line'],
    ]
    for (const chunks of everySplit(bytes)) expect(await told(chunks)).toEqual(expected)
  })

  test('ends at a line that is too long, which has its number, however the bytes are cut', async () => {
    const bytes = encode(`{"a":1}\nbad\n{"b":"${'x'.repeat(40)}"}\n{"c":3}\n`)
    for (const chunks of everySplit(bytes)) {
      expect(await told(chunks, 20)).toEqual([
        [1, { a: 1 }],
        [2, 'bad_line'],
        [3, 'line_too_long'],
      ])
    }
  })
})

async function* iterate(chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* chunks
}
