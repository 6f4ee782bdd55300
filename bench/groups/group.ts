import type { Lab } from '../lab.ts'
import type { Table } from '../table.ts'

/** Rows that are measured together. Throws when something that was measured did not do its work. */
export interface Group {
  /** What it tells, in a few words. */
  readonly title: string
  run(lab: Lab): Promise<Table[]>
}
