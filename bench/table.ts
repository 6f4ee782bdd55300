import { spread, type Spread } from './spread.ts'

/** What a row is compared as: `limit` is what the machine can do, `baseline` is 1×. */
export type Role = 'limit' | 'baseline' | 'peer' | 'runlet'

/** What one kind of measurement gave, for all that were measured side by side. */
export interface Table {
  /** What was measured, and under which load. */
  readonly title: string
  readonly unit: string
  readonly rows: readonly Row[]
}

export interface Row {
  readonly title: string
  readonly role: Role
  /** One figure per round. Rows of one table were measured in turns, so that equal indexes belong together. */
  readonly samples: readonly number[]
  readonly target?: Target
  /** What else is worth knowing, in a few words. */
  readonly note?: string
}

/** What the design holds this row to. */
export interface Target {
  /** The figure itself, in the table's unit, or its ratio to the baseline of the table. */
  readonly of: 'figure' | 'ratio'
  readonly atLeast?: number
  readonly atMost?: number
}

/** A row with what follows from its samples. */
export interface Judged extends Row, Spread {
  /** Median of the rounds' ratios to the baseline; absent where there is none. */
  readonly ratio?: number
  /** Absent without a target. */
  readonly held?: boolean
}

export function judge({ rows }: Table): Judged[] {
  const baseline = rows.find(({ role }) => role === 'baseline')
  return rows.map((row) => {
    const figures = spread(row.samples)
    // Round by round: what slows the machine down for a while slows both.
    const ratio = baseline && spread(row.samples.map((sample, i) => sample / baseline.samples[i]!)).median
    const judged = { ...row, ...figures, ...(ratio === undefined ? {} : { ratio }) }
    if (!row.target) return judged
    const { of, atLeast = -Infinity, atMost = Infinity } = row.target
    const figure = of === 'ratio' ? (ratio ?? NaN) : figures.median
    return { ...judged, held: figure >= atLeast && figure <= atMost }
  })
}

const roleNames = { limit: 'limit', baseline: '1×', peer: 'peer', runlet: 'Runlet' } as const satisfies Record<
  Role,
  string
>

/** The table as text, one line per row. */
export function renderTable(table: Table): string {
  const lines = judge(table).map((row) => [
    roleNames[row.role],
    row.title,
    figureText(row.median),
    row.samples.length > 1 ? `${figureText(row.min)} to ${figureText(row.max)}` : '',
    row.ratio === undefined ? '' : `${ratioText(row.ratio)}×`,
    row.target ? targetText(row.target) : '',
    row.held === undefined ? '' : row.held ? 'held' : 'MISSED',
    row.note ?? '',
  ])
  const widths = lines[0]?.map((_, column) => Math.max(...lines.map((line) => line[column]!.length))) ?? []
  const numbers = new Set([2, 4])
  const text = lines.map((line) =>
    line
      .map((cell, i) => (numbers.has(i) ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!)))
      .join('  ')
      .trimEnd(),
  )
  return [`${table.title}, ${table.unit}`, ...text.map((line) => `  ${line}`)].join('\n')
}

/** Three digits that count; more only in whole numbers. */
function figureText(value: number): string {
  if (!Number.isFinite(value)) return '-'
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2
  return value.toLocaleString('en', { maximumFractionDigits: digits })
}

const ratioText = (ratio: number) => ratio.toFixed(ratio < 10 ? 2 : 0)

function targetText({ of, atLeast, atMost }: Target): string {
  const unit = of === 'ratio' ? '×' : ''
  return atLeast === undefined ? `≤ ${figureText(atMost!)}${unit}` : `≥ ${figureText(atLeast)}${unit}`
}
