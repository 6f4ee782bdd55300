/**
 * Whether a stream arrives as it was sent. The server stamps every event; a hop that collects bytes (a proxy that
 * buffers, a compressor) delivers early events late and together, and so shows in the spread of the delays, for which
 * the two clocks need not agree. Where the daemon can also be reached without the hops, the two ways are compared.
 */
import { RunletError, toRunletError } from '../core/error.ts'
import { refusalOf, unreachable } from '../client/http-errors.ts'
import { tokenFile } from '../servers/http/auth/token.ts'
import { sse } from '../wire/sse.ts'
import { findDaemon } from './daemon.ts'
import type { Finding } from './doctor.ts'
import { fixesFor, hopsIn } from './hops.ts'
import { myPlaces } from './settings.ts'
import { durationOf } from './words.ts'

/** Two seconds of tokens, evenly. */
const MODEL = 'sim/lorem-40?tps=20'

/** How its run is called in lists. */
const PROMPT = 'runlet doctor: does this stream arrive as it is sent?'

/** Where one event in four comes this much later than the most punctual one, the stream is held back. Milliseconds. */
const HELD_MS = 400

const PATIENCE_MS = 30_000

/** Looks at the daemon of this home, and at `url`, which leads to a daemon by another way. */
export async function examineStream(url: string | undefined): Promise<Finding[]> {
  const places = myPlaces()
  const daemon = findDaemon(places.daemon)
  const findings: Finding[] = []
  let direct: Arrivals | undefined
  if (daemon && daemon.url !== url) {
    const seen = await attempt('stream', daemon.url, async () => arrivals(daemon.url, await tokenFile(places.token)))
    direct = seen.arrivals
    findings.push(direct ? judgeDirect(direct, daemon.url) : seen.finding!)
  }
  if (url === undefined) return findings.length > 0 ? findings : [noDaemon()]
  const seen = await attempt('url', url, async () => arrivals(url.replace(/\/+$/, ''), await tokenFile(places.token)))
  return [...findings, seen.arrivals ? judgeUrl(seen.arrivals, url, direct) : seen.finding!]
}

interface Arrivals {
  /** From the request to the first bytes of the answer's body. Milliseconds. */
  readonly firstByteMs: number
  /** Between two reads that brought something. Milliseconds. */
  readonly gapsMs: readonly number[]
  /** Of each event: its arrival by our clock, less its time by the server's. Milliseconds. */
  readonly delaysMs: readonly number[]
  readonly headers: Headers
}

interface Seen {
  readonly arrivals?: Arrivals
  readonly finding?: Finding
}

async function attempt(name: string, url: string, look: () => Promise<Arrivals>): Promise<Seen> {
  try {
    return { arrivals: await look() }
  } catch (thrown) {
    const { message } = toRunletError(thrown)
    return { finding: { name, state: 'broken', text: message.includes(url) ? message : `${url}: ${message}` } }
  }
}

