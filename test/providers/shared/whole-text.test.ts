import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { wholeText } from '../../../src/providers/shared/whole-text.ts'

function shown(pieces: readonly string[]): string[] {
  const text = wholeText()
  return [...pieces.map((piece) => text.push(piece)), text.end()]
}

const cases: [name: string, pieces: string[], expected: string[]][] = [
  ['whole characters pass', ['a', '\u{1f496}', '\n'], ['a', '\u{1f496}', '\n', '']],
  ['half a character waits for the other half', ['a\ud83d', '\udc96b'], ['a', '\u{1f496}b', '']],
  ['half a character alone waits too', ['\ud83d', '\udc96'], ['', '\u{1f496}', '']],
  ['a first half without a second is replaced', ['\ud83d', 'b'], ['', '\ufffdb', '']],
  ['a second half without a first is replaced', ['a', '\udc96b'], ['a', '\ufffdb', '']],
  ['two first halves are not one character', ['\ud83d', '\ud83d\udc96'], ['', '\ufffd\u{1f496}', '']],
  ['half a character in the middle is replaced', ['a\ud83db'], ['a\ufffdb', '']],
  ['half a character at the end is replaced', ['a\ud83d'], ['a', '\ufffd']],
  ['an empty piece changes nothing', ['\ud83d', '', '\udc96'], ['', '', '\u{1f496}', '']],
]

for (const [name, pieces, expected] of cases) {
  test(`whole text: ${name}`, () => expect(shown(pieces)).toEqual(expected))
}

test('whole text: however text is cut, it comes out well formed, and as the same text', () => {
  const unit = fc.oneof(fc.constantFrom('\ud83d', '\udc96', 'a', '\u{1f496}'), fc.string({ unit: 'binary' }))
  fc.assert(
    fc.property(fc.array(fc.array(unit, { maxLength: 4 }).map((units) => units.join(''))), (pieces) => {
      const out = shown(pieces)
      expect(out.every((piece) => piece.isWellFormed())).toBe(true)
      expect(out.join('')).toBe(pieces.join('').toWellFormed())
    }),
  )
})
