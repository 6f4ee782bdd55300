import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { matcher, type Piece } from '../../src/wrappers/safety/matcher.ts'
import { parsePattern, wordPattern } from '../../src/wrappers/safety/pattern.ts'
import { compile } from '../../src/wrappers/safety/program.ts'

const insensitive = { caseSensitive: false }

interface Find {
  readonly patterns?: readonly string[]
  readonly words?: readonly string[]
  readonly window?: number
}

/** What is found in a text that comes in these pieces: text, and matches as `<n>`. */
function find(pieces: readonly string[], { patterns = [], words = [], window = 64 }: Find): string {
  const program = compile([
    ...patterns.map((source) => parsePattern(source, insensitive)),
    ...words.map((word) => wordPattern(word, insensitive)),
  ])
  const under = matcher(program, { maxLength: window })
  const out: Piece[] = [...pieces.flatMap((piece) => under.push(piece)), ...under.end()]
  return out.map((piece) => (piece.type === 'text' ? piece.text : `<${piece.pattern}>`)).join('')
}

const cases: [name: string, find: Find, text: string, expected: string][] = [
  ['a literal', { patterns: ['secret'] }, 'my secret, SECRET', 'my <0>, <0>'],
  ['nothing', { patterns: ['secret'] }, 'my secre', 'my secre'],
  ['the longest', { patterns: ['ab|abcd|abc'] }, 'xabcdx abcx', 'x<0>x <0>x'],
  ['the first of two that overlap', { patterns: ['bcd', 'abc'] }, 'abcd', '<1>d'],
  ['the text behind a match that almost went on', { patterns: ['a(?:bcd)?', 'bc'] }, 'abcx', '<0><1>x'],
  [
    'a count',
    { patterns: ['\\b\\d{3}-\\d{2}-\\d{4}\\b'] },
    '123-45-6789 1123-45-6789 123-45-67890',
    '<0> 1123-45-6789 123-45-67890',
  ],
  ['a count from and to', { patterns: ['\\d{2,3}'] }, '1 12 123 1234', '1 <0> <0> <0>4'],
  ['an open count', { patterns: ['x{2,}'] }, 'x xx xxxxx', 'x <0> <0>'],
  [
    'a mail address',
    { patterns: ['[\\w.+-]+@[\\w-]+(?:\\.[\\w-]+)+'] },
    'to me@example.org. Or: @x, a@b',
    'to <0>. Or: @x, a@b',
  ],
  ['a card', { patterns: ['\\b(?:\\d[ -]?){13,16}\\b'] }, 'card 4111 1111 1111 1111, 42', 'card <0>, 42'],
  ['classes and properties', { patterns: ['[^\\s\\p{L}]+'] }, 'ä1?ß 💖x', 'ä<0>ß <0>x'],
  ['escaped characters', { patterns: ['\\$\\d+\\.\\d\\d'] }, 'for $12.50 or $1', 'for <0> or $1'],
  ['a word, not inside another', { words: ['ass'] }, 'Ass assess bass, ass.', '<0> assess bass, <0>.'],
  ['a word with letters of other scripts', { words: ['über'] }, 'Über gegenüber über', '<0> gegenüber <0>'],
  ['a word where words are not spaced', { words: ['秘密'] }, '这是秘密文件', '这是<0>文件'],
  ['a phrase, and a word that is no letters', { words: ['top secret', 'C++'] }, 'Top Secret C++, C+', '<0> <1>, C+'],
  ['a match at the very end', { words: ['end'] }, 'the end', 'the <0>'],
  [
    'two at the end, the second found when the first is settled',
    { patterns: ['a(?:b c)?', '\\bb\\b'] },
    'a b',
    '<0> <1>',
  ],
  [
    'no match that is longer than the window, but what is left of it',
    { patterns: ['a+b'], window: 4 },
    'aaab aaaab',
    '<0> aaa<0>',
  ],
  ['halves of wide characters together', { patterns: ['💖💖'] }, '💖💖💖', '<0>💖'],
]

describe('the matcher finds', () => {
  for (const [name, options, text, expected] of cases) {
    test(`${name}, however the text is cut`, () => {
      expect(find([text], options)).toBe(expected)
      expect(find(Array.from(text), options)).toBe(expected)
      for (let at = 0; at <= text.length; at++) {
        if (/[\uD800-\uDBFF]$/.test(text.slice(0, at))) continue
        expect(find([text.slice(0, at), text.slice(at)], options)).toBe(expected)
      }
    })
  }
})

/** The same search without a stream and without a program: every begin, every end, the engine's own regular expressions. */
function naive(text: string, sources: readonly string[], window: number): string {
  const whole = sources.map((source) => new RegExp(`^(?:${source})$`, 'iu'))
  let out = ''
  for (let at = 0; at < text.length;) {
    let best: { end: number; pattern: number } | undefined
    for (let end = Math.min(text.length, at + window); end > at && !best; end--) {
      const pattern = whole.findIndex((one) => one.test(text.slice(at, end)))
      if (pattern >= 0) best = { end, pattern }
    }
    out += best ? `<${best.pattern}>` : text[at]!
    at = best?.end ?? at + 1
  }
  return out
}

