import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { glob } from '../../src/tools/glob.ts'

const cases: [pattern: string, yes: string[], no: string[]][] = [
  ['*.ts', ['a.ts', 'src/a.ts', 'a/b/c/.ts'], ['a.tsx', 'ts', 'a.ts/b', 'a.ts.js']],
  ['a', ['a', 'x/a'], ['aa', 'a/b', '']],
  ['src/*.ts', ['src/a.ts'], ['a.ts', 'src/b/a.ts', 'x/src/a.ts']],
  ['src/**/*.ts', ['src/a.ts', 'src/b/a.ts', 'src/b/c/a.ts'], ['a.ts', 'src/a.js', 'x/src/a.ts']],
  ['**/test/**', ['test/a', 'a/test/b/c', 'test'], ['a', 'tests/a']],
  ['**', ['a', 'a/b'], []],
  ['**/*', ['a', 'a/b'], []],
  ['?', ['a', 'ä', '👩', 'x/y'], ['ab', '']],
  ['a?c', ['abc', 'a👩c'], ['ac', 'abbc']],
  ['*.{ts,js}', ['a.ts', 'a.js'], ['a.jsx', 'a.{ts,js}']],
  ['{src,test}/{a,b}*', ['src/a1', 'test/b'], ['src/c', 'lib/a']],
  ['a{b,{c,d}}', ['ab', 'ac', 'ad'], ['a', 'a{b']],
  ['a{,b}', ['a', 'ab'], ['abb']],
  ['a{b', ['a{b'], ['ab']],
  ['a.*', ['a.b', 'a.'], ['ab', 'a']],
  ['[a]+($)^|', ['[a]+($)^|'], ['a']],
  ['*a*b*c', ['abc', 'xaxbxc', 'aabbcc', 'abcabc'], ['abcx', 'acb', 'bac']],
  ['a**b', ['ab', 'axxb'], ['a/b']],
  ['constructor', ['constructor', 'x/constructor'], ['__proto__']],
]

describe('a pattern', () => {
  for (const [pattern, yes, no] of cases) {
    test(`${pattern} tells what is like it from what is not`, () => {
      const like = glob(pattern)
      expect([...yes, ...no].filter(like)).toEqual(yes)
    })
  }

  test('that a backtracking matcher would take for ever over is answered', () => {
    const path = 'a'.repeat(4_000)
    expect(glob(`${'*a'.repeat(500)}b`)(path)).toBe(false)
    expect(glob(`${'**/a*/'.repeat(150)}b`)(`${'aa/'.repeat(1_000)}a`)).toBe(false)
  })

  test('with too many alternatives is refused before it grows', () => {
    expect(() => glob('{a,b}'.repeat(40))).toThrow('more than 64 alternatives')
    expect(() => glob(`{${'a,'.repeat(70)}}`)).toThrow('more than 64 alternatives')
  })
})

test('stars and question marks mean what the same regular expression means', () => {
  const letters = fc.string({ unit: fc.constantFrom('a', 'b', '/'), maxLength: 12 })
  const patterns = fc.string({ unit: fc.constantFrom('a', 'b', '*', '?'), minLength: 1, maxLength: 8 })
  fc.assert(
    fc.property(patterns, letters, (pattern, path) => {
      // `**` as a whole pattern means any path; elsewhere in a name two stars are one.
      const source = pattern === '**' ? '.*' : pattern.replaceAll(/\*+/g, '[^/]*').replaceAll('?', '[^/]')
      const subject = pattern === '**' ? path : path.split('/').at(-1)!
      expect(glob(pattern)(path)).toBe(new RegExp(`^${source}$`).test(subject))
    }),
    { numRuns: 2_000 },
  )
})
