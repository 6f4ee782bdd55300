import { afterEach, describe, expect, test } from 'vitest'
import { createHub, type Hub, type RunChange } from '../../src/client/hub.ts'
import { hubFromPort } from '../../src/client/hub-tab.ts'
import { serveHub } from '../../src/client/hub-worker.ts'
import { fakeClock } from '../../src/testing/fake-clock.ts'
import { ended, runEnds, stepBegins, texts } from '../servers/http/lab.ts'
import { cutAt, hear, meanwhile, served, until } from './served.ts'

const whole = [...stepBegins, ...texts(4), ...runEnds]
const allIds = Array.from({ length: 10 }, (_, i) => `1-${i + 1}`)
const names = ['run_a', 'run_b', 'run_c']

const ports: MessagePort[] = []
afterEach(() => {
  for (const port of ports.splice(0)) port.close()
})

/** Web Locks of one browser: who holds a name, and who waits for it. */
function lockManager() {
  const held = new Map<string, Promise<unknown>>()
  const request = (async (name: string, callback: () => unknown) => {
    while (held.has(name)) await held.get(name)
    const done = Promise.resolve(callback()).finally(() => held.delete(name))
    held.set(name, done)
    return done
  }) as unknown as LockManager['request']
  return { locks: { request }, held }
}

interface Tab {
  readonly hub: Hub
  readonly heard: ReturnType<typeof hear>[]
}

/** A worker with one hub, and tabs that share it. Tabs and worker have one clock. */
function shared(options: { readonly withLocks?: boolean } = {}) {
  const s = served()
  const { locks } = lockManager()
  const own = options.withLocks === false ? {} : { locks }
  const worker = createHub(s.client, { clock: s.time, random: () => 1 })
  function tab(runs: readonly string[] = []): Tab & { readonly ports: MessageChannel } {
    const channel = new MessageChannel()
    ports.push(channel.port1, channel.port2)
    serveHub(channel.port1, worker, { clock: s.time, ...own })
    const hub = hubFromPort(channel.port2, { clock: s.time, random: () => 1, ...own })
    return { hub, heard: runs.map((run) => hear(hub.follow(run))), ports: channel }
  }
  return { s, worker, tab }
}

const all = (tabs: readonly Tab[]) => Promise.all(tabs.flatMap(({ heard }) => heard.map(({ done }) => done)))

