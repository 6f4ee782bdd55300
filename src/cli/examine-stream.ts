/**
 * Whether a stream arrives as it was sent. The server stamps every event; a hop that collects bytes (a proxy that
 * buffers, a compressor) delivers early events late and together, and so shows in the spread of the delays, for which
 * the two clocks need not agree.
 */
import { Batch } from '../core/batch.ts'
import { RunletError, toRunletError } from '../core/error.ts'
import { httpClient } from '../client/http.ts'
import { tokenFile } from '../servers/http/token.ts'
import { findDaemon } from './daemon.ts'
import type { Finding } from './doctor.ts'
import { myPlaces } from './settings.ts'
import { durationOf } from './words.ts'

/** Two seconds of tokens, evenly. */
const MODEL = 'sim/lorem-40?tps=20'

/** An event that arrives this much later than the most punctual one was held back. Milliseconds. */
const HELD_MS = 400

export async function examineStream(url: string | undefined): Promise<Finding> {
  const name = 'stream'
  try {
    const places = myPlaces()
    const daemon = findDaemon(places.daemon)
    if (!daemon) {
      throw new RunletError('provider_unavailable', {
        reason: 'daemon_missing',
        message: 'there is no daemon whose stream could be watched; start one with: runlet serve',
      })
    }
    const baseUrl = url ?? daemon.url
    return judge(await delaysOf(baseUrl, await tokenFile(places.token)), baseUrl)
  } catch (thrown) {
    return { name, state: 'broken', text: toRunletError(thrown).message }
  }
}

interface Arrivals {
  /** Of each event: its arrival by our clock, less its time by the server's. Milliseconds. */
  readonly delays: readonly number[]
  /** Reads that brought something. */
  readonly reads: number
  /** What the hops say of themselves. */
  readonly headers: readonly string[]
}

async function delaysOf(baseUrl: string, token: string): Promise<Arrivals> {
  const headers: string[] = []
  const client = httpClient({
    baseUrl,
    token,
    async fetch(input, init) {
      const response = await fetch(input, init)
      for (const header of ['content-encoding', 'via', 'server']) {
        const value = response.headers.get(header)
        if (value !== null) headers.push(`${header}: ${value}`)
      }
      return response
    },
  })
  const { run_id } = await client.start({ model: MODEL, prompt: 'runlet doctor' })
  const delays: number[] = []
  let reads = 0
  for await (const record of client.events(run_id)) {
    if (!(record instanceof Batch)) continue
    reads++
    const arrived = Date.now()
    for (const { ts } of record.entries) delays.push(arrived - ts)
  }
  return { delays, reads, headers: [...new Set(headers)] }
}

function judge({ delays, reads, headers }: Arrivals, baseUrl: string): Finding {
  const heldMs = Math.max(...delays) - Math.min(...delays)
  const seen = `${delays.length} events in ${reads} reads from ${baseUrl}`
  if (heldMs < HELD_MS) {
    return { name: 'stream', state: 'ok', text: `${seen}, none held back by more than ${durationOf(heldMs)}` }
  }
  const hops = headers.length === 0 ? '' : `; the answer says ${headers.join(', ')}`
  return {
    name: 'stream',
    state: 'broken',
    text: `${seen}, held back by up to ${durationOf(heldMs)}: something on the way collects the stream${hops}`,
    fix: 'turn buffering and compression off there (nginx: proxy_buffering off; gzip off for text/event-stream)',
  }
}
