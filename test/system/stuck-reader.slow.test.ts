import { readFileSync } from 'node:fs'
import { Agent, get, type IncomingMessage } from 'node:http'
import { createParser } from 'eventsource-parser'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createSim, type Sim } from '../../src/sim/sim.ts'
import { scratchHome, startDaemon, type Daemon, type Home } from './daemon.ts'
import { readRun, seqOf, type Sight } from './sse-reader.ts'

/** `RUNLET_STUCK_SECONDS=60 npx vitest run test/system/stuck` for the long form, at 500 events a second. */
const seconds = Number(process.env['RUNLET_STUCK_SECONDS'] ?? 0)
const pace = 500
const events = seconds > 0 ? seconds * pace : 60_000
const stuckReaders = 40

let sim: Sim
let home: Home
let daemon: Daemon

beforeAll(async () => {
  sim = await createSim({ tokensPerSecond: seconds > 0 ? pace : Infinity })
  home = scratchHome({ OPENAI_API_KEY: 'sk-sim', OPENAI_BASE_URL: `${sim.url}/v1` })
  daemon = await startDaemon(home)
})
afterAll(async () => {
  await daemon.stop()
  await sim.close()
  home.remove()
})

test(`${stuckReaders} readers that never read cost a bounded amount, disturb nobody, and catch up exactly`, async () => {
  const response = await daemon.fetch('/v1/runs', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ model: `openai/lorem-${events}`, prompt: 'go on' }),
  })
  const run: string = (await response.json()).run_id
  const before = residentBytes(daemon.pid)
  const stuck = Array.from({ length: stuckReaders }, () => readerThatNeverReads(daemon, run))
  const good = await readRun(daemon, run)
  const grown = residentBytes(daemon.pid) - before
  const whole = good.seen.map(seqOf)
  expect(good.done).toBe(true)
  expect(whole).toEqual(whole.map((_, i) => i + 1))
  expect(whole.length).toBeGreaterThan(events / 2)
  const stream = good.seen.reduce((bytes, { data }) => bytes + data.length, 0)
  console.info(
    `${whole.length} events, ${mib(stream)} each; daemon grew by ${mib(grown)} with ${stuckReaders} stuck readers`,
  )
  // What a stuck reader costs is at most what was handed to its socket; were the stream queued, it would be all of it.
  expect(grown).toBeLessThan(stuckReaders * (1 << 20) + (64 << 20))

  const [one, ...others] = stuck
  for (const other of others) other.leave()
  const taken = await one!.readAll()
  const resumed = await readRun(daemon, run, { sight: taken })
  expect(resumed.seen).toEqual(good.seen)
})

interface StuckReader {
  leave(): void
  /** Begins to read, until the stream ends or the daemon closes it: the whole events that came. */
  readAll(): Promise<Sight>
}

/** A connection that takes its headers and then no more, until it is told to. */
function readerThatNeverReads(from: Daemon, run: string): StuckReader {
  const request = get(`${from.url}/v1/runs/${run}/events`, {
    agent: new Agent(),
    headers: { authorization: `Bearer ${from.token}`, accept: 'text/event-stream' },
  })
  const answer = new Promise<IncomingMessage>((resolve, reject) => {
    request.once('response', resolve)
    request.on('error', reject)
  })
  answer.then((response) => response.pause()).catch(() => {})
  return {
    leave: () => void request.destroy(),
    async readAll() {
      const sight: Sight = { seen: [], done: false }
      const parser = createParser({
        onEvent({ id, event, data }) {
          if (event === 'done') sight.done = true
          else if (id !== undefined) sight.seen.push({ id, data })
        },
      })
      const response = await answer
      try {
        for await (const text of response.setEncoding('utf8')) parser.feed(text)
      } catch {
        // Closed by the daemon for being too slow: what came until then is what counts.
      }
      return sight
    },
  }
}

/** Resident memory of a process, where there is `/proc`; else 0, so that only the exactness is judged. */
function residentBytes(pid: number): number {
  try {
    return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024
  } catch {
    return 0
  }
}

const mib = (bytes: number) => `${(bytes / (1 << 20)).toFixed(1)} MiB`