describe('tabs that share one hub', () => {
  test('six with three runs each need one connection, and each hears every event once', async () => {
    const { s, tab } = shared()
    for (const id of names) await s.begin(undefined, id)
    const tabs = Array.from({ length: 6 }, () => tab(names))
    await meanwhile(s.time)
    for (let n = 0; n < 4; n++) for (const id of names) await s.log.append(id, 1, texts(1, `${n}`))
    for (const id of names) await s.log.append(id, 1, runEnds)
    await until(s.time, all(tabs))
    for (const { heard } of tabs) for (const { ids, error } of heard) expect([ids, error]).toEqual([allIds, undefined])
    expect(s.open.most).toBe(1)
    for (const { hub } of tabs) hub.close()
    await meanwhile(s.time)
    expect([s.open.now, s.time.pending]).toEqual([0, 0])
  })

  test('one that comes late, with a cursor or without, gets what is its own', async () => {
    const { s, tab } = shared()
    await s.begin(undefined, 'run_a')
    const first = tab(['run_a'])
    await meanwhile(s.time)
    const second = tab(['run_a'])
    const third = tab()
    const rest = hear(third.hub.follow('run_a', { after: { epoch: 1, seq: 2 } }))
    await meanwhile(s.time)
    await s.log.append('run_a', 1, runEnds)
    await until(s.time, Promise.all([all([first, second]), rest.done]))
    expect([first.heard[0]!.ids, second.heard[0]!.ids]).toEqual([allIds.slice(0, 6), allIds.slice(0, 6)])
    expect(rest.ids).toEqual(allIds.slice(2, 6))
  })

  test('a connection that breaks after any byte costs them nothing', async () => {
    const { s, tab } = shared()
    for (const id of names) await s.begin(whole, id)
    for (let at = 100; at < 3_000; at += 150) {
      let cut = false
      s.damage = (stream) => {
        if (cut) return stream
        cut = true
        return cutAt(stream, at)
      }
      const tabs = [tab(names), tab(names)]
      await until(s.time, all(tabs))
      for (const { heard, hub } of tabs) {
        expect(heard.map(({ ids, error }) => [ids, error])).toEqual(names.map(() => [allIds, undefined]))
        hub.close()
      }
    }
  })

  test('states, refusals and gaps are the same as with a hub of its own', async () => {
    const { s, tab } = shared()
    await s.begin(undefined, 'run_a')
    const { hub } = tab()
    const following = hub.follow('run_a')
    const states: unknown[] = []
    following.subscribe(() => states.push(following.state))
    const heard = hear(following)
    const refused = hear(hub.follow('nope'))
    await until(s.time, refused.done)
    expect(refused.error).toMatchObject({ code: 'not_found', reason: 'run_unknown', status: 404, temporary: false })
    await meanwhile(s.time)
    expect(following.state).toEqual({ type: 'live' })
    s.answer = () => Promise.reject(new TypeError('fetch failed'))
    for (const cut of s.cut.splice(0)) cut()
    await meanwhile(s.time, 100)
    expect(following.state).toMatchObject({ type: 'connecting', error: { reason: 'server_unreachable' } })
    s.answer = undefined
    await s.log.append('run_a', 1, runEnds)
    await until(s.time, heard.done)
    expect(heard.ids).toEqual(allIds.slice(0, 6))
    expect(states.at(-1)).toMatchObject({ type: 'ended', kind: 'completed' })
  })

  test('watching reaches all of them, and one connection', async () => {
    const { s, tab } = shared()
    const tabs = [tab(), tab()]
    const told = tabs.map(({ hub }) => {
      const changes: string[] = []
      const note = (change: RunChange) =>
        void changes.push(change.type === 'run' ? `${change.run.run_id} ${change.run.status}` : change.type)
      hub.watch(note)
      return changes
    })
    await meanwhile(s.time)
    const run = await s.runtime.start({ prompt: 'Hi' })
    await ended(s, run.id)
    await meanwhile(s.time)
    const expected = ['watching', `${run.id} running`, `${run.id} completed`]
    expect(told).toEqual([expected, expected])
    expect(s.open.most).toBe(1)
  })

  test('a refusal as a whole is told to all', async () => {
    const { s, tab } = shared()
    const problem = { code: 'unauthorized', reason: 'token_wrong', detail: 'no', temporary: false }
    s.answer = () => Response.json(problem, { status: 401 })
    const { hub } = tab()
    const changes: RunChange[] = []
    hub.watch((change) => changes.push(change))
    const heard = hear(hub.follow('run_a'))
    await until(s.time, heard.done)
    expect(heard.error).toMatchObject({ code: 'unauthorized', reason: 'token_wrong', status: 401 })
    expect(changes).toMatchObject([{ type: 'refused', error: { reason: 'token_wrong' } }])
  })
})

describe('a tab that is gone', () => {
  test('is noticed by its lock, and nothing is read for it any more', async () => {
    const { s, worker } = shared()
    await s.begin(undefined, 'run_a')
    // The lock is in the hands of the test, which dies in the place of the tab.
    const channel = new MessageChannel()
    ports.push(channel.port1, channel.port2)
    const { locks, held } = lockManager()
    let die: (() => void) | undefined
    const life = new Promise<void>((resolve) => (die = resolve))
    const mortal = {
      request: ((name: string, callback: () => unknown) =>
        locks.request(name, () => Promise.race([callback(), life]))) as LockManager['request'],
    }
    serveHub(channel.port1, worker, { clock: s.time, locks })
    const hub = hubFromPort(channel.port2, { clock: s.time, locks: mortal })
    const heard = hear(hub.follow('run_a'))
    await meanwhile(s.time)
    expect([heard.ids.length, s.open.now, held.size]).toEqual([3, 1, 1])
    // However long it is silent, it lives.
    channel.port2.close()
    await meanwhile(s.time, 1_000_000)
    expect(s.open.now).toBe(1)
    die?.()
    await meanwhile(s.time)
    expect([s.open.now, s.server.readers]).toEqual([0, 0])
  })

  test('without locks is noticed by its silence', async () => {
    const { s, tab } = shared({ withLocks: false })
    await s.begin(undefined, 'run_a')
    const { heard, ports: channel } = tab(['run_a'])
    await meanwhile(s.time)
    expect([heard[0]!.ids.length, s.open.now]).toEqual([3, 1])
    channel.port2.close()
    await meanwhile(s.time, 100_000)
    expect(s.open.now).toBe(1)
    await meanwhile(s.time, 60_000)
    expect([s.open.now, s.server.readers]).toEqual([0, 0])
  })

  test('without locks is not taken for gone while it says that it lives', async () => {
    const { s, tab } = shared({ withLocks: false })
    await s.begin(undefined, 'run_a')
    const { heard } = tab(['run_a'])
    for (let n = 0; n < 40; n++) await meanwhile(s.time, 10_000)
    await s.log.append('run_a', 1, runEnds)
    await until(s.time, heard[0]!.done)
    expect(heard[0]!.ids).toEqual(allIds.slice(0, 6))
  })

  test('one that only slept goes on where it was', async () => {
    const s = served()
    const worker = createHub(s.client, { clock: s.time, random: () => 1 })
    await s.begin(undefined, 'run_a')
    const channel = new MessageChannel()
    ports.push(channel.port1, channel.port2)
    serveHub(channel.port1, worker, { clock: s.time })
    // Its timers stand still while it sleeps.
    const sleeping = fakeClock()
    const hub = hubFromPort(channel.port2, { clock: sleeping, random: () => 1 })
    const heard = hear(hub.follow('run_a'))
    await meanwhile(s.time)
    await meanwhile(s.time, 200_000)
    expect(s.open.now).toBe(0)
    await s.log.append('run_a', 1, texts(2))
    for (let n = 0; n < 3; n++) {
      await meanwhile(sleeping, 10_000)
      await meanwhile(s.time)
    }
    await s.log.append('run_a', 1, runEnds)
    const woken = (async () => {
      for (let n = 0; n < 20; n++) {
        await meanwhile(sleeping)
        await meanwhile(s.time)
      }
    })()
    await woken
    await heard.done
    expect(heard.ids).toEqual(allIds.slice(0, 8))
  })
})

