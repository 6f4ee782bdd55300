import { array, assert, constantFrom, oneof, property, string } from 'fast-check'
import { expect, test } from 'vitest'
import { sanitise, sanitiseLine, sanitiser } from '../../src/terminal/sanitise.ts'

/** What may reach a terminal: tab, LF, and everything that only prints. */
// oxlint-disable-next-line no-control-regex
const SAFE = /^(?:[\t\n]|[^\p{Cc}\p{Bidi_Control}])*$/u

const cases: [name: string, input: string, expected: string][] = [
  ['plain text', 'Grüße, 世界\n\tdone', 'Grüße, 世界\n\tdone'],
  ['emoji joined with ZWJ, skin tones, flags and keycaps', '👩🏽‍🚀 👨‍👩‍👧‍👦 🏴󠁧󠁢󠁥󠁮󠁧󠁿 🇩🇪 1️⃣ ❤️', '👩🏽‍🚀 👨‍👩‍👧‍👦 🏴󠁧󠁢󠁥󠁮󠁧󠁿 🇩🇪 1️⃣ ❤️'],
  ['Persian with its zero-width non-joiner', 'می‌خواهم', 'می‌خواهم'],
  ['a colour', '\x1b[31mred\x1b[0m', '␛[31mred␛[0m'],
  ['the screen cleared', '\x1b[2J\x1b[H', '␛[2J␛[H'],
  ['the title set, ended by BEL', '\x1b]0;owned\x07', '␛]0;owned␇'],
  ['the clipboard written, ended by ST', '\x1b]52;c;cm0gLXJm\x1b\\', '␛]52;c;cm0gLXJm␛\\'],
  [
    'a link whose text lies',
    '\x1b]8;;http://evil.example\x1b\\bank\x1b]8;;\x1b\\',
    '␛]8;;http://evil.example␛\\bank␛]8;;␛\\',
  ],
  ['a device control string', '\x1bPq#0;1\x1b\\', '␛Pq#0;1␛\\'],
  ['an application command', '\x1b_Gf=100;AAAA\x1b\\', '␛_Gf=100;AAAA␛\\'],
  ['C1 forms of CSI, OSC and ST', '\x9b31m\x9d0;x\x9c', '\\u009b31m\\u009d0;x\\u009c'],
  ['an overwritten line', 'rm -rf /\rls      ', 'rm -rf /␍ls      '],
  ['a Windows line break', 'a\r\nb\r\n', 'a\nb\n'],
  ['two CR before LF', 'a\r\r\nb', 'a␍\nb'],
  ['backspace, bell, form feed, vertical tab, NUL, DEL', 'a\b\x07\f\v\0\x7f', 'a␈␇␌␋␀␡'],
  ['a reversed name', 'txt.\u202egpj.exe\u2066x\u2069', 'txt.\\u202egpj.exe\\u2066x\\u2069'],
  ['bidirectional marks', 'a\u200eb\u200fc\u061cd', 'a\\u200eb\\u200fc\\u061cd'],
  ['nothing', '', ''],
]

for (const [name, input, expected] of cases) {
  test(`${name}: what the terminal gets, however the text is cut in two or three`, () => {
    expect(sanitise(input)).toBe(expected)
    for (let i = 0; i <= input.length; i++) {
      for (let j = i; j <= input.length; j++) {
        expect(inPieces([input.slice(0, i), input.slice(i, j), input.slice(j)])).toBe(expected)
      }
    }
  })
}

const hostile = array(
  oneof(
    constantFrom(
      '\x1b',
      '\x1b[',
      '\x9b',
      '\x1b]',
      '\x07',
      '\x1b\\',
      '\x9c',
      '\r',
      '\n',
      '\r\n',
      '\t',
      '\u202e',
      'm',
      '0;',
      '👩‍🚀',
    ),
    string({ unit: 'binary', maxLength: 4 }),
  ),
)

test('whatever comes, in whatever pieces, only text, tab and LF go out', () => {
  assert(
    property(hostile, (pieces) => {
      const printed = inPieces(pieces)
      expect(printed).toMatch(SAFE)
      expect(printed).toBe(sanitise(pieces.join('')))
    }),
    { numRuns: 20_000 },
  )
})

test('a filter that forgets between pieces would be noticed', () => {
  const forgetful = (pieces: string[]) => pieces.map(sanitise).join('')
  expect(() =>
    assert(
      property(hostile, (pieces) => forgetful(pieces) === sanitise(pieces.join(''))),
      { numRuns: 20_000 },
    ),
  ).toThrow(/Property failed/)
})

test('text without controls passes unchanged', () => {
  const plain = string({ unit: 'grapheme' })
  assert(
    property(plain, (text) => sanitise(text) === text),
    { numRuns: 20_000 },
  )
})

test('a report line stays one line', () => {
  expect(sanitiseLine('two\nlines\tand \x1b[2J')).toBe('two␊lines and ␛[2J')
})

function inPieces(pieces: readonly string[]): string {
  const filter = sanitiser()
  return pieces.map((piece) => filter.push(piece)).join('') + filter.end()
}
