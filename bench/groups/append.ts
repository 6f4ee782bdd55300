import { appendLoads } from '../jobs/index.ts'
import type { Lab } from '../lab.ts'
import type { Table } from '../table.ts'
import type { Group } from './group.ts'
import { jobRows, perSecond } from './jobs.ts'

type LoadName = keyof typeof appendLoads

export const append: Group = {
  title: 'writing events down',
  async run(lab) {
    const tables: Table[] = []
    for (const name of Object.keys(appendLoads) as LoadName[]) tables.push(await table(lab, name))
    return tables
  },
}

async function table(lab: Lab, name: LoadName): Promise<Table> {
  const { producers, perBatch } = appendLoads[name]
  const runs = producers === 1 ? '1 run' : `${producers} runs at once`
  return {
    title: `append: ${runs}, ${perBatch === 1 ? '1 event' : `${perBatch} events`} at a time`,
    unit: 'events/s',
    rows: await jobRows(
      lab,
      [
        { job: `append.${name}.file`, title: 'plain file, fdatasync per group', role: 'baseline' },
        { job: `append.${name}.sync`, title: 'SQLite, sync', role: 'runlet' },
        { job: `append.${name}.os`, title: 'SQLite, os', role: 'runlet' },
        { job: `append.${name}.memory`, title: 'memory', role: 'runlet' },
      ],
      perSecond,
    ),
  }
}