/** Begins a run and watches it from its first event on. */
async function arrivals(baseUrl: string, token: string): Promise<Arrivals> {
  const begun = performance.now()
  const signal = AbortSignal.timeout(PATIENCE_MS)
  try {
    const response = await fetch(`${baseUrl}/v1/runs`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${token}`,
        accept: 'text/event-stream',
        'content-type': 'application/json',
      },
      body: JSON.stringify({ model: MODEL, prompt: PROMPT }),
      // A server that sends the token somewhere else is not the one that it was meant for.
      redirect: 'error',
      signal,
    })
    if (!response.ok || !response.body) throw await refusalOf(response, baseUrl)
    if (response.headers.get('x-run-id') === null) throw notRunlet(baseUrl)
    return { ...(await readAll(response.body, begun)), headers: response.headers }
  } catch (thrown) {
    if (signal.aborted) throw tooSlow(baseUrl)
    throw thrown instanceof TypeError ? unreachable(baseUrl, thrown) : thrown
  }
}

async function readAll(body: ReadableStream<Uint8Array>, begun: number): Promise<Omit<Arrivals, 'headers'>> {
  const readsAt: number[] = []
  const delaysMs: number[] = []
  const timed = body.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        readsAt.push(performance.now())
        controller.enqueue(chunk)
      },
    }),
  )
  for await (const frames of sse(timed)) {
    const arrived = Date.now()
    for (const { id, data } of frames) {
      // What has an id is of the run; the rest is between the server and this reader.
      if (id !== undefined) delaysMs.push(arrived - Number((JSON.parse(data) as { ts?: number }).ts))
    }
  }
  if (delaysMs.length < 2) throw cutShort()
  const gapsMs = readsAt.slice(1).map((at, i) => at - readsAt[i]!)
  return { firstByteMs: readsAt[0]! - begun, gapsMs, delaysMs }
}

/**
 * How much later than the most punctual event the later quarter came. A hop that collects makes most events late; a
 * machine that is busy for a moment makes a few late, however much.
 */
function heldMs({ delaysMs }: Arrivals): number {
  const sorted = delaysMs.toSorted((a, b) => a - b)
  return sorted[Math.floor(sorted.length * 0.75)]! - sorted[0]!
}

function judgeDirect(seen: Arrivals, url: string): Finding {
  const held = heldMs(seen)
  const about = { name: 'stream', stream: figuresOf(seen) }
  const text = `${summary(seen, url)}\n${histogram(seen)}`
  if (held < HELD_MS)
    return { ...about, state: 'ok', text: `${text}\nthe run of this test is in the list as "${PROMPT}"` }
  return {
    ...about,
    state: 'broken',
    text: `${text}\nnothing lies between here and the daemon, so it is the daemon that is late, or this machine`,
    fix: 'look at nodejs_eventloop_lag_p99_seconds and runlet_append_duration_seconds of /metrics',
  }
}

function judgeUrl(seen: Arrivals, url: string, direct: Arrivals | undefined): Finding {
  const about = { name: 'url', stream: figuresOf(seen) }
  const hops = hopsIn(seen.headers)
  const names = hops.map(({ name }) => name).join(', ')
  const said = saidOf(seen.headers)
  const text = [summary(seen, url), histogram(seen), ...(said === '' ? [] : [`on the way: ${said}`])].join('\n')
  const held = heldMs(seen)
  if (held < HELD_MS) return { ...about, state: 'ok', text }
  if (direct && heldMs(direct) >= HELD_MS) {
    return { ...about, state: 'broken', text: `${text}\nso it is without the way, too: mend "stream" first` }
  }
  const who = names === '' ? 'something on the way' : `${names}, by the headers of the answer,`
  const against = direct ? `, which comes in time without it (${durationOf(heldMs(direct))})` : ''
  const how = seen.headers.has('content-length')
    ? 'waits for the whole answer'
    : seen.headers.has('content-encoding')
      ? `compresses the stream (${seen.headers.get('content-encoding')}) and so collects it`
      : 'collects the stream'
  return { ...about, state: 'broken', text: `${text}\n${who} ${how}${against}`, fix: fixesFor(hops, seen.headers) }
}

function summary(seen: Arrivals, url: string): string {
  const { delaysMs, gapsMs, firstByteMs } = seen
  const reads = gapsMs.length + 1
  const held = durationOf(heldMs(seen))
  const verdict =
    heldMs(seen) < HELD_MS
      ? `three of four came within ${held} of the most punctual`
      : `one of four came ${held} or more after the most punctual`
  return `${delaysMs.length} events in ${reads} reads from ${url}, the first byte after ${durationOf(firstByteMs)}; ${verdict}`
}

/** Upper ends. Milliseconds. */
const gapEnds = [25, 100, 250, 500, 1_000, Number.POSITIVE_INFINITY]

function gapCounts({ gapsMs }: Arrivals): [end: number, count: number][] {
  return gapEnds.map((end, i) => [end, gapsMs.filter((gap) => gap <= end && gap > (gapEnds[i - 1] ?? -1)).length])
}

function histogram(seen: Arrivals): string {
  const parts = gapCounts(seen).flatMap(([end, count]) =>
    count === 0 ? [] : [`${count} ${Number.isFinite(end) ? `up to ${end} ms` : 'longer'}`],
  )
  return `gaps between reads (50 ms were sent): ${parts.join(', ') || 'none, as there was one read'}`
}

function figuresOf(seen: Arrivals): Finding['stream'] {
  return {
    events: seen.delaysMs.length,
    reads: seen.gapsMs.length + 1,
    first_byte_ms: Math.round(seen.firstByteMs),
    held_ms: heldMs(seen),
    gaps: Object.fromEntries(
      gapCounts(seen).map(([end, count]) => [Number.isFinite(end) ? `le_${end}_ms` : 'longer', count]),
    ),
  }
}

/** What the hops say of themselves. */
const telling = ['via', 'server', 'content-encoding', 'content-length', 'cf-ray', 'x-cache', 'x-served-by', 'age']

const saidOf = (headers: Headers) =>
  telling.flatMap((name) => (headers.has(name) ? [`${name}: ${headers.get(name)!.slice(0, 100)}`] : [])).join(', ')

const noDaemon = (): Finding => ({
  name: 'stream',
  state: 'broken',
  text: 'there is no daemon whose stream could be watched',
  fix: 'start one: runlet serve',
})

const tooSlow = (url: string) =>
  new RunletError('timeout', {
    reason: 'stream_timeout',
    message: `a stream of two seconds from ${url} had not ended after ${PATIENCE_MS / 1000} s: something on the way holds it`,
  })

const notRunlet = (url: string) =>
  new RunletError('network', {
    reason: 'not_runlet',
    message: `${url} gave an answer, but not as a Runlet server does; check the address and the path`,
  })

const cutShort = () =>
  new RunletError('network', {
    reason: 'stream_cut',
    message: 'the stream ended before its run did: something on the way cuts connections',
  })
