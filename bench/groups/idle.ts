import { fanouts, type FanoutName } from '../fanouts/index.ts'
import type { Lab } from '../lab.ts'
import type { Row, Table, Target } from '../table.ts'
import type { Group } from './group.ts'

const FIRST = 1_000
const NEXT = 2_000
const names = ['shared-buffer', 'better-sse', 'hono-sse', 'runlet', 'runlet-sync'] as const satisfies FanoutName[]
const target: Target = { of: 'figure', atMost: 25 }

/** Resident memory after forced collections, in KiB per reader. */
interface Cost {
  /** Of the first thousand: with what V8 takes for good when so many connect at once. */
  readonly first: number
  /** Of those that come after. */
  readonly next: number
}

export const idle: Group = {
  title: 'what a reader costs that waits',
  async run(lab) {
    const costs = new Map<FanoutName, Cost[]>(names.map((name) => [name, []]))
    for (let round = 0; round < lab.rounds; round++) {
      for (const name of names) costs.get(name)!.push(await measure(lab, name))
    }
    const table = (readers: string, which: keyof Cost): Table => ({
      title: `idle: readers of a silent stream, ${readers}, memory (RSS after a forced collection)`,
      unit: 'KiB per reader',
      rows: names.map((name): Row => {
        const { title, role } = fanouts[name]
        const samples = costs.get(name)!.map((cost) => cost[which])
        return { title, role, samples, ...(role === 'runlet' && which === 'first' ? { target } : {}) }
      }),
    })
    return [
      table(`the first ${FIRST.toLocaleString('en')}`, 'first'),
      table(`the next ${NEXT.toLocaleString('en')}`, 'next'),
    ]
  },
}

/** In a process of its own each time: what a server once had it does not give back. */
async function measure(lab: Lab, name: FanoutName): Promise<Cost> {
  const host = lab.host(`idle.${name}`)
  const load = lab.load()
  const { port, headers = {} } = await host.call('startFanout', name, lab.folder())
  const follow = async (readers: number) => {
    const path = await host.call('openStream')
    await load.call('follow', { port, ask: { method: 'GET', path, headers }, readers })
    return host.call('memory')
  }
  // Code that the first readers bring is not what each reader costs.
  const before = await follow(20)
  const withFirst = await follow(FIRST)
  const withNext = await follow(NEXT)
  await host.stop()
  await load.call('stopFollow')
  return { first: (withFirst - before) / 1024 / FIRST, next: (withNext - withFirst) / 1024 / NEXT }
}
