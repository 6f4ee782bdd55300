import { expect, test } from 'vitest'
import { nearest } from '../../src/core/near.ts'

const words = ['ask', 'follow', 'cancel', 'show', 'runs', 'serve', 'doctor']
const cases: [word: string, meant: string | undefined][] = [
  ['folow', 'follow'],
  ['cnacel', 'cancel'],
  ['serv', 'serve'],
  ['RUNS', 'runs'],
  ['aks', 'ask'],
  ['documents', undefined],
  ['x', undefined],
  ['', undefined],
]
for (const [word, meant] of cases) {
  test(`"${word}" ${meant ? `means ${meant}` : 'means nothing known'}`, () => {
    expect(nearest(word, words)).toBe(meant)
  })
}
