import { expect, test } from 'vitest'
import { delayMeter } from '../../src/client/delay.ts'
import type { FollowOptions, OpenEvents } from '../../src/client/follow.ts'
import type { ConnectionNews } from '../../src/client/follow-state.ts'
import { following } from '../../src/client/following.ts'
import { Batch } from '../../src/core/batch.ts'
import { RunletError } from '../../src/core/error.ts'
import { outputText } from '../../src/core/fold.ts'
import type { Gap } from '../../src/core/log.ts'
import { fakeClock } from '../../src/testing/fake-clock.ts'
import { batch, broken, finish, gap } from './runs.ts'

/** What one connection does: tells news, gives records, breaks, waits so many milliseconds, or ends. */
type Connection = (ConnectionNews | Batch | Gap | Error | number)[]

function lab(connections: Connection[], options: FollowOptions = {}) {
  const clock = fakeClock(0)
  const open: OpenEvents = async function* ({ onNews, signal }) {
    for (const step of connections.shift() ?? [broken()]) {
      if (typeof step === 'number') {
        await new Promise<void>((resolve, reject) => {
          signal.addEventListener('abort', () => reject(broken()))
          clock.after(step, resolve)
        })
      } else if (step instanceof Error) throw step
      else if (step instanceof Batch || step.type === 'gap') yield step
      else onNews(step)
    }
  }
  return { clock, run: following('run', open, { clock, random: () => 1, ...options }) }
}

const error = (thrown: unknown) => ({ reason: (thrown as RunletError).reason })

/** Reads to the end, and notes each state when it comes, and each record. */
async function watched(connections: Connection[], options?: FollowOptions) {
  const { clock, run } = lab(connections, options)
  const seen: unknown[] = []
  run.subscribe(() => seen.push(run.state))
  const reading = (async () => {
    for await (const record of run.batches()) {
      seen.push(record.type === 'gap' ? `gap ${record.from}-${record.to}` : `${record.first}-${record.last}`)
    }
  })().catch((thrown: unknown) => seen.push(error(thrown)))
  for (let i = 0; i < 30; i++) await clock.advance(1_000)
  await reading
  return { seen, run, clock }
}

const ended = { type: 'ended', kind: 'completed', event: finish }
const live = { type: 'live' }

const cases: [name: string, connections: Connection[], seen: unknown[]][] = [
  [
    'one that is read from its first event on',
    [[{ type: 'open', head: 0 }, batch(1, 4), batch(5, 10)]],
    [live, '1-4', '5-10', ended],
  ],
  [
    'one that is joined late',
    [[{ type: 'open', head: 6 }, batch(1, 4), batch(5, 6), batch(7, 10)]],
    [{ type: 'catching-up', head: 6 }, '1-4', '5-6', live, '7-10', ended],
  ],
  [
    'one whose connection breaks',
    [
      [{ type: 'open', head: 0 }, batch(1, 4), broken()],
      [broken()],
      [{ type: 'open', head: 8 }, batch(5, 8), batch(9, 10)],
    ],
    [
      live,
      '1-4',
      { type: 'connecting', error: expect.objectContaining({ message: 'broken' }), waitMs: 0 },
      { type: 'connecting', error: expect.objectContaining({ message: 'broken' }), waitMs: 250 },
      { type: 'catching-up', head: 8 },
      '5-8',
      live,
      '9-10',
      ended,
    ],
  ],
  [
    'one that lags and catches up',
    [[{ type: 'open', head: 0 }, batch(1, 2), { type: 'lag', head: 6 }, batch(3, 6), batch(7, 10)]],
    [live, '1-2', { type: 'catching-up', head: 6 }, '3-6', live, '7-10', ended],
  ],
  ['one whose server does not tell how far it is', [[{ type: 'open' }, batch(1, 10)]], [live, '1-10', ended]],
  ['one that was over before', [[{ type: 'open', head: 0 }]], [live, { type: 'ended', kind: 'over' }]],
  [
    'one that is refused',
    [[new RunletError('not_found', { message: 'no', reason: 'run_unknown' })]],
    [
      { type: 'ended', kind: 'error', error: expect.objectContaining({ reason: 'run_unknown' }) },
      { reason: 'run_unknown' },
    ],
  ],
  [
    'one whose connection is mended by another',
    [
      [
        { type: 'open', head: 0 },
        batch(1, 4),
        { type: 'lost', error: broken(), waitMs: 9 },
        { type: 'open', head: 6 },
        batch(5, 10),
      ],
    ],
    [
      live,
      '1-4',
      { type: 'connecting', error: expect.anything(), waitMs: 9 },
      { type: 'catching-up', head: 6 },
      '5-10',
      ended,
    ],
  ],
]
for (const [name, connections, seen] of cases) {
  test(`a following tells how it stands: ${name}`, async () => {
    expect((await watched(connections)).seen).toEqual(seen)
  })
}

