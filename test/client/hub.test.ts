import { describe, expect, test } from 'vitest'
import { createHub, type RunChange } from '../../src/client/hub.ts'
import { Batch } from '../../src/core/batch.ts'
import { ended, runEnds, stepBegins, texts } from '../servers/http/lab.ts'
import { cutAt, hear, meanwhile, served, until, type Served } from './served.ts'

const whole = [...stepBegins, ...texts(4), ...runEnds]
const allIds = Array.from({ length: 10 }, (_, i) => `1-${i + 1}`)

function hubOf(options: Parameters<typeof served>[0] = {}) {
  const s = served(options)
  return { s, hub: createHub(s.client, { clock: s.time, random: () => 1 }) }
}

async function stored({ runtime }: Served, id: string): Promise<string> {
  let lines = ''
  for await (const record of (await runtime.find(id)).read()) if (record instanceof Batch) lines += record.lines
  return lines
}

const names = (count: number) => Array.from({ length: count }, (_, i) => `run_${String(i).padStart(2, '0')}`)

describe('several followings', () => {
  test('share one connection, which ends with the last of them', async () => {
    const { s, hub } = hubOf()
    for (const id of names(5)) await s.begin(whole, id)
    const heard = names(5).map((id) => hear(hub.follow(id)))
    await until(s.time, Promise.all(heard.map(({ done }) => done)))
    for (const [i, { ids, lines, error }] of heard.entries()) {
      expect([ids, error]).toEqual([allIds, undefined])
      expect(lines.join('')).toBe(await stored(s, names(5)[i]!))
    }
    expect(s.asked).toEqual([
      `/v1/events?${names(5)
        .map((id) => `run=${id}`)
        .join('&')}`,
    ])
    await meanwhile(s.time)
    expect([s.open, s.server.readers, s.readings(), s.time.pending]).toEqual([{ now: 0, most: 1 }, 0, 0, 0])
  })

  test('of 50 runs that come and go, each gives every event once, over one connection at a time', async () => {
    const { s, hub } = hubOf()
    const ids = names(50)
    for (const id of ids) await s.begin(undefined, id)
    const heard = new Map<string, ReturnType<typeof hear>>()
    const left: { readonly id: string; readonly ids: string[] }[] = []
    for (const [i, id] of ids.entries()) {
      const following = hub.follow(id)
      heard.set(id, hear(following))
      if (i % 3 === 0) await meanwhile(s.time, 20)
      for (const other of ids.slice(0, i + 1)) await s.log.append(other, 1, texts(1, `${other} ${i}`))
      if (i % 7 === 6) {
        const gone = ids[i - 6]!
        const before = heard.get(gone)!
        const stop = hub.follow(gone)
        stop.stop()
        left.push({ id: gone, ids: before.ids })
      }
    }
    for (const id of ids) await s.log.append(id, 1, runEnds)
    await until(s.time, Promise.all([...heard.values()].map(({ done }) => done)))
    for (const [i, id] of ids.entries()) {
      const { ids: seen, lines, error } = heard.get(id)!
      // Three that begin it, one for each round since, three that end it.
      expect([seen, error]).toEqual([Array.from({ length: 3 + (50 - i) + 3 }, (_, n) => `1-${n + 1}`), undefined])
      expect(lines.join('')).toBe(await stored(s, id))
    }
    expect(left.length).toBe(7)
    expect(s.open.most).toBe(1)
  })

  test('one that is left takes nothing from the others, and is not asked for again', async () => {
    const { s, hub } = hubOf()
    for (const id of ['run_a', 'run_b']) await s.begin(undefined, id)
    const [a, b] = [hub.follow('run_a'), hub.follow('run_b')]
    const [heardA, heardB] = [hear(a), hear(b)]
    await meanwhile(s.time)
    a.stop()
    await heardA.done
    await meanwhile(s.time)
    expect(s.asked.at(-1)).toBe('/v1/events?run=run_b%401-3')
    for (const id of ['run_a', 'run_b']) await s.log.append(id, 1, runEnds)
    await until(s.time, heardB.done)
    expect(heardA.ids).toEqual(['1-1', '1-2', '1-3'])
    expect(heardB.ids).toEqual(['1-1', '1-2', '1-3', '1-4', '1-5', '1-6'])
    expect(a.state).toEqual({ type: 'ended', kind: 'stopped' })
  })

  test('two of one run, from two places, each get what is theirs', async () => {
    const { s, hub } = hubOf()
    await s.begin(undefined, 'run_a')
    const early = hear(hub.follow('run_a'))
    await meanwhile(s.time)
    const late = hear(hub.follow('run_a', { after: { epoch: 1, seq: 2 } }))
    const later = hear(hub.follow('run_a'))
    await meanwhile(s.time)
    await s.log.append('run_a', 1, runEnds)
    await until(s.time, Promise.all([early.done, late.done, later.done]))
    expect(early.ids).toEqual(allIds.slice(0, 6))
    expect(late.ids).toEqual(allIds.slice(2, 6))
    expect(later.ids).toEqual(allIds.slice(0, 6))
    // A place that the server did not give is asked for alone, then both together from the one that is furthest behind.
    expect(s.asked).toEqual(['/v1/events?run=run_a', '/v1/events?run=run_a%401-2', '/v1/events?run=run_a'])
  })

  test('more than 64 runs take a second connection', async () => {
    const { s, hub } = hubOf()
    const ids = names(70)
    for (const id of ids) await s.begin(undefined, id)
    const heard = ids.map((id) => hear(hub.follow(id)))
    await meanwhile(s.time)
    expect(s.open).toEqual({ now: 2, most: 2 })
    for (const id of ids) await s.log.append(id, 1, runEnds)
    await until(s.time, Promise.all(heard.map(({ done }) => done)))
    expect(heard.map((one) => one.ids)).toEqual(ids.map(() => allIds.slice(0, 6)))
  })

  test('all of them end when the hub is closed, and none begins after', async () => {
    const { s, hub } = hubOf()
    await s.begin(undefined, 'run_a')
    const following = hub.follow('run_a')
    const heard = hear(following)
    await meanwhile(s.time)
    hub.close()
    await heard.done
    expect(following.state).toEqual({ type: 'ended', kind: 'stopped' })
    const after = hear(hub.follow('run_a'))
    await after.done
    expect(after.ids).toEqual([])
    await meanwhile(s.time)
    expect([s.open.now, s.server.readers, s.time.pending]).toEqual([0, 0, 0])
  })
})

