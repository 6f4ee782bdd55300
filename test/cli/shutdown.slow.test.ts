/** Stopping the daemon: what is under way may finish, what comes is sent away, and readers lose nothing. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Bench } from './runlet.ts'
import { withCli } from './runlet.ts'

/** Two seconds. */
const SHORT = 'sim/lorem-40?tps=20'
/** Longer than any test. */
const LONG = 'sim/lorem-4000?tps=20'

function caller(cli: Bench, url: string) {
  const token = readFileSync(join(cli.home, 'token'), 'utf8').trim()
  return (path: string, init: { body?: object; headers?: Record<string, string> } = {}) =>
    fetch(url + path, {
      method: init.body ? 'POST' : 'GET',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', ...init.headers },
      ...(init.body ? { body: JSON.stringify(init.body) } : {}),
    })
}

const events = { accept: 'text/event-stream' }

interface Reading {
  /** Resolves once so many events of the run have come. */
  reached(events: number): Promise<void>
  /** Everything, once the connection has ended. */
  readonly all: Promise<readonly Frame[]>
}

interface Frame {
  readonly event: string
  readonly id: string | undefined
  readonly data: { type: string; cursor?: string; seq?: number; error?: { reason: string } }
}

/** Reads a stream of ours to its end, however that comes. */
function reading(response: Response): Reading {
  const frames: Frame[] = []
  const waiting: { events: number; resolve: () => void }[] = []
  const seen = () => frames.filter(({ id }) => id !== undefined).length
  async function read(): Promise<readonly Frame[]> {
    let text = ''
    for await (const piece of response.body!.pipeThrough(new TextDecoderStream())) {
      text += piece
      const blocks = text.split('\n\n')
      text = blocks.pop()!
      for (const block of blocks) {
        const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(block)?.[1]
        const [event, data] = [field('event'), field('data')]
        if (event !== undefined && data?.startsWith('{'))
          frames.push({ event, id: field('id'), data: JSON.parse(data) })
      }
      for (const { events: wanted, resolve } of waiting) if (seen() >= wanted) resolve()
    }
    return frames
  }
  const all = read()
  // One that is cut may be so before anybody asks.
  all.catch(() => {})
  return {
    all,
    reached: (wanted) =>
      new Promise((resolve) => void (seen() >= wanted ? resolve() : waiting.push({ events: wanted, resolve }))),
  }
}

const seqs = (frames: readonly Frame[]) =>
  frames.flatMap(({ id }) => (id === undefined ? [] : [Number(id.split('-')[1])]))
const counted = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i)

test.concurrent(
  'a run under way may finish while it is read on; what comes is sent away, with a time to come back',
  withCli(async (cli) => {
    const daemon = await cli.serve()
    const ask = caller(cli, daemon.url)
    const started = await ask('/v1/runs', { body: { model: SHORT, prompt: 'x' }, headers: events })
    const stream = reading(started)
    await stream.reached(8)
    daemon.child.kill('SIGTERM')
    await daemon.logged('stopping')
    const health = await ask('/healthz')
    expect([health.status, await health.json()]).toEqual([503, { status: 'draining' }])
    const refused = await ask('/v1/runs', { body: { model: SHORT, prompt: 'y' } })
    expect([refused.status, refused.headers.get('retry-after'), (await refused.json()).reason]).toEqual([
      503,
      '5',
      'shutting_down',
    ])
    // Who comes late may still read.
    const late = reading(await ask(`/v1/runs/${started.headers.get('x-run-id')}/events`, { headers: events }))
    const frames = await stream.all
    expect(seqs(frames)).toEqual(counted(1, frames.findLast(({ id }) => id)!.data.seq!))
    expect(frames.findLast(({ id }) => id)!.data.type).toBe('finish')
    expect(seqs(await late.all)).toEqual(seqs(frames))
    const { stderr, status } = await daemon.done
    expect([status, codes(stderr)]).toEqual([0, ['listening', 'stopping', 'request_failed', 'stopped']])
    expect((await cli.runs()).map((run) => run.status)).toEqual(['completed'])
  }),
)

test.concurrent(
  'what is not done in time ends with an error, which its readers still read',
  withCli(async (cli) => {
    const daemon = await cli.serve(['--drain', '0.2'])
    const ask = caller(cli, daemon.url)
    const stream = reading(await ask('/v1/runs', { body: { model: LONG, prompt: 'x' }, headers: events }))
    await stream.reached(8)
    daemon.child.kill('SIGTERM')
    const frames = await stream.all
    const end = frames.findLast(({ id }) => id)!
    expect([end.data.type, end.data.error?.reason, seqs(frames)]).toEqual([
      'error',
      'shutdown',
      counted(1, seqs(frames).at(-1)!),
    ])
    expect((await daemon.done).status).toBe(0)
  }),
)

test.concurrent(
  'a run that may be done again goes on in the next process; its reader is sent away and comes back to all of it, once',
  withCli(async (cli) => {
    const body = { model: SHORT, prompt: 'x', on_interrupt: 'restart', durability: 'os' }
    const daemon = await cli.serve(['--drain', '0'])
    const started = await caller(cli, daemon.url)('/v1/runs', { body, headers: events })
    const stream = reading(started)
    await stream.reached(10)
    daemon.child.kill('SIGTERM')
    const before = await stream.all
    const closing = before.at(-1)!
    const last = before.findLast(({ id }) => id)!
    expect(closing.data).toMatchObject({ type: 'closing', reason: 'shutting_down', cursor: last.id })
    expect((await daemon.done).status).toBe(0)
    const next = await cli.serve()
    const path = `/v1/runs/${started.headers.get('x-run-id')}/events`
    const rest = await reading(await caller(cli, next.url)(path, { headers: { ...events, 'last-event-id': last.id! } }))
      .all
    const all = [...seqs(before), ...seqs(rest)]
    expect(all).toEqual(counted(1, all.at(-1)!))
    expect(rest.findLast(({ id }) => id)!.data.type).toBe('finish')
  }),
)

test.concurrent(
  'a second signal stops at once; the next start ends the run, and its reader comes back to that',
  withCli(async (cli) => {
    const daemon = await cli.serve(['--drain', '600'])
    const started = await caller(cli, daemon.url)('/v1/runs', { body: { model: LONG, prompt: 'x' }, headers: events })
    const stream = reading(started)
    await stream.reached(8)
    daemon.child.kill('SIGTERM')
    await daemon.logged('stopping')
    daemon.child.kill('SIGTERM')
    expect((await daemon.done).status).toBe(130)
    const cut = await stream.all.catch(() => undefined)
    expect(cut).toBeUndefined()
    const next = await cli.serve()
    const path = `/v1/runs/${started.headers.get('x-run-id')}/events`
    const rest = await reading(await caller(cli, next.url)(path, { headers: { ...events, 'last-event-id': '1-8' } }))
      .all
    expect(seqs(rest)).toEqual(counted(9, seqs(rest).at(-1)!))
    expect(rest.findLast(({ id }) => id)!.data.error?.reason).toBe('owner_lost')
  }),
)

function codes(stderr: string): string[] {
  return stderr
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line).code)
}
