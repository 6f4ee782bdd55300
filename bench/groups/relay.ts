import { createParser } from 'eventsource-parser'
import type { Child } from '../child.ts'
import { pause } from '../clock.ts'
import type { HostProcedures, Usage } from '../host/main.ts'
import type { Lab } from '../lab.ts'
import { askFor } from '../relays/ask.ts'
import { relays, type RelayName } from '../relays/index.ts'
import type { Listening, Relay } from '../relays/relay.ts'
import { answerText } from '../source/body.ts'
import type { Row, Target } from '../table.ts'
import type { Group } from './group.ts'

const RUNS = 16

/** Design, section 10. */
const targets: Partial<Record<RelayName, Target>> = {
  'runlet-memory': { of: 'ratio', atLeast: 1 },
  'runlet-sync': { of: 'ratio', atLeast: 0.7 },
}

export const relay: Group = {
  title: 'source → server → client, as fast as it goes',
  async run(lab) {
    const long = await measureAll(lab, 4_000)
    const short = await measureAll(lab, 20)
    return [
      {
        title: `relay: ${RUNS} runs at once of 4,000 tokens`,
        unit: 'tokens/s',
        rows: long.map(({ name, perSecond }) => {
          const target = targets[name]
          return { ...row(name, perSecond), ...(target ? { target } : {}) }
        }),
      },
      {
        title: 'relay: CPU of the server',
        unit: 'ns per token',
        rows: long.map(({ name, cpuNs }) => row(name, cpuNs)),
      },
      {
        title: `relay: ${RUNS} runs at once of 20 tokens, CPU of the server`,
        unit: 'µs per run',
        rows: short.map(({ name, cpuNs }) =>
          row(
            name,
            cpuNs.map((ns) => (ns * 20) / 1e3),
          ),
        ),
      },
    ]
  },
}

interface RelayLine {
  readonly name: RelayName
  readonly tokens: number
  readonly host: Child<HostProcedures>
  readonly listening: Listening
  readonly perSecond: number[]
  readonly cpuNs: number[]
}

async function measureAll(lab: Lab, tokens: number): Promise<RelayLine[]> {
  const lines: RelayLine[] = []
  for (const name of Object.keys(relays) as RelayName[]) lines.push(await openRelay(lab, name, tokens))
  for (let round = 0; round < lab.rounds; round++) {
    for (const line of lines) await measure(lab, line)
  }
  await Promise.all(lines.map(({ host }) => host.stop()))
  return lines
}

async function openRelay(lab: Lab, name: RelayName, tokens: number): Promise<RelayLine> {
  const host = lab.host(`relay.${tokens}.${name}`)
  const listening = await host.call('startRelay', name, {
    sourceUrl: await lab.sourceUrl(`flood/${tokens}`),
    folder: lab.folder(),
  })
  await verify(relays[name], listening, tokens)
  const line = { name, tokens, host, listening, perSecond: [], cpuNs: [] }
  await flood(lab, line, lab.quick ? 300 : 800, async () => {})
  return line
}

/** One answer, read by a client that shares nothing with the one that counts. */
async function verify({ title, dialect }: Relay, listening: Listening, tokens: number): Promise<void> {
  const { method, path, headers, body } = askFor(dialect, listening)
  const url = `http://127.0.0.1:${listening.port}${path}`
  const response = await fetch(url, { method, headers: { ...headers }, body: body ?? null })
  const texts: string[] = []
  const parser = createParser({
    onEvent({ data }) {
      const text = dialect.textOf(data)
      if (text !== undefined && text !== '') texts.push(text)
    },
  })
  parser.feed(await response.text())
  if (texts.length !== tokens || texts.join('') !== answerText(tokens)) {
    throw new Error(`${title}: its answer is not what the source said (${texts.length} of ${tokens} tokens)`)
  }
}

async function measure(lab: Lab, line: RelayLine): Promise<void> {
  const { host, perSecond, cpuNs } = line
  const load = lab.load()
  await flood(lab, line, lab.quick ? 100 : 300, async () => {
    const before: Usage = await host.call('usage')
    const { tokens: sofar } = await load.call('floodCount')
    await pause(lab.quick ? 300 : 800)
    const after: Usage = await host.call('usage')
    const { tokens } = await load.call('floodCount')
    perSecond.push(((tokens - sofar) / (after.atUs - before.atUs)) * 1e6)
    cpuNs.push(((after.cpuUs - before.cpuUs) / (tokens - sofar)) * 1e3)
  })
}

/** Runs something in the middle of a flood, and leaves the server idle. */
async function flood(lab: Lab, line: RelayLine, warmupMs: number, act: () => Promise<void>): Promise<void> {
  const { title, dialect, detached = false }: Relay = relays[line.name]
  const { tokens, listening } = line
  const load = lab.load()
  await load.call('flood', { port: listening.port, ask: askFor(dialect, listening), tokens, runs: RUNS })
  await pause(warmupMs)
  await act()
  await load.call('stopFlood', { atOnce: !detached })
  const { failure } = await load.call('floodCount')
  if (failure !== undefined) throw new Error(`${title}: ${failure}`)
}

function row(name: RelayName, samples: readonly number[]): Row {
  const { title, role } = relays[name]
  return { title, role, samples }
}
