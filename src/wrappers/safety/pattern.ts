/**
 * The regular expressions that safety rules are written in: JavaScript's, without what only backtracking can do
 * (references back, looking around) and what a stream does not have (its ends). They are matched in time that grows
 * with the text alone, whatever the pattern.
 */
import { RunletError } from '../../core/error.ts'
import { charactersOf, isSetApart, type CharacterTest } from './characters.ts'

/** A pattern as a tree. */
export type Pattern =
  | { readonly type: 'character'; readonly test: CharacterTest }
  /** Between a character of a word and none (`\b`), or not between (`\B`). */
  | { readonly type: 'edge'; readonly is: boolean }
  | { readonly type: 'sequence'; readonly parts: readonly Pattern[] }
  | { readonly type: 'choice'; readonly ways: readonly Pattern[] }
  | { readonly type: 'repeat'; readonly of: Pattern; readonly min: number; readonly max: number }

export interface PatternOptions {
  readonly caseSensitive: boolean
}

/** Most times that a part may be said to repeat. */
const MAX_COUNT = 1000
const MAX_DEPTH = 50

/** Throws `invalid_request` with reason `bad_pattern`, which names the place and what to write instead. */
export function parsePattern(source: string, { caseSensitive }: PatternOptions): Pattern {
  let at = 0
  let depth = 0

  const fail = (what: string, where = at) => badPattern(`"${source}", at character ${where + 1}: ${what}`)

  function choice(): Pattern {
    if (++depth > MAX_DEPTH) throw fail(`groups are nested more than ${MAX_DEPTH} deep`)
    const ways = [sequence()]
    while (source[at] === '|') {
      at++
      ways.push(sequence())
    }
    depth--
    return ways.length === 1 ? ways[0]! : { type: 'choice', ways }
  }

  function sequence(): Pattern {
    const parts: Pattern[] = []
    while (at < source.length && source[at] !== '|' && source[at] !== ')') parts.push(repeated())
    return parts.length === 1 ? parts[0]! : { type: 'sequence', parts }
  }

  function repeated(): Pattern {
    const begin = at
    const of = atom()
    const [counted, from, comma, to] = /^(?:[*+?]|\{(\d+)(?:(,)(\d*))?\})/.exec(source.slice(at)) ?? []
    if (counted === undefined) {
      if (source[at] === '{') throw fail('a "{" that counts nothing is written "\\{"')
      return of
    }
    if (of.type === 'edge') throw fail('\\b and \\B cannot be repeated', begin)
    const min = counted === '+' ? 1 : Number(from ?? 0)
    const open = comma !== undefined && to === ''
    const max = counted === '?' ? 1 : from === undefined || open ? Infinity : Number(comma ? to : from)
    if (min > max) throw fail(`{${min},${max}} counts down`)
    if (min > MAX_COUNT || (max > MAX_COUNT && max !== Infinity))
      throw fail(`no part may repeat more than ${MAX_COUNT} times`)
    at += counted.length
    if (/[*+?{]/.test(source[at] ?? '')) {
      throw fail(
        source[at] === '?'
          ? 'the longest match is always the one that counts; leave this "?" out'
          : 'nothing here to repeat',
      )
    }
    return { type: 'repeat', of, min, max }
  }

  function atom(): Pattern {
    const character = String.fromCodePoint(source.codePointAt(at)!)
    switch (character) {
      case '(':
        return group()
      case '[':
        return characters(endOfClass())
      case '\\':
        return escape()
      case '.':
        return characters(at + 1)
      case '^':
      case '$':
        throw fail(`the ends of an answer cannot be matched; write "\\${character}" for the character`)
      case '*':
      case '+':
      case '?':
      case '{':
        throw fail(`nothing here to repeat; write "\\${character}" for the character`)
      case ']':
      case '}':
        throw fail(`write "\\${character}" for the character`)
      default:
        return literal(character, at + character.length)
    }
  }

  function group(): Pattern {
    const begin = at
    at++
    if (source.startsWith('?:', at)) at += 2
    else if (source[at] === '?') throw fail('looking ahead or behind, names and flags are not possible in a group')
    const inner = choice()
    if (source[at] !== ')') throw fail('this group is not closed', begin)
    at++
    return inner
  }

  function endOfClass(): number {
    for (let end = at + 1; end < source.length; end++) {
      if (source[end] === '\\') end++
      else if (source[end] === ']') return end + 1
    }
    throw fail('this class is not closed')
  }

  function escape(): Pattern {
    const letter = source[at + 1] ?? ''
    if (letter === 'b' || letter === 'B') {
      at += 2
      return { type: 'edge', is: letter === 'b' }
    }
    if (/[1-9k]/.test(letter)) throw fail('a reference back to a group is not possible')
    const [known] =
      /^\\(?:[dDwWsStnrfv0]|x[\da-fA-F]{2}|u[\da-fA-F]{4}|u\{[\da-fA-F]+\}|[pP]\{[^}]*\})/.exec(source.slice(at)) ?? []
    if (known !== undefined) return characters(at + known.length)
    if (!/[^\w\s]/.test(letter)) throw fail(`\\${letter} means nothing here`)
    return literal(letter, at + 2)
  }

  /** What stands between here and `end` matches one character. */
  function characters(end: number): Pattern {
    try {
      const test = charactersOf(source.slice(at, end), { caseSensitive })
      at = end
      return { type: 'character', test }
    } catch {
      throw fail(`${source.slice(at, end)} is not understood`)
    }
  }

  function literal(character: string, end: number): Pattern {
    at = end
    return { type: 'character', test: testOf(character, caseSensitive) }
  }

  const whole = choice()
  if (at < source.length) throw fail('there is no group to close; write "\\)" for the character')
  if (shortest(whole) === 0) throw fail('it matches nothing at all, anywhere; make a part of it necessary', 0)
  return whole
}

/** A word as it stands, not inside another word. Scripts without spaces between words have no such inside. */
export function wordPattern(word: string, { caseSensitive }: PatternOptions): Pattern {
  const characters = Array.from(word)
  if (characters.length === 0) throw badPattern('a word is empty')
  const edge: Pattern[] = [{ type: 'edge', is: true }]
  return {
    type: 'sequence',
    parts: [
      ...(isSetApart(characters[0]!) ? edge : []),
      ...characters.map((character): Pattern => ({ type: 'character', test: testOf(character, caseSensitive) })),
      ...(isSetApart(characters.at(-1)!) ? edge : []),
    ],
  }
}

const testOf = (character: string, caseSensitive: boolean): CharacterTest =>
  charactersOf(`\\u{${character.codePointAt(0)!.toString(16)}}`, { caseSensitive })

/** Fewest characters that a pattern matches. */
function shortest(pattern: Pattern): number {
  switch (pattern.type) {
    case 'character':
      return 1
    case 'edge':
      return 0
    case 'sequence':
      return pattern.parts.reduce((sum, part) => sum + shortest(part), 0)
    case 'choice':
      return Math.min(...pattern.ways.map(shortest))
    case 'repeat':
      return pattern.min * shortest(pattern.of)
  }
}

export const badPattern = (what: string) =>
  new RunletError('invalid_request', { reason: 'bad_pattern', message: `this rule cannot be used: ${what}` })
