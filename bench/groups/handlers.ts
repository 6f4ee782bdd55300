import type { Child } from '../child.ts'
import { fanouts, type FanoutName } from '../fanouts/index.ts'
import type { HostProcedures } from '../host/main.ts'
import type { Lab } from '../lab.ts'
import type { Listening } from '../relays/relay.ts'
import type { Row, Table } from '../table.ts'
import type { Group } from './group.ts'

/** Each framework's usual way beside a handler in it. */
const names = [
  'shared-buffer',
  'handler-node',
  'hono-sse',
  'handler-hono',
  'handler-hono-node',
  'fastify-sse',
  'handler-fastify',
  'express-better-sse',
  'handler-express',
] as const satisfies FanoutName[]

export const handlers: Group = {
  title: 'one stream to one reader, in each framework',
  async run(lab) {
    return [...(await measureAll(lab, 1)), ...(await measureAll(lab, 16))]
  },
}

interface Line {
  readonly name: FanoutName
  readonly host: Child<HostProcedures>
  readonly listening: Listening
  readonly perSecond: number[]
  readonly cpuNs: number[]
}

async function measureAll(lab: Lab, perBatch: number): Promise<Table[]> {
  const events = lab.quick ? 2_000 : 40_000
  const lines: Line[] = []
  for (const name of names) {
    const host = lab.host(`handlers.${perBatch}.${name}`)
    const listening = await host.call('startFanout', name, lab.folder())
    const line: Line = { name, host, listening, perSecond: [], cpuNs: [] }
    await round(lab, line, perBatch, events)
    lines.push({ ...line, perSecond: [], cpuNs: [] })
  }
  for (let i = 0; i < lab.rounds; i++) for (const line of lines) await round(lab, line, perBatch, events)
  await Promise.all(lines.map(({ host }) => host.stop()))
  const rows = (samplesOf: (line: Line) => readonly number[]) =>
    lines.map((line): Row => {
      const { title, role } = fanouts[line.name]
      return { title, role, samples: samplesOf(line) }
    })
  const at = `${perBatch === 1 ? '1 event' : `${perBatch} events`} at a time`
  return [
    { title: `handlers: one reader, ${at}`, unit: 'events/s', rows: rows(({ perSecond }) => perSecond) },
    { title: `handlers: one reader, ${at}, CPU of the server`, unit: 'ns per event', rows: rows(({ cpuNs }) => cpuNs) },
  ]
}

/** From the first event to the last byte. */
async function round(lab: Lab, line: Line, perBatch: number, events: number): Promise<void> {
  const { name, host, listening, perSecond, cpuNs } = line
  const { port, headers = {} } = listening
  const load = lab.load()
  await load.call('follow', { port, ask: { method: 'GET', path: await host.call('openStream'), headers }, readers: 1 })
  const before = await host.call('usage')
  const begunUs = await host.call('produce', events, perBatch)
  const followed = await load.call('followed')
  const after = await host.call('usage')
  await load.call('stopFollow')
  if (followed.events !== events) {
    throw new Error(`${fanouts[name].title}: its reader got ${followed.events} events of ${events}`)
  }
  perSecond.push((events / (followed.endedUs - begunUs)) * 1e6)
  cpuNs.push(((after.cpuUs - before.cpuUs) / events) * 1e3)
}
