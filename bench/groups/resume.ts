import { fanouts, type FanoutName } from '../fanouts/index.ts'
import type { Lab } from '../lab.ts'
import type { Row, Table, Target } from '../table.ts'
import type { Group } from './group.ts'
import { jobRows, perSecond } from './jobs.ts'

const EVENTS = 10_000
const target: Target = { of: 'figure', atLeast: 1_000_000 }

export const resume: Group = {
  title: 'coming back to a long run',
  async run(lab) {
    return [await inProcess(lab), await overHttp(lab)]
  },
}

async function inProcess(lab: Lab): Promise<Table> {
  return {
    title: `resume: ${EVENTS.toLocaleString('en')} events from the log to SSE bytes, within the server`,
    unit: 'events/s',
    rows: await jobRows(
      lab,
      [
        { job: 'resume.copy', title: 'the same bytes from a file, copied', role: 'limit' },
        { job: 'resume.memory.16', title: 'memory, batches of 16', role: 'runlet', target },
        { job: 'resume.memory.1', title: 'memory, batches of 1', role: 'runlet', target },
        { job: 'resume.sqlite.16', title: 'SQLite, batches of 16', role: 'runlet', target },
        { job: 'resume.sqlite.1', title: 'SQLite, batches of 1', role: 'runlet', target },
      ],
      perSecond,
    ),
  }
}

/** With everything around it: request, guard, run, header, socket, client. */
async function overHttp(lab: Lab): Promise<Table> {
  const rows: Row[] = []
  for (const name of ['prepared', 'runlet', 'runlet-sync'] as const) rows.push(await httpRow(lab, name))
  return {
    title: `resume: GET of ${EVENTS.toLocaleString('en')} events over HTTP, batches of 16, from request to last byte`,
    unit: 'events/s',
    rows,
  }
}

async function httpRow(lab: Lab, name: FanoutName): Promise<Row> {
  const host = lab.host(`resume.${name}`)
  const { port, headers = {} } = await host.call('startFanout', name, lab.folder())
  const path = await host.call('openStream')
  await host.call('produce', EVENTS, 16)
  const reads = async (times: number) => {
    let us = 0
    for (let i = 0; i < times; i++) {
      const read = await lab.load().call('readOnce', { port, ask: { method: 'GET', path, headers } })
      if (read.events !== EVENTS) throw new Error(`${fanouts[name].title}: ${read.events} events of ${EVENTS}`)
      us += read.us
    }
    return ((times * EVENTS) / us) * 1e6
  }
  await reads(lab.quick ? 3 : 20)
  const samples: number[] = []
  for (let i = 0; i < lab.rounds; i++) samples.push(await reads(lab.quick ? 3 : 10))
  await host.stop()
  return { title: fanouts[name].title, role: fanouts[name].role, samples }
}
