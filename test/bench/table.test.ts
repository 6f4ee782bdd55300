import { describe, expect, test } from 'vitest'
import { spread } from '../../bench/spread.ts'
import { judge, renderTable, type Row, type Table } from '../../bench/table.ts'

const table = (...rows: Row[]): Table => ({ title: 'relay', unit: 'tokens/s', rows })

describe('tables of figures', () => {
  test('the median of five is the third, of four the middle of two', () => {
    expect(spread([5, 1, 4, 2, 3])).toEqual({ median: 3, min: 1, max: 5 })
    expect(spread([4, 1, 3, 2]).median).toBe(2.5)
  })

  test('a ratio is the median of the ratios within each round', () => {
    const [, row] = judge(
      table(
        { title: 'by hand', role: 'baseline', samples: [100, 10, 100] },
        { title: 'ours', role: 'runlet', samples: [50, 20, 50] },
      ),
    )
    expect(row).toMatchObject({ median: 50, ratio: 0.5 })
  })

  const limits: [name: string, target: Row['target'], held: boolean | undefined][] = [
    ['at least, held', { of: 'ratio', atLeast: 2 }, true],
    ['at least, missed', { of: 'ratio', atLeast: 2.1 }, false],
    ['at most, held', { of: 'figure', atMost: 20 }, true],
    ['at most, missed', { of: 'figure', atMost: 19 }, false],
    ['no target', undefined, undefined],
  ]
  for (const [name, target, held] of limits) {
    test(`a figure is held to its target: ${name}`, () => {
      const row: Row = { title: 'ours', role: 'runlet', samples: [20], ...(target ? { target } : {}) }
      expect(judge(table({ title: 'by hand', role: 'baseline', samples: [10] }, row))[1]?.held).toBe(held)
    })
  }

  test('a ratio without a baseline holds nothing', () => {
    const row: Row = { title: 'ours', role: 'runlet', samples: [20], target: { of: 'ratio', atLeast: 1 } }
    expect(judge(table(row))[0]?.held).toBe(false)
  })

  test('it prints as aligned text', () => {
    const text = renderTable(
      table(
        { title: 'by hand', role: 'baseline', samples: [100_000, 120_000, 110_000] },
        { title: 'ours', role: 'runlet', samples: [99_000, 121_000, 121_000], target: { of: 'ratio', atLeast: 1.5 } },
      ),
    )
    expect(text).toBe(
      [
        'relay, tokens/s',
        '  1×      by hand  110,000  100,000 to 120,000  1.00×',
        '  Runlet  ours     121,000  99,000 to 121,000   1.01×  ≥ 1.5×  MISSED',
      ].join('\n'),
    )
  })
})
