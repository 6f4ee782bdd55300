import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { everySplit, everyTruncation, chunked } from '../../src/testing/every-split.ts'
import { utf8Decoder } from '../../src/wire/utf8.ts'

const encode = (text: string) => new TextEncoder().encode(text)

function decodeText(chunks: Iterable<Uint8Array>): string {
  const decoder = utf8Decoder()
  let text = ''
  for (const chunk of chunks) text += decoder.push(chunk)
  return text + decoder.end()
}

/** The reference: the engine's own streaming decoder. */
const reference = (bytes: Uint8Array) => new TextDecoder().decode(bytes)

test('utf8: characters of one to four bytes survive every cut', () => {
  const text = 'a\u00e9\u20ac\u{1f496}\u2028z'
  for (const chunks of everySplit(encode(text))) expect(decodeText(chunks)).toBe(text)
  expect(decodeText(chunked(encode(text), 1))).toBe(text)
})

test('utf8: a stream that ends inside a character ends in U+FFFD', () => {
  const bytes = encode('a\u{1f496}')
  const texts = [...everyTruncation(bytes)].map((prefix) => decodeText([prefix]))
  expect(texts).toEqual(['', 'a', 'a\ufffd', 'a\ufffd', 'a\ufffd'])
})

test('utf8: what is held back of a chunk does not change with the buffer it came in', () => {
  const decoder = utf8Decoder()
  const buffer = Buffer.from([0xf0, 0x9f, 0x92])
  expect(decoder.push(buffer)).toBe('')
  buffer.fill(0)
  expect(decoder.push(Buffer.from([0x96]))).toBe('\u{1f496}')
})

test('utf8: one byte order mark is dropped, a second one is text', () => {
  for (const chunks of everySplit(encode('\ufeff\ufeffa\ufeff'))) expect(decodeText(chunks)).toBe('\ufeffa\ufeff')
})

test('utf8: any bytes, cut anywhere, give what TextDecoder gives', () => {
  // Mostly bytes at the borders of what may follow what, where a hand-made decoder goes wrong.
  const byte = fc.oneof(
    fc.constantFrom(0x41, 0x0a, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf),
    fc.constantFrom(0xe0, 0xe1, 0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf4, 0xf5, 0xff, 0xbb, 0xbf),
    fc.integer({ min: 0, max: 255 }),
  )
  const chunks = fc.array(fc.array(byte, { maxLength: 6 }), { maxLength: 6 })
  fc.assert(
    fc.property(chunks, (pieces) => {
      expect(decodeText(pieces.map((piece) => Uint8Array.from(piece)))).toBe(reference(Uint8Array.from(pieces.flat())))
    }),
    { numRuns: 20_000 },
  )
})