describe('a connection that breaks', () => {
  test('after any byte: each run gives every event once', async () => {
    const { s, hub } = hubOf()
    const ids = ['run_a', 'run_b']
    for (const id of ids) await s.begin(whole, id)
    const { length } = await (await s.ask(`/v1/events?run=run_a&run=run_b`)).text()
    expect(length).toBeGreaterThan(2_000)
    for (let at = 1; at < length; at += 3) {
      let cut = false
      s.damage = (stream) => {
        if (cut) return stream
        cut = true
        return cutAt(stream, at)
      }
      const heard = ids.map((id) => hear(hub.follow(id)))
      await until(s.time, Promise.all(heard.map(({ done }) => done)))
      expect(heard.map((one) => [one.ids, one.error])).toEqual(ids.map(() => [allIds, undefined]))
    }
  })

  test('a control: without the hub, a cut loses what came behind it, and says so', async () => {
    const { s } = hubOf()
    await s.begin(whole, 'run_a')
    s.damage = (stream) => cutAt(stream, 900)
    const seen: number[] = []
    const reading = (async () => {
      for await (const records of s.client.multiplex(new Map([['run_a', { epoch: 1, seq: 0 }]]))) {
        for (const record of records) if (record.type === 'batch') seen.push(record.batch.last)
      }
    })()
    await expect(reading).rejects.toMatchObject({ code: 'network', reason: 'stream_eof_before_done' })
    expect(seen.at(-1)).toBeLessThan(10)
  })

  test('an event that is lost on the way is noticed, and fetched', async () => {
    const { s, hub } = hubOf()
    await s.begin(whole, 'run_a')
    await s.begin(whole, 'run_b')
    s.damage = (stream, n) => (n > 0 ? stream : without(stream, 'run_a@1-5'))
    const heard = ['run_a', 'run_b'].map((id) => hear(hub.follow(id)))
    await until(s.time, Promise.all(heard.map(({ done }) => done)))
    expect(heard.map((one) => one.ids)).toEqual([allIds, allIds])
  })

  test('is told to every following, with its wait, until it is there again', async () => {
    const { s, hub } = hubOf()
    await s.begin(undefined, 'run_a')
    const following = hub.follow('run_a')
    const states: unknown[] = []
    following.subscribe(() => states.push(following.state))
    const heard = hear(following)
    await meanwhile(s.time)
    s.answer = () => Promise.reject(new TypeError('fetch failed'))
    // The next tries meet nobody.
    cutAll(s)
    await meanwhile(s.time, 400)
    s.answer = undefined
    await s.log.append('run_a', 1, runEnds)
    await until(s.time, heard.done)
    expect(heard.ids).toEqual(allIds.slice(0, 6))
    const kinds = states.map((state) => (state as { type: string }).type)
    expect(kinds[0]).toBe('catching-up')
    expect(kinds).toContain('connecting')
    expect(kinds.at(-1)).toBe('ended')
    const waits = states.flatMap((state) => (state as { waitMs?: number }).waitMs ?? [])
    expect(waits.slice(0, 3)).toEqual([0, 250, 500])
  })
})

