import { describe, expect, test } from 'vitest'
import type { JsonObject } from '../../src/core/json.ts'
import { boxTools } from '../../src/tools/index.ts'
import type { Tree } from './tree.ts'
import { answer, call, plant, refusal } from './tree.ts'

const tree: Tree = {
  'a.txt': 'Hello world\nnothing\nhello again\n',
  'src/b.ts': 'const hello = 1 // a+b\r\nconst x = 2\r\n',
  'src/c.js': 'no\n',
  'bin.dat': new Uint8Array([0x68, 0x65, 0x6c, 0x6c, 0x6f, 0, 1]),
  'large.txt': 'hello\n'.repeat(200_000),
  'node_modules/x.js': 'hello\n',
}
const search = async (content: Tree, input: JsonObject) => answer(boxTools({ root: plant(content) })[2]!, input)
const skipped = '[not searched: 1 large, 1 binary]'

describe('a search', () => {
  const cases: [name: string, input: JsonObject, lines: string[]][] = [
    [
      'finds a text as it stands, case by case, and says what it passed over',
      { query: 'hello' },
      ['a.txt:3: hello again', 'src/b.ts:1: const hello = 1 // a+b', skipped],
    ],
    [
      'without regard to case',
      { query: 'HELLO', ignore_case: true },
      ['a.txt:1: Hello world', 'a.txt:3: hello again', 'src/b.ts:1: const hello = 1 // a+b', skipped],
    ],
    [
      'takes signs of regular expressions for themselves',
      { query: 'a+b' },
      ['src/b.ts:1: const hello = 1 // a+b', skipped],
    ],
    [
      'takes them as an expression when asked to',
      { query: '^hell?o\\b', regex: true },
      ['a.txt:3: hello again', skipped],
    ],
    [
      'takes an expression without regard to case',
      { query: '^HELLO', regex: true, ignore_case: true },
      ['a.txt:1: Hello world', 'a.txt:3: hello again', skipped],
    ],
    [
      'ends a line before its CR LF',
      { query: '[12b]$', regex: true, path: 'src' },
      ['src/b.ts:1: const hello = 1 // a+b', 'src/b.ts:2: const x = 2'],
    ],
    ['in one folder', { query: 'o', path: 'src', pattern: '*.js' }, ['src/c.js:1: no']],
    [
      'in ignored folders when asked to',
      { query: 'hello', pattern: '*.js', ignored: true },
      ['node_modules/x.js:1: hello'],
    ],
    ['that finds nothing says so', { query: 'absent', path: 'src' }, ['[nothing found in 2 files]']],
    ['finds no empty line behind the last', { query: '^$', regex: true, path: 'src' }, ['[nothing found in 2 files]']],
  ]
  for (const [name, input, lines] of cases) {
    test(name, async () => expect(await search(tree, input)).toBe(lines.join('\n')))
  }

  test('shows the part of a long line around the match, between whole characters', async () => {
    const line = `${'👩'.repeat(500)}needle${'👨'.repeat(500)}`
    const found = await search({ 'long.txt': line }, { query: 'needle' })
    expect(found).toMatch(/^long\.txt:1: …👩+needle👨+…$/u)
    expect(found.length).toBeLessThan(270)
  })

  test('that finds too much is cut at a thousand lines, and says so', async () => {
    const lines = (await search({ 'a.txt': 'x\n'.repeat(2_000) }, { query: 'x' })).split('\n')
    expect(lines).toHaveLength(1_001)
    expect(lines.at(-1)).toBe(
      '[cut after 1000 matches; there may be more. Narrow it down with "query", "path" or "pattern"]',
    )
  })

  test('that says too much is cut at 64 KiB, and says so', async () => {
    const found = await search({ 'a.txt': `${'x'.repeat(230)}\n`.repeat(900) }, { query: 'x' })
    expect(Buffer.byteLength(found)).toBeLessThanOrEqual(65_536)
    expect(found.split('\n').at(-1)).toBe(
      '[cut after 64 KiB of matches; there may be more. Narrow it down with "query", "path" or "pattern"]',
    )
  })

  const refused: [name: string, query: string][] = [
    ['open', '('],
    ['with a bad range', '[z-a]'],
    ['with nothing to repeat', '*'],
  ]
  for (const [name, query] of refused) {
    test(`with an expression that is ${name} is refused`, async () => {
      const tool = boxTools({ root: plant(tree) })[2]!
      expect(await refusal(tool, { query, regex: true })).toBe('invalid_request bad_pattern')
    })
  }
})

describe('an expression that would take for ever', () => {
  const trap = { 'trap.txt': `${'a'.repeat(40)}!\n` }
  const forever: JsonObject = { query: '^(a+)+$', regex: true }

  test('is stopped when its time is up, in words that help', async () => {
    const tool = boxTools({ root: plant(trap), patternMs: 50 })[2]!
    await expect(call(tool, forever)).rejects.toMatchObject({
      code: 'timeout',
      reason: 'pattern_timeout',
      message:
        '/^(a+)+$/ took longer than 50 ms over one file; nested repetition such as (a+)+ does that. Simplify it, or search without "regex"',
    })
  })

  test('holds nobody else up, and is stopped when the run is cancelled', async () => {
    const abort = new AbortController()
    const [listFiles, , searchText] = boxTools({ root: plant(trap), patternMs: 600_000 })
    const searching = call(searchText!, forever, { signal: abort.signal })
    expect(await call(listFiles!)).toBe('trap.txt')
    abort.abort('cancelled')
    await expect(searching).rejects.toBe('cancelled')
  })
})

test('progress is told on the way through many files', async () => {
  const files = Object.fromEntries(Array.from({ length: 1_001 }, (_, i) => [`${i}.txt`, 'x']))
  const told: string[] = []
  await call(boxTools({ root: plant(files) })[2]!, { query: 'y' }, { progress: (text) => told.push(text) })
  expect(told).toEqual(['searched 1000 files, found 0 lines'])
})
