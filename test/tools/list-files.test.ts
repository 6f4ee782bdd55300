import { describe, expect, test } from 'vitest'
import type { JsonObject } from '../../src/core/json.ts'
import { boxTools } from '../../src/tools/index.ts'
import type { Tree } from './tree.ts'
import { answer, call, plant, refusal } from './tree.ts'

const tree: Tree = {
  'README.md': '',
  'src/a.ts': '',
  'src/b.js': '',
  'src/deep/er/c.ts': '',
  'src/deep/er/and/deeper/d.ts': '',
  'empty/': '',
  '.git/config': '',
  '.hidden': '',
  'node_modules/x/index.js': '',
  'src/node_modules/y.js': '',
}
const list = async (content: Tree, input: JsonObject = {}) => answer(boxTools({ root: plant(content) })[0]!, input)

describe('a list', () => {
  const cases: [name: string, input: JsonObject, lines: string[]][] = [
    [
      'goes down three levels, each folder’s entries behind it, without .git and node_modules',
      {},
      ['.hidden', 'README.md', 'empty/', 'src/', 'src/a.ts', 'src/b.js', 'src/deep/', 'src/deep/er/'],
    ],
    ['stays on one level when asked to', { depth: 1 }, ['.hidden', 'README.md', 'empty/', 'src/']],
    ['of a folder names paths from the root', { path: 'src/deep', depth: 1 }, ['src/deep/er/']],
    ['takes a path with a slash at its end', { path: './src/deep/', depth: 1 }, ['src/deep/er/']],
    [
      'with a pattern goes down all the way and shows files alone',
      { pattern: '*.ts' },
      ['src/a.ts', 'src/deep/er/and/deeper/d.ts', 'src/deep/er/c.ts'],
    ],
    ['with a pattern that has folders', { pattern: 'src/*.{ts,js}' }, ['src/a.ts', 'src/b.js']],
    [
      'goes into ignored folders when asked to',
      { ignored: true, pattern: '*.js' },
      ['node_modules/x/index.js', 'src/b.js', 'src/node_modules/y.js'],
    ],
    ['of an empty folder says so', { path: 'empty' }, ['[the folder is empty]']],
    ['that nothing matches says so', { pattern: '*.rs' }, ['[nothing matches the pattern]']],
  ]
  for (const [name, input, lines] of cases) {
    test(name, async () => expect(await list(tree, input)).toBe(lines.join('\n')))
  }

  test('may be asked for an ignored folder by its name', async () => {
    expect(await list(tree, { path: '.git' })).toBe('.git/config')
  })

  test('quotes names that would break a line or hide in it', async () => {
    const content = { 'two\nlines': '', 'tab\there': '', 'say "hi"': '', 'right-to-left \u202e txt.exe': '', 'a b': '' }
    expect(await list(content)).toBe(
      ['a b', '"right-to-left \u202e txt.exe"', '"say \\"hi\\""', '"tab\\there"', '"two\\nlines"'].join('\n'),
    )
  })

  test('of a file is refused', async () => {
    expect(await refusal(boxTools({ root: plant(tree) })[0]!, { path: 'README.md' })).toBe(
      'invalid_request not_a_folder',
    )
  })

  test('that is too long is cut between two names, and says so', async () => {
    const names = Array.from({ length: 400 }, (_, i) => `${String(i).padStart(3, '0')}-${'x'.repeat(200)}`)
    const text = await list(Object.fromEntries(names.map((name) => [name, ''])))
    expect(Buffer.byteLength(text)).toBeLessThanOrEqual(65_536)
    const lines = text.split('\n')
    expect(lines.at(-1)).toBe('[cut: the list is longer than 64 KiB; narrow it down with "path", "pattern" or "depth"]')
    expect(lines.slice(0, -1)).toEqual(names.slice(0, lines.length - 1))
    expect(lines.length).toBeGreaterThan(250)
  })

  test('ends with the signal’s reason when the run is cancelled', async () => {
    const tool = boxTools({ root: plant(tree) })[0]!
    await expect(call(tool, {}, { signal: AbortSignal.abort('cancelled') })).rejects.toBe('cancelled')
  })
})