/** Breaks all streams that are open. */
function cutAll(s: Served): void {
  for (const cut of s.cut.splice(0)) cut()
}

/** A stream that lacks one frame. */
function without(stream: ReadableStream<Uint8Array>, id: string): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>({
    async start(controller) {
      const text = await new Response(stream).text()
      const frames = text.split(/(?<=\n\n)/)
      const left = frames.filter((frame) => !frame.startsWith(`id: ${id}\n`))
      if (left.length !== frames.length - 1) throw new Error(`there is no frame ${id}`)
      controller.enqueue(new TextEncoder().encode(left.join('')))
      controller.close()
    },
  })
}

describe('what is refused', () => {
  test('for one run ends its following, and the others go on', async () => {
    const { s, hub } = hubOf()
    await s.begin(whole, 'run_a')
    const cases: [run: string, seq: number, expected: object][] = [
      ['nope', 0, { code: 'not_found', reason: 'run_unknown', status: 404 }],
      ['run_a', 99, { code: 'invalid_request', reason: 'cursor_future', status: 409 }],
    ]
    for (const [run, seq, expected] of cases) {
      const following = hub.follow(run, { after: { epoch: 1, seq } })
      const [bad, good] = [hear(following), hear(hub.follow('run_a'))]
      await until(s.time, Promise.all([bad.done, good.done]))
      expect(bad.error).toMatchObject(expected)
      expect(following.state).toMatchObject({ type: 'ended', kind: 'error', error: expected })
      expect([good.ids, good.error]).toEqual([allIds, undefined])
    }
  })

  test('for entries that are no longer stored ends a following, with the way out in its message', async () => {
    const { s, hub } = hubOf()
    await s.begin(whole, 'run_a')
    await s.log.prune({ maxBytes: 0 })
    const heard = hear(hub.follow('run_a'))
    await until(s.time, heard.done)
    expect(heard.error).toMatchObject({ code: 'not_found', reason: 'cursor_expired', status: 410 })
  })

  test('for one cursor of a run does not end a following of it from another', async () => {
    const { s, hub } = hubOf()
    await s.begin(undefined, 'run_a')
    const good = hear(hub.follow('run_a'))
    await meanwhile(s.time)
    // Of an epoch that there never was, and further behind than the other.
    const bad = hear(hub.follow('run_a', { after: { epoch: 7, seq: 1 } }))
    await meanwhile(s.time)
    await s.log.append('run_a', 1, runEnds)
    await until(s.time, Promise.all([good.done, bad.done]))
    expect(bad.error).toMatchObject({ code: 'invalid_request', status: 409 })
    expect([good.ids, good.error]).toEqual([allIds.slice(0, 6), undefined])
  })

  test('as a whole ends all of them, and those who watch are told', async () => {
    const { s, hub } = hubOf()
    await s.begin(undefined, 'run_a')
    const problem = { code: 'unauthorized', reason: 'token_wrong', detail: 'no', temporary: false }
    s.answer = () => Response.json(problem, { status: 401 })
    const changes: RunChange[] = []
    hub.watch((change) => changes.push(change))
    const heard = hear(hub.follow('run_a'))
    await until(s.time, heard.done)
    expect(heard.error).toMatchObject({ code: 'unauthorized', reason: 'token_wrong' })
    expect(changes).toEqual([{ type: 'refused', error: heard.error }])
    await meanwhile(s.time)
    expect(s.asked).toHaveLength(1)
  })
})

