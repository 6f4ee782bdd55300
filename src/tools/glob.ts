import { RunletError } from '../core/error.ts'

/** Judges a path with `/` between its parts. */
export type PathFilter = (path: string) => boolean

/**
 * A filter of paths: `*` and `?` within a name, `**` for any number of folders, `{a,b}` for either. A pattern without
 * `/` is held against the name alone. It is matched in a time that grows with pattern times path: no pattern is a trap.
 * Throws `invalid_request` with reason `bad_pattern`.
 */
export function glob(pattern: string): PathFilter {
  const patterns = alternatives(pattern).map((one) => one.split('/').map((part) => Array.from(part)))
  return (path) => {
    const names = path.split('/')
    return patterns.some((parts) => matchParts(parts, parts.length === 1 ? names.slice(-1) : names))
  }
}

const maxAlternatives = 64

/** The pattern with its braces written out, the innermost pair first. */
function alternatives(pattern: string): string[] {
  const done: string[] = []
  for (const left = [pattern]; left.length > 0;) {
    const one = left.pop()!
    const braces = /\{([^{}]*)\}/.exec(one)
    if (!braces) done.push(one)
    else {
      const [before, after] = [one.slice(0, braces.index), one.slice(braces.index + braces[0].length)]
      for (const choice of braces[1]!.split(',').toReversed()) left.push(before + choice + after)
    }
    if (done.length + left.length > maxAlternatives) {
      throw new RunletError('invalid_request', {
        reason: 'bad_pattern',
        message: `the pattern has more than ${maxAlternatives} alternatives in braces; use * or several calls`,
      })
    }
  }
  return done
}

type Part = readonly string[]

/** Names against parts; `**` takes any number of names. */
function matchParts(parts: readonly Part[], names: readonly string[]): boolean {
  return matchStars(parts, names, isDoubleStar, (part, name) => matchStars(part, Array.from(name), isStar, sameLetter))
}

const isDoubleStar = (part: Part) => part.length === 2 && part[0] === '*' && part[1] === '*'
const isStar = (letter: string) => letter === '*'
const sameLetter = (wanted: string, letter: string) => wanted === '?' || wanted === letter

/**
 * Whether the subject is the pattern, where a star stands for any number of things. It goes back to the last star
 * only: what an earlier one took can always stay as short as it is.
 */
function matchStars<P, S>(
  pattern: readonly P[],
  subject: readonly S[],
  star: (one: P) => boolean,
  same: (wanted: P, one: S) => boolean,
): boolean {
  let at = 0
  let lastStar = -1
  let resume = 0
  for (let i = 0; i < subject.length;) {
    if (at < pattern.length && star(pattern[at]!)) {
      lastStar = at++
      resume = i
    } else if (at < pattern.length && same(pattern[at]!, subject[i]!)) {
      at++
      i++
    } else if (lastStar >= 0) {
      at = lastStar + 1
      i = ++resume
    } else return false
  }
  while (at < pattern.length && star(pattern[at]!)) at++
  return at === pattern.length
}