test('a worker that does not answer is told of, and followings go on once one does', async () => {
  const s = served()
  await s.begin(whole, 'run_a')
  const channel = new MessageChannel()
  ports.push(channel.port1, channel.port2)
  const hub = hubFromPort(channel.port2, { clock: s.time, random: () => 1 })
  const following = hub.follow('run_a')
  const heard = hear(following)
  await meanwhile(s.time, 30_000)
  await meanwhile(s.time, 20_000)
  expect(following.state).toMatchObject({ type: 'connecting', error: { code: 'network', reason: 'hub_gone' } })
  serveHub(channel.port1, createHub(s.client, { clock: s.time }), { clock: s.time })
  await until(s.time, heard.done)
  expect(heard.ids).toEqual(allIds)
})

test('a tab that takes nothing has so much on its way and no more, and then takes all', async () => {
  const s = served()
  await s.begin(undefined, 'run_a')
  const channel = new MessageChannel()
  ports.push(channel.port1, channel.port2)
  const posted: { type: string; record?: { type: string } }[] = []
  const port = {
    addEventListener: (type: 'message', listener: (event: MessageEvent) => void) =>
      channel.port1.addEventListener(type, listener),
    postMessage(message: { type: string; record?: { type: string } }) {
      posted.push(message)
      channel.port1.postMessage(message)
    },
    start: () => channel.port1.start(),
  }
  serveHub(port, createHub(s.client, { clock: s.time }), { clock: s.time })
  // A frozen tab: nothing on its side runs.
  channel.port2.postMessage({ type: 'read', id: 1, places: [['run_a', { epoch: 0, seq: 0 }]], watch: false })
  await meanwhile(s.time)
  for (let n = 0; n < 300; n++) {
    await s.log.append('run_a', 1, texts(1))
    if (n % 10 === 0) await meanwhile(s.time, 10)
  }
  await meanwhile(s.time)
  const batches = () => posted.filter(({ record }) => record?.type === 'batch')
  const before = batches().length
  expect(posted.length).toBeLessThanOrEqual(110)
  expect(before).toBeLessThan(110)
  channel.port2.postMessage({ type: 'taken', id: 1, records: posted.length })
  await s.log.append('run_a', 1, runEnds)
  for (let n = 0; n < 20; n++) {
    await meanwhile(s.time)
    channel.port2.postMessage({ type: 'taken', id: 1, records: 50 })
  }
  const seqs = batches().flatMap((message) =>
    (message as unknown as { record: { entries: { seq: number }[] } }).record.entries.map(({ seq }) => seq),
  )
  expect(seqs).toEqual(Array.from({ length: 306 }, (_, i) => i + 1))
  expect(posted.at(-1)!.record).toEqual({ type: 'done', run: 'run_a' })
})