const piece = fc.constantFrom('a', 'b', 'c', '[ab]', '.', '(?:a|bc)', '(?:ab|a)')
const counted = fc
  .tuple(piece, fc.constantFrom('', '?', '*', '+', '{2}', '{1,3}', '{2,}'))
  .map(([of, count]) => of + count)
const source = fc
  .array(counted, { minLength: 1, maxLength: 4 })
  .map((parts) => parts.join(''))
  .filter((one) => !new RegExp(`^(?:${one})$`, 'u').test(''))

test('the matcher finds what a search over the whole text finds, with any patterns and any cuts', () => {
  const texts = fc.array(fc.string({ unit: fc.constantFrom('a', 'b', 'c', 'A'), maxLength: 4 }), { maxLength: 8 })
  fc.assert(
    fc.property(fc.array(source, { minLength: 1, maxLength: 3 }), texts, (patterns, pieces) => {
      expect(find(pieces, { patterns })).toBe(naive(pieces.join(''), patterns, 64))
    }),
    { numRuns: 1500 },
  )
})

test('the matcher says the same for any cuts when matches are longer than its window', () => {
  const texts = fc.array(fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 6 }), { maxLength: 8 })
  fc.assert(
    fc.property(
      fc.array(source, { minLength: 1, maxLength: 3 }),
      texts,
      fc.integer({ min: 1, max: 6 }),
      (patterns, pieces, window) => {
        expect(find(pieces, { patterns, window })).toBe(find([pieces.join('')], { patterns, window }))
      },
    ),
    { numRuns: 1500 },
  )
})

test('the matcher holds back only where a match may begin, and never more than its window', () => {
  const under = matcher(compile([parsePattern('a+b', insensitive), wordPattern('secret', insensitive)]), {
    maxLength: 10,
  })
  const shown = (text: string) =>
    under
      .push(text)
      .map((one) => (one.type === 'text' ? one.text : '<>'))
      .join('')
  expect(['plain text', ' of sec', 'tions', ' and aaa', 'aaaaaaaaaaaaaaa', 'c'].map(shown)).toEqual([
    'plain text',
    ' of ',
    'sections',
    ' and ',
    'aaaaaaaaa',
    'aaaaaaaaac',
  ])
})

test('no pattern and no text make the matcher slow', () => {
  const steps = { count: 0 }
  const counting = compile([parsePattern('(?:a?){30}a{30}', insensitive), parsePattern('(?:a+)+b', insensitive)]).map(
    (step) =>
      step.type === 'character' ? { ...step, test: (code: number) => (steps.count++, step.test(code)) } : step,
  )
  const under = matcher(counting, { maxLength: 256 })
  under.push('a'.repeat(20_000))
  under.end()
  // At most every step once per character, and again for what stands behind a match.
  expect(steps.count).toBeLessThan(20_000 * counting.length * 2)
})

const refused: [pattern: string, why: string][] = [
  ['a(?=b)', '"a(?=b)", at character 3: looking ahead or behind, names and flags are not possible in a group'],
  ['(a)\\1', '"(a)\\1", at character 4: a reference back to a group is not possible'],
  ['^a', '"^a", at character 1: the ends of an answer cannot be matched; write "\\^" for the character'],
  ['a$', '"a$", at character 2: the ends of an answer cannot be matched; write "\\$" for the character'],
  ['a*', '"a*", at character 1: it matches nothing at all, anywhere; make a part of it necessary'],
  ['', '"", at character 1: it matches nothing at all, anywhere; make a part of it necessary'],
  ['a+?', '"a+?", at character 3: the longest match is always the one that counts; leave this "?" out'],
  ['a**', '"a**", at character 3: nothing here to repeat'],
  ['*a', '"*a", at character 1: nothing here to repeat; write "\\*" for the character'],
  ['a{x', '"a{x", at character 2: a "{" that counts nothing is written "\\{"'],
  ['a{3,2}', '"a{3,2}", at character 2: {3,2} counts down'],
  ['a{1001}', '"a{1001}", at character 2: no part may repeat more than 1000 times'],
  ['(?:a{500}){500}', 'the rules are too large together; let less repeat, or fewer times ({n} is n copies)'],
  ['(a', '"(a", at character 1: this group is not closed'],
  ['a)', '"a)", at character 2: there is no group to close; write "\\)" for the character'],
  ['[a', '"[a", at character 1: this class is not closed'],
  ['[z-a]', '"[z-a]", at character 1: [z-a] is not understood'],
  ['\\p{Nothing}', '"\\p{Nothing}", at character 1: \\p{Nothing} is not understood'],
  ['\\q', '"\\q", at character 1: \\q means nothing here'],
  ['a\\', '"a\\", at character 2: \\ means nothing here'],
  ['\\b+a', '"\\b+a", at character 1: \\b and \\B cannot be repeated'],
  ['a]', '"a]", at character 2: write "\\]" for the character'],
  ['('.repeat(60), `"${'('.repeat(60)}", at character 51: groups are nested more than 50 deep`],
]

for (const [pattern, why] of refused) {
  test(`the pattern ${JSON.stringify(pattern.slice(0, 20))} is refused, with its place`, () => {
    expect(() => compile([parsePattern(pattern, insensitive)])).toThrow(
      expect.objectContaining({
        code: 'invalid_request',
        reason: 'bad_pattern',
        message: `this rule cannot be used: ${why}`,
      }),
    )
  })
}
