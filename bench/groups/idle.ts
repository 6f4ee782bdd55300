import { fanouts, type FanoutName } from '../fanouts/index.ts'
import type { Lab } from '../lab.ts'
import type { Row, Target } from '../table.ts'
import type { Group } from './group.ts'

const READERS = 1_000
const names = ['shared-buffer', 'better-sse', 'hono-sse', 'runlet', 'runlet-sync'] as const satisfies FanoutName[]
const target: Target = { of: 'figure', atMost: 25 }

export const idle: Group = {
  title: 'what a reader costs that waits',
  async run(lab) {
    const samples = new Map<FanoutName, number[]>(names.map((name) => [name, []]))
    for (let round = 0; round < lab.rounds; round++) {
      for (const name of names) samples.get(name)!.push(await measure(lab, name))
    }
    return [
      {
        title: `idle: ${READERS.toLocaleString('en')} readers of a silent stream, memory (RSS after a forced collection)`,
        unit: 'KiB per reader',
        rows: names.map((name): Row => {
          const { title, role } = fanouts[name]
          return { title, role, samples: samples.get(name)!, ...(role === 'runlet' ? { target } : {}) }
        }),
      },
    ]
  },
}

/** In a process of its own each time: what a server once had it does not give back. */
async function measure(lab: Lab, name: FanoutName): Promise<number> {
  const host = lab.host(`idle.${name}`)
  const load = lab.load()
  const { port, headers = {} } = await host.call('startFanout', name, lab.folder())
  const follow = async (readers: number) => {
    const path = await host.call('openStream')
    await load.call('follow', { port, ask: { method: 'GET', path, headers }, readers })
  }
  // Code that the first readers bring is not what each reader costs.
  await follow(20)
  await load.call('stopFollow')
  const before = await host.call('memory')
  await follow(READERS)
  const after = await host.call('memory')
  await load.call('stopFollow')
  await host.stop()
  return (after - before) / 1024 / READERS
}
