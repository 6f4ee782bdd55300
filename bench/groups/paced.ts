/** Runs at the pace at which models answer: what a relay adds to each token, and what a thousand at once cost. */
import { pause } from '../clock.ts'
import type { Lab } from '../lab.ts'
import type { Ask } from '../load/line.ts'
import type { PacedSample } from '../load/paced.ts'
import { openaiChat } from '../relays/dialects.ts'
import { relays, type RelayName } from '../relays/index.ts'
import { askFor } from '../relays/ask.ts'
import { spread } from '../spread.ts'
import type { Table, Target } from '../table.ts'
import type { Group } from './group.ts'

const names = Object.keys(relays) as RelayName[]

export const delay: Group = {
  title: 'what a relay adds to each token',
  async run(lab) {
    const few = { runs: 10, perSecond: 50, rampMs: 300, settleMs: 500 }
    const many = { runs: 100, perSecond: 50, rampMs: 1_000, settleMs: 700 }
    return [...(await delayTables(lab, few)), ...(await delayTables(lab, many))]
  },
}

async function delayTables(lab: Lab, pace: Pace): Promise<Table[]> {
  const direct = await measureDirect(lab, pace)
  const base = spread(direct.map(({ p50 }) => p50)).median
  const measured: [RelayName, Window[]][] = []
  for (const name of names) measured.push([name, await measure(lab, name, pace)])
  const load = `${pace.runs} runs at ${pace.perSecond} tokens/s`
  return (['p50', 'p99'] as const).map((figure) => ({
    title: `delay: source's write to client's read, ${load}, ${figure} over the ${Math.round(base)} µs of a direct connection`,
    unit: 'µs',
    rows: [
      { title: 'direct connection', role: 'limit', samples: direct.map((sample) => sample[figure] - base) },
      ...measured.map(([name, windows]) => ({
        title: relays[name].title,
        role: relays[name].role,
        samples: windows.map(({ sample }) => sample[figure] - base),
        ...targetOf(delayTargets[figure], name),
      })),
    ],
  }))
}

const delayTargets = {
  p50: { 'runlet-memory': { of: 'figure', atMost: 100 }, 'runlet-sync': { of: 'figure', atMost: 1_000 } },
  p99: { 'runlet-sync': { of: 'figure', atMost: 5_000 } },
} as const satisfies Record<string, Targets>

export const crowd: Group = {
  title: 'a thousand runs at once',
  async run(lab) {
    const pace = lab.quick
      ? { runs: 200, perSecond: 20, rampMs: 300, settleMs: 300 }
      : { runs: 1_000, perSecond: 20, rampMs: 3_000, settleMs: 2_500 }
    const load = `crowd: ${pace.runs.toLocaleString('en')} runs at once at ${pace.perSecond} tokens/s`
    const measured: [RelayName, Window[]][] = []
    for (const name of names) measured.push([name, await measure(lab, name, pace, { memory: true })])
    const rows = (figure: (window: Window) => number, targets: Targets = {}) =>
      measured.map(([name, windows]) => ({
        title: relays[name].title,
        role: relays[name].role,
        samples: windows.map(figure),
        ...targetOf(targets, name),
      }))
    const due = pace.runs * pace.perSecond
    return [
      {
        title: `${load}, CPU`,
        unit: '% of one core',
        rows: rows(({ cpu }) => cpu * 100, { 'runlet-sync': { of: 'figure', atMost: 70 } }),
      },
      {
        title: `${load}, memory (RSS after a forced collection, over the idle server's)`,
        unit: 'KiB per run',
        rows: rows(({ rss }) => rss / 1024 / pace.runs, { 'runlet-sync': { of: 'figure', atMost: 80 } }),
      },
      {
        title: `${load}, delivered`,
        unit: '% of the tokens',
        rows: rows(({ sample }) => (sample.tokens / sample.seconds / due) * 100),
      },
      {
        title: `${load}, from the source's write to the client's read, p50`,
        unit: 'ms',
        rows: rows(({ sample }) => sample.p50 / 1e3),
      },
    ]
  },
}

interface Pace {
  readonly runs: number
  readonly perSecond: number
  /** How long the runs are asked for, one after the other. */
  readonly rampMs: number
  /** From then to the first window. */
  readonly settleMs: number
}

interface Window {
  readonly sample: PacedSample
  /** Part of one core. */
  readonly cpu: number
  /** What the process holds more than before, if that was to be measured. Bytes. */
  readonly rss: number
}

type Targets = Partial<Record<RelayName, Target>>

function targetOf(targets: Targets, name: RelayName): { readonly target?: Target } {
  const target = targets[name]
  return target ? { target } : {}
}

async function measure(
  lab: Lab,
  name: RelayName,
  pace: Pace,
  { memory = false }: { readonly memory?: boolean } = {},
): Promise<Window[]> {
  const host = lab.host(`paced.${pace.runs}.${name}`)
  const sourceUrl = await lab.sourceUrl(`paced/${pace.perSecond}`)
  const { port, headers } = await host.call('startRelay', name, { sourceUrl, folder: lab.folder() })
  const ask = askFor(relays[name].dialect, { port, headers: headers ?? {} })
  const load = lab.load()
  // Code and pools that the first runs bring are not what each run costs.
  await load.call('pace', { port, ask, runs: 10, rampMs: 100 })
  await pause(lab.quick ? 200 : 500)
  await load.call('stopPace')
  const idle = await host.call('memory')

  const windows: Window[] = []
  await inWindows(lab, { port, ask, pace }, async (next) => {
    const before = await host.call('usage')
    const sample = await next()
    const after = await host.call('usage')
    const cpu = (after.cpuUs - before.cpuUs) / (after.atUs - before.atUs)
    // The collection is a pause of its own, which belongs to no window.
    const rss = memory ? (await host.call('memory')) - idle : NaN
    windows.push({ sample, cpu, rss })
  })
  await host.stop()
  return windows
}

async function measureDirect(lab: Lab, pace: Pace): Promise<PacedSample[]> {
  const url = new URL(await lab.sourceUrl(`paced/${pace.perSecond}`))
  const ask = { ...openaiChat.ask, path: url.pathname }
  const samples: PacedSample[] = []
  await inWindows(lab, { port: Number(url.port), ask, pace }, async (next) => void samples.push(await next()))
  return samples
}

/** Loads a server, and gives the caller its windows one by one. */
async function inWindows(
  lab: Lab,
  { port, ask, pace }: { readonly port: number; readonly ask: Ask; readonly pace: Pace },
  each: (next: () => Promise<PacedSample>) => Promise<void>,
): Promise<void> {
  const load = lab.load()
  const { runs, rampMs, settleMs } = pace
  await load.call('pace', { port, ask, runs, rampMs: lab.quick ? 300 : rampMs })
  await pause(lab.quick ? 300 : settleMs)
  for (let i = 0; i < lab.rounds; i++) {
    await each(async () => {
      await load.call('paceSample')
      await pause(lab.quick ? 300 : 800)
      const sample = await load.call('paceSample')
      if (sample.failure !== undefined) throw new Error(sample.failure)
      return sample
    })
  }
  await load.call('stopPace')
}
