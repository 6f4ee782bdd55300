import { createParser } from 'eventsource-parser'
import type { Child } from '../child.ts'
import { pause } from '../clock.ts'
import type { HostProcedures, Usage } from '../host/main.ts'
import type { Lab } from '../lab.ts'
import { askFor } from '../relays/ask.ts'
import { relays, type RelayName } from '../relays/index.ts'
import type { Listening, Relay } from '../relays/relay.ts'
import { answerText } from '../source/body.ts'
import type { Row, Table, Target } from '../table.ts'
import type { Group } from './group.ts'

const TOKENS = 1000
const RUNS = 16

/** Design, section 10. */
const targets: Partial<Record<RelayName, Target>> = {
  'runlet-memory': { of: 'ratio', atLeast: 1 },
  'runlet-sync': { of: 'ratio', atLeast: 0.7 },
}

export const relay: Group = {
  title: 'source → server → client, as fast as it goes',
  async run(lab) {
    const names = Object.keys(relays) as RelayName[]
    const lines: RelayLine[] = []
    for (const name of names) lines.push(await openRelay(lab, name))
    for (let round = 0; round < lab.rounds; round++) {
      for (const line of lines) await measure(lab, line)
    }
    await Promise.all(lines.map(({ host }) => host.stop()))
    return tables(lines)
  },
}

interface RelayLine {
  readonly name: RelayName
  readonly host: Child<HostProcedures>
  readonly listening: Listening
  readonly perSecond: number[]
  readonly cpuNs: number[]
}

async function openRelay(lab: Lab, name: RelayName): Promise<RelayLine> {
  const host = lab.host(`relay.${name}`)
  const listening = await host.call('startRelay', name, {
    sourceUrl: await lab.sourceUrl(`flood/${TOKENS}`),
    folder: lab.folder(),
  })
  await verify(relays[name], listening)
  await flood(lab, name, listening, lab.quick ? 300 : 800, async () => {})
  return { name, host, listening, perSecond: [], cpuNs: [] }
}

/** One answer, read by a client that shares nothing with the one that counts. */
async function verify({ title, dialect }: Relay, listening: Listening): Promise<void> {
  const { method, path, headers, body } = askFor(dialect, listening)
  const response = await fetch(`http://127.0.0.1:${listening.port}${path}`, {
    method,
    headers: { ...headers },
    body: body ?? null,
  })
  const texts: string[] = []
  const parser = createParser({
    onEvent({ data }) {
      const text = dialect.textOf(data)
      if (text !== undefined && text !== '') texts.push(text)
    },
  })
  parser.feed(await response.text())
  if (texts.length !== TOKENS || texts.join('') !== answerText(TOKENS)) {
    throw new Error(`${title}: its answer is not what the source said (${texts.length} of ${TOKENS} tokens)`)
  }
}

async function measure(lab: Lab, { name, host, listening, perSecond, cpuNs }: RelayLine): Promise<void> {
  await flood(lab, name, listening, lab.quick ? 100 : 300, async () => {
    const load = lab.load()
    const before: Usage = await host.call('usage')
    const { tokens: sofar } = await load.call('floodCount')
    await pause(lab.quick ? 300 : 800)
    const after: Usage = await host.call('usage')
    const { tokens } = await load.call('floodCount')
    perSecond.push(((tokens - sofar) / (after.atUs - before.atUs)) * 1e6)
    cpuNs.push(((after.cpuUs - before.cpuUs) / (tokens - sofar)) * 1e3)
  })
}

/** Runs something in the middle of a flood, which it lets come to its end. */
async function flood(
  lab: Lab,
  name: RelayName,
  listening: Listening,
  warmupMs: number,
  act: () => Promise<void>,
): Promise<void> {
  const { title, dialect } = relays[name]
  const load = lab.load()
  await load.call('flood', { port: listening.port, ask: askFor(dialect, listening), tokens: TOKENS, runs: RUNS })
  await pause(warmupMs)
  await act()
  await load.call('stopFlood')
  const { failure } = await load.call('floodCount')
  if (failure !== undefined) throw new Error(`${title}: ${failure}`)
}

function tables(lines: readonly RelayLine[]): Table[] {
  const load = `${RUNS} runs at once of ${TOKENS.toLocaleString('en')} tokens`
  return [
    {
      title: `relay: ${load}`,
      unit: 'tokens/s',
      rows: lines.map(({ name, perSecond }) => {
        const target = targets[name]
        return { ...row(name, perSecond), ...(target ? { target } : {}) }
      }),
    },
    { title: `relay: CPU of the server`, unit: 'ns per token', rows: lines.map(({ name, cpuNs }) => row(name, cpuNs)) },
  ]
}

function row(name: RelayName, samples: readonly number[]): Row {
  const { title, role } = relays[name]
  return { title, role, samples }
}