test('all endings have their kind', async () => {
  const cancelled = Batch.of('run', 1, [
    { seq: 1, ts: 1, event: { ...finish, finish_reason: 'cancelled' } as typeof finish },
  ])
  const body = { code: 'internal', reason: 'x', message: 'x', temporary: false } as const
  const failed = Batch.of('run', 1, [{ seq: 1, ts: 1, event: { type: 'error', error: body } }])
  for (const [kind, last] of [
    ['cancelled', cancelled],
    ['failed', failed],
    ['completed', batch(1, 10)],
  ] as const) {
    const { run } = await watched([[last]])
    expect(run.state).toMatchObject({ type: 'ended', kind, event: last.entries.at(-1)!.event })
  }
})

test('views are what the events add up to, one for each batch', async () => {
  const { run, clock } = lab([
    [batch(1, 4), broken()],
    [batch(5, 5), batch(6, 10)],
  ])
  const views: [number, string, string][] = []
  const reading = (async () => {
    for await (const view of run) views.push([view.seq, outputText(view), view.status])
  })()
  await clock.advance(0)
  await reading
  expect(views).toEqual([
    [4, '4', 'running'],
    [5, '45', 'running'],
    [10, '456789', 'completed'],
  ])
})

test('a gap is told: among the batches, to those who subscribed, and it stays to be seen', async () => {
  const { run } = lab([[batch(1, 4), gap(5, 6), batch(7, 10)]])
  let told = 0
  run.subscribe(() => {
    if (run.gaps.length > 0) told++
  })
  const texts: string[] = []
  for await (const view of run) texts.push(outputText(view))
  expect(texts).toEqual(['4', '4789'])
  expect(run.gaps).toEqual([gap(5, 6)])
  expect(told).toBeGreaterThan(0)
  expect(run.cursor).toEqual({ epoch: 1, seq: 10 })
})

test('leaving the loop ends the connection and the following', async () => {
  const { run, clock } = lab([[{ type: 'open', head: 0 }, batch(1, 4), 1_000, batch(5, 10)]])
  for await (const _ of run) break
  expect(run.state).toEqual({ type: 'ended', kind: 'stopped' })
  expect(run.cursor).toEqual({ epoch: 1, seq: 4 })
  expect(clock.pending).toBe(0)
})

test('it can be stopped by itself and by a signal, at any time, without an error', async () => {
  for (const how of ['stop', 'signal', 'stop before', 'signal before']) {
    const signal = new AbortController()
    const { run, clock } = lab([[{ type: 'open', head: 0 }, batch(1, 4), 60_000]], { signal: signal.signal })
    const stop = how.startsWith('stop') ? () => run.stop() : () => signal.abort()
    if (how.endsWith('before')) stop()
    const seen: number[] = []
    const reading = (async () => {
      for await (const view of run) seen.push(view.seq)
    })()
    await clock.advance(100)
    stop()
    await reading
    expect(seen).toEqual(how.endsWith('before') ? [] : [4])
    expect(run.state).toEqual({ type: 'ended', kind: 'stopped' })
  }
})

test('it is read once', async () => {
  const { run } = lab([[batch(1, 10)]])
  for await (const _ of run);
  await expect(
    (async () => {
      for await (const _ of run.batches());
    })(),
  ).rejects.toMatchObject({ code: 'invalid_request', reason: 'read_twice' })
})

test('the state is one object until it changes, and who called off is told nothing', async () => {
  const { run } = lab([[{ type: 'open', head: 0 }, batch(1, 4), batch(5, 10)]])
  let first = 0
  let second = 0
  const stop = run.subscribe(() => first++)
  run.subscribe(() => second++)
  stop()
  const states = new Set<object>([run.state])
  for await (const _ of run) states.add(run.state)
  states.add(run.state)
  expect([...states]).toEqual([{ type: 'connecting' }, { type: 'live' }, ended])
  expect([first, second]).toEqual([0, 2])
})

test('the delay is what exceeds that of the quickest event, however the clocks differ', () => {
  for (const skew of [0, -3_600_000, 250]) {
    const delay = delayMeter()
    const measured = [
      [1_000, 1_040],
      [2_000, 2_030],
      [3_000, 3_500],
      [4_000, 4_030],
    ].map(([ts, now]) => delay.measure(ts!, now! + skew))
    expect(measured).toEqual([0, 0, 470, 0])
    expect(delay.last).toBe(0)
  }
})

test('what was stored before is not late, and what comes live is measured', async () => {
  const { run, clock } = lab([
    [{ type: 'open', head: 4 }, batch(1, 4), 5_000, batch(5, 5), 1_300, batch(6, 6), 700, batch(7, 10)],
  ])
  const delays: (number | undefined)[] = []
  const reading = (async () => {
    for await (const _ of run) delays.push(run.delayMs)
  })()
  for (let i = 0; i < 80; i++) await clock.advance(100)
  await reading
  // Entry 5 is of second 5 and came at 5.0; 6 came at 6.3; 10 came at 7.0, ahead of its time.
  expect(delays).toEqual([undefined, 0, 300, 0])
})
