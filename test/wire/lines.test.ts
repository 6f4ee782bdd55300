import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { chunked, decodeAll, everySplit, everyTruncation, everyTwoSplits } from '../../src/testing/every-split.ts'
import { lineDecoder, lines } from '../../src/wire/lines.ts'
import { countingWork } from './counting-work.ts'
import { lineReference } from './references.ts'

const encode = (text: string) => new TextEncoder().encode(text)

async function* chunksOf(...texts: string[]) {
  for (const text of texts) yield encode(text)
}

function cutOf(text: string): boolean {
  const decoder = lineDecoder()
  decodeAll(decoder, [encode(text)])
  return decoder.cut
}

const cases: [name: string, input: string, expected: string[]][] = [
  ['LF', 'a\nb\n', ['a', 'b']],
  ['CRLF', 'a\r\nb\r\n', ['a', 'b']],
  ['a CR inside a line is text', 'a\rb\n', ['a\rb']],
  ['only one CR belongs to the end', 'a\r\r\n', ['a\r']],
  ['empty lines', '\n\r\n\n', ['', '', '']],
  ['a last line without LF', 'a\nb', ['a', 'b']],
  ['nothing', '', []],
  ['U+2028, U+2029 and U+0085 are text', 'a\u2028b\u2029c\u0085d\n', ['a\u2028b\u2029c\u0085d']],
  ['vertical tab and form feed are text', 'a\vb\fc\n', ['a\vb\fc']],
  ['characters of several bytes', 'gr\u00fc\u00dfe \u{1f496}\n\u20ac\n', ['gr\u00fc\u00dfe \u{1f496}', '\u20ac']],
  ['a byte order mark at the start is no text', '\ufeffa\n\ufeffb\n', ['a', '\ufeffb']],
]

for (const [name, input, expected] of cases) {
  test(`lines: ${name}, however the bytes are cut`, () => {
    const bytes = encode(input)
    expect(lineReference(bytes)).toEqual(expected)
    for (const chunks of everySplit(bytes)) expect(decodeAll(lineDecoder(), chunks)).toEqual({ out: expected })
    for (const chunks of everyTwoSplits(bytes)) expect(decodeAll(lineDecoder(), chunks)).toEqual({ out: expected })
    expect(decodeAll(lineDecoder(), chunked(bytes, 1))).toEqual({ out: expected })
  })
}

test('lines: every beginning of a stream gives the lines of that beginning', () => {
  const bytes = encode('eins\r\nzw\u00f6lf\n\ndrei \u{1f496}\n')
  for (const prefix of everyTruncation(bytes)) {
    expect(decodeAll(lineDecoder(), [prefix]).out).toEqual(lineReference(prefix))
  }
})

test('lines: only a last line without LF is called cut', () => {
  expect(['', 'a', 'a\n', 'a\nb', 'a\r', 'a\r\n'].map(cutOf)).toEqual([false, true, false, true, true, false])
})

test('lines: the lines of one chunk come as one array, and no array is empty', async () => {
  const batches: string[][] = []
  for await (const batch of lines(chunksOf('a\nb\nc', '', 'd', 'e\n', 'f'))) batches.push(batch)
  expect(batches).toEqual([['a', 'b'], ['cde'], ['f']])
})

for (const text of ['1234\n12345\n12', 'ok\n\n12345\n', '12345', 'a\n12345', 'a\n\u20ac\u20ac\n']) {
  test(`lines: of ${JSON.stringify(text)} the lines before the one over the limit are given, then it is refused`, () => {
    const bytes = encode(text)
    const fine = text.split('\n').slice(
      0,
      text.split('\n').findIndex((line) => encode(line).length > 4),
    )
    for (const chunks of [...everySplit(bytes), chunked(bytes, 1)]) {
      const { out, fault } = decodeAll(lineDecoder({ maxBytes: 4 }), chunks)
      expect(out).toEqual(fine)
      expect(fault).toMatchObject({ code: 'invalid_request', reason: 'line_too_long' })
    }
  })
}

test('lines: the limit is counted in bytes, without the LF', () => {
  expect(decodeAll(lineDecoder({ maxBytes: 4 }), [encode('1234\n\u00e9\u00e9\n1234')])).toEqual({
    out: ['1234', '\u00e9\u00e9', '1234'],
  })
})

test('lines: any bytes, cut anywhere, give what the slow reference gives', () => {
  const piece = fc.array(
    fc.oneof(
      fc.constantFrom(...encode('\n\r\u2028\ufeffa')),
      fc.constantFrom(0xc3, 0xa9, 0xf0, 0x9f, 0x92, 0x96, 0xff),
      fc.integer({ min: 0, max: 255 }),
    ),
    { maxLength: 8 },
  )
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
      const whole = Uint8Array.from(pieces.flat())
      const split = decodeAll(
        lineDecoder(),
        pieces.map((bytes) => Uint8Array.from(bytes)),
      )
      expect(split).toEqual({ out: lineReference(whole) })
    }),
    { numRuns: 20_000 },
  )
})

test('lines: a long line costs its length once, in however many pieces it comes', () => {
  const bytes = encode(`${'x'.repeat(200_000)}\n`)
  const work = countingWork(() => decodeAll(lineDecoder(), chunked(bytes, 100)))
  expect(work).toBeLessThan(10 * bytes.length)
})

test('lines: the count of work sees a splitter that keeps a rest (control)', () => {
  const bytes = encode(`${'x'.repeat(200_000)}\n`)
  const work = countingWork(() => {
    let rest = ''
    for (const chunk of chunked(bytes, 100)) {
      rest += new TextDecoder().decode(chunk)
      const found = rest.split('\n')
      rest = found.pop()!
    }
  })
  expect(work).toBeGreaterThan(500 * bytes.length)
})