test('one who reads too slowly keeps no more than a limit, holds up nobody, and misses nothing', async () => {
  const { s, hub } = hubOf()
  for (const id of ['run_a', 'run_b']) await s.begin(undefined, id)
  const slow = hub.follow('run_a').batches()[Symbol.asyncIterator]()
  const ids: number[] = []
  const take = async () => {
    const { done, value } = await slow.next()
    if (!done && value instanceof Batch) ids.push(...value.entries.map(({ seq }) => seq))
    return !done
  }
  const first = take()
  await until(s.time, first)
  const other = hear(hub.follow('run_b'))
  const many = texts(16, 'x'.repeat(64 * 1024))
  for (let n = 0; n < 6; n++) {
    for (const id of ['run_a', 'run_b']) await s.log.append(id, 1, many)
    await meanwhile(s.time, 20)
  }
  for (const id of ['run_a', 'run_b']) await s.log.append(id, 1, runEnds)
  await until(s.time, other.done)
  expect(other.ids).toHaveLength(3 + 6 * 16 + 3)
  expect(ids).toEqual([1, 2, 3])
  const before = s.asked.length
  const rest = (async () => {
    while (await take());
  })()
  await until(s.time, rest)
  expect(ids).toEqual(Array.from({ length: 3 + 6 * 16 + 3 }, (_, i) => i + 1))
  // What was not kept was asked for again.
  expect(s.asked.length).toBeGreaterThan(before)
}, 60_000)

describe('watching', () => {
  test('tells of runs that begin and end, and where it begins, also anew', async () => {
    const { s, hub } = hubOf()
    const changes: string[] = []
    const note = (change: RunChange) =>
      changes.push(change.type === 'run' ? `${change.run.run_id} ${change.run.status}` : change.type)
    const stop = hub.watch(note)
    await meanwhile(s.time)
    expect([changes, s.asked]).toEqual([['watching'], ['/v1/events?watch=1']])
    const run = await s.runtime.start({ prompt: 'Hi' })
    await ended(s, run.id)
    await meanwhile(s.time)
    expect(changes.slice(1)).toEqual([`${run.id} running`, `${run.id} completed`])
    cutAll(s)
    await meanwhile(s.time)
    expect(changes.slice(3)).toEqual(['watching'])
    stop()
    await meanwhile(s.time)
    expect([s.open.now, s.time.pending]).toEqual([0, 0])
  })

  test('one who comes later is told that it watches, without another connection', async () => {
    const { s, hub } = hubOf()
    hub.watch(() => {})
    await meanwhile(s.time)
    const changes: RunChange[] = []
    hub.watch((change) => changes.push(change))
    await meanwhile(s.time)
    expect([changes, s.asked.length]).toEqual([[{ type: 'watching' }], 1])
    hub.close()
  })
})
