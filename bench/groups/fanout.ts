import type { Child } from '../child.ts'
import { fanouts, type FanoutName } from '../fanouts/index.ts'
import type { HostProcedures } from '../host/main.ts'
import type { Lab } from '../lab.ts'
import type { Listening } from '../relays/relay.ts'
import type { Table, Target } from '../table.ts'
import type { Group } from './group.ts'

const names = ['shared-buffer', 'better-sse', 'hono-sse', 'runlet'] as const satisfies FanoutName[]

/** How many follow, and how many events come together. */
interface Cell {
  readonly readers: number
  readonly perBatch: number
  readonly target?: Target
}

const cells: readonly Cell[] = [
  { readers: 1, perBatch: 1 },
  { readers: 1, perBatch: 64 },
  { readers: 100, perBatch: 1 },
  { readers: 100, perBatch: 64 },
  { readers: 1_000, perBatch: 1, target: { of: 'ratio', atLeast: 1 } },
  { readers: 1_000, perBatch: 64, target: { of: 'ratio', atLeast: 5 } },
]

export const fanout: Group = {
  title: 'one stream, many readers',
  async run(lab) {
    const hosts: FanoutHost[] = []
    for (const name of names) {
      const host = lab.host(`fanout.${name}`)
      hosts.push({ name, host, listening: await host.call('startFanout', name, lab.folder()) })
    }
    const tables: Table[] = []
    for (const cell of cells) tables.push(await measureCell(lab, hosts, cell))
    await Promise.all(hosts.map(({ host }) => host.stop()))
    return tables
  },
}

interface FanoutHost {
  readonly name: FanoutName
  readonly host: Child<HostProcedures>
  readonly listening: Listening
}

async function measureCell(lab: Lab, hosts: readonly FanoutHost[], cell: Cell): Promise<Table> {
  const { readers, perBatch, target } = cell
  const lines: { on: FanoutHost; events: number; samples: number[] }[] = []
  for (const on of hosts) {
    // Fast and slow servers get as many events as they deliver in the same time.
    let events = perBatch
    for (const ms of lab.quick ? [50] : [50, 150, 300]) {
      const perSecond = await round(lab, on, cell, events)
      events = Math.max(1, Math.round((perSecond * ms) / 1000 / readers / perBatch)) * perBatch
    }
    lines.push({ on, events, samples: [] })
  }
  for (let i = 0; i < lab.rounds; i++) {
    for (const { on, events, samples } of lines) samples.push(await round(lab, on, cell, events))
  }
  const following = readers === 1 ? '1 reader' : `${readers.toLocaleString('en')} readers`
  return {
    title: `fan-out: ${following}, ${perBatch === 1 ? '1 event' : `${perBatch} events`} a batch`,
    unit: 'events × readers /s',
    rows: lines.map(({ on: { name }, samples }) => ({
      title: fanouts[name].title,
      role: fanouts[name].role,
      samples,
      ...(name === 'runlet' && target ? { target } : {}),
    })),
  }
}

/** From the first event to the last byte that the last reader got. All readers are there before. */
async function round(lab: Lab, on: FanoutHost, { readers, perBatch }: Cell, events: number): Promise<number> {
  const { name, host, listening } = on
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
