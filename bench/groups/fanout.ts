import type { Child } from '../child.ts'
import { fanouts, type FanoutName } from '../fanouts/index.ts'
import type { HostProcedures } from '../host/main.ts'
import type { Lab } from '../lab.ts'
import type { Listening } from '../relays/relay.ts'
import type { Table, Target } from '../table.ts'
import type { Group } from './group.ts'

const names = ['shared-buffer', 'better-sse', 'hono-sse', 'runlet'] as const satisfies FanoutName[]

/** How many follow, how many events come together, and how many come in a round. */
interface Cell {
  readonly readers: number
  readonly perBatch: number
  readonly events: number
  readonly target?: Target
}

const cells: readonly Cell[] = [
  { readers: 1, perBatch: 1, events: 12_800 },
  { readers: 1, perBatch: 64, events: 64_000 },
  { readers: 100, perBatch: 1, events: 640 },
  { readers: 100, perBatch: 64, events: 3_200 },
  { readers: 1_000, perBatch: 1, events: 64, target: { of: 'ratio', atLeast: 1 } },
  { readers: 1_000, perBatch: 64, events: 640, target: { of: 'ratio', atLeast: 5 } },
]

export const fanout: Group = {
  title: 'one stream, many readers',
  async run(lab) {
    const tables: Table[] = []
    for (const cell of cells) tables.push(await measureCell(lab, cell))
    return tables
  },
}

interface FanoutLine {
  readonly name: FanoutName
  readonly host: Child<HostProcedures>
  readonly listening: Listening
  readonly samples: number[]
}

async function measureCell(lab: Lab, cell: Cell): Promise<Table> {
  const lines: FanoutLine[] = []
  for (const name of names) {
    const host = lab.host(`fanout.${cell.readers}x${cell.perBatch}.${name}`)
    const listening = await host.call('startFanout', name, lab.folder())
    const line = { name, host, listening, samples: [] }
    await round(lab, line, cell)
    lines.push(line)
  }
  for (let i = 0; i < lab.rounds; i++) {
    for (const line of lines) line.samples.push(await round(lab, line, cell))
  }
  await Promise.all(lines.map(({ host }) => host.stop()))
  const readers = cell.readers === 1 ? '1 reader' : `${cell.readers.toLocaleString('en')} readers`
  return {
    title: `fan-out: ${readers}, ${cell.perBatch === 1 ? '1 event' : `${cell.perBatch} events`} a batch`,
    unit: 'events × readers /s',
    rows: lines.map(({ name, samples }) => ({
      title: fanouts[name].title,
      role: fanouts[name].role,
      samples,
      ...(name === 'runlet' && cell.target ? { target: cell.target } : {}),
    })),
  }
}

/** From the first event to the last byte that the last reader got. All readers are there before. */
async function round(
  lab: Lab,
  { name, host, listening }: FanoutLine,
  { readers, perBatch, events }: Cell,
): Promise<number> {
  const load = lab.load()
  const { port, headers = {} } = listening
  await load.call('follow', { port, ask: { method: 'GET', path: await host.call('openStream'), headers }, readers })
  const begunUs = await host.call('produce', events, perBatch)
  const followed = await load.call('followed')
  await load.call('stopFollow')
  if (followed.events !== events) {
    throw new Error(`${fanouts[name].title}: its readers got ${followed.events} events of ${events}`)
  }
  return ((events * readers) / (followed.endedUs - begunUs)) * 1e6
}
