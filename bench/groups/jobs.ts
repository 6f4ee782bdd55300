import type { Child } from '../child.ts'
import type { JobName } from '../jobs/index.ts'
import type { JobProcedures, RoundResult } from '../jobs/main.ts'
import type { Lab } from '../lab.ts'
import type { Row } from '../table.ts'

/** A job as a row. */
export interface JobRow extends Omit<Row, 'samples'> {
  readonly job: JobName
}

/** Does the jobs in turns, each in its own process, and makes one figure of each round. */
export async function jobRows(
  lab: Lab,
  rows: readonly JobRow[],
  figure: (round: RoundResult) => number,
): Promise<Row[]> {
  const lines: { row: JobRow; child: Child<JobProcedures>; samples: number[] }[] = []
  for (const row of rows) {
    const child = lab.job(row.job)
    await child.call('prepare', row.job, lab.folder())
    // Until the compiler has settled.
    await child.call('round', lab.quick ? 150 : 600)
    lines.push({ row, child, samples: [] })
  }
  for (let round = 0; round < lab.rounds; round++) {
    for (const { child, samples } of lines) samples.push(figure(await child.call('round', lab.quick ? 100 : 250)))
  }
  await Promise.all(lines.map(({ child }) => child.stop()))
  return lines.map(({ row, samples }) => ({ ...row, samples }))
}

export const cpuNs = ({ cpuUs, count }: RoundResult) => (cpuUs * 1e3) / count
export const perSecond = ({ wallUs, count }: RoundResult) => (count / wallUs) * 1e6
