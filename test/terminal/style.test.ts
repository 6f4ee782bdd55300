import { expect, test } from 'vitest'
import { styleFor } from '../../src/terminal/style.ts'

const cases: [name: string, isTTY: boolean, env: Record<string, string>, coloured: boolean][] = [
  ['a terminal', true, { TERM: 'xterm' }, true],
  ['a pipe', false, { TERM: 'xterm' }, false],
  ['NO_COLOR', true, { TERM: 'xterm', NO_COLOR: '1' }, false],
  ['an empty NO_COLOR', true, { TERM: 'xterm', NO_COLOR: '' }, true],
  ['a dumb terminal', true, { TERM: 'dumb' }, false],
]
for (const [name, isTTY, env, coloured] of cases) {
  test(`${name} is ${coloured ? '' : 'not '}coloured`, () => {
    const style = styleFor({ isTTY }, env)
    expect(style.coloured).toBe(coloured)
    expect(style.red('x')).toBe(coloured ? '\x1b[31mx\x1b[39m' : 'x')
    expect(style.dim('')).toBe('')
  })
}
