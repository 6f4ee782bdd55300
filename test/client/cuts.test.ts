import { connect as connectTo, createServer, type AddressInfo, type Socket } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { createClient } from '../../src/client/client.ts'
import { createHub } from '../../src/client/hub.ts'
import type { Following } from '../../src/client/following.ts'
import { createHttpServer } from '../../src/servers/http/server.ts'
import { lab, runEnds, texts, type Lab } from '../servers/http/lab.ts'
import { hear } from './served.ts'

const closing: (() => Promise<unknown> | void)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close()
})

/** Passes bytes on to a port, and cuts each connection behind so many bytes of its answers. */
async function proxy(target: () => number, budget: () => number) {
  const sockets = new Set<Socket>()
  let cuts = 0
  const server = createServer((near) => {
    const far = connectTo(target(), '127.0.0.1')
    let left = budget()
    for (const one of [near, far]) {
      sockets.add(one)
      one.on('error', () => {})
      one.on('close', () => {
        sockets.delete(one)
        near.destroy()
        far.destroy()
      })
    }
    near.pipe(far)
    far.on('data', (bytes: Buffer) => {
      const passed = bytes.subarray(0, left)
      left -= bytes.length
      if (left > 0) return void near.write(passed)
      cuts++
      near.write(passed, () => near.resetAndDestroy())
    })
  })
  server.listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  closing.push(() => {
    for (const socket of sockets) socket.destroy()
    return new Promise((resolve) => server.close(resolve))
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, cuts: () => cuts }
}

/** A server behind such a proxy, which can be stopped and started on its runs, each time on another port. */
async function behindProxy(l: Lab, budget: () => number) {
  let port = 0
  const { url, cuts } = await proxy(() => port, budget)
  const start = async () => {
    const open = await createHttpServer({
      runtime: l.runtime,
      token: l.token,
      port: 0,
      hosts: [new URL(url).host],
    }).listen()
    port = open.port
    return open
  }
  let open = await start()
  closing.push(() => open.close())
  return {
    url,
    cuts,
    restart: async () => {
      await open.close()
      open = await start()
    },
  }
}

/** Numbers that look random, and are the same in each run of the tests. */
function numbers(seed: number): () => number {
  let state = seed
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31
    return state / 2 ** 31
  }
}

const idsTo = (last: number) => Array.from({ length: last }, (_, i) => `1-${i + 1}`)

test('over a line that breaks behind any number of bytes, a run of 2,000 events comes whole, once and in order', async () => {
  const l = lab()
  const random = numbers(7)
  const { url, cuts } = await behindProxy(l, () => Math.floor(800 + random() * 30_000))
  await l.begin(undefined)
  const client = createClient({ baseUrl: url, token: l.token })
  const heard = hear(client.follow('run_lab', { random: () => 0 }))
  for (let n = 0; n < 200; n++) {
    await l.log.append('run_lab', 1, texts(10, `${n} `))
    if (n % 20 === 0) await new Promise<void>((resolve) => void setImmediate(resolve))
  }
  await l.log.append('run_lab', 1, runEnds)
  await heard.done
  expect(heard.error).toBe(undefined)
  expect(heard.ids).toEqual(idsTo(2_006))
  expect(cuts()).toBeGreaterThan(5)
})

test('several runs over one such line, and a server that starts again in the middle', async () => {
  const l = lab()
  const random = numbers(11)
  const { url, cuts, restart } = await behindProxy(l, () => Math.floor(1_500 + random() * 40_000))
  const names = ['run_a', 'run_b', 'run_c', 'run_d']
  for (const id of names) await l.begin(undefined, id)
  const client = createClient({ baseUrl: url, token: l.token })
  const hub = createHub(client, { random: () => 0 })
  closing.push(() => hub.close())
  const followings: Following[] = names.map((id) => hub.follow(id))
  const heard = followings.map(hear)
  for (let n = 0; n < 60; n++) {
    for (const id of names) await l.log.append(id, 1, texts(5, `${id} ${n} `))
    if (n % 10 === 0) await new Promise<void>((resolve) => void setTimeout(resolve, 1))
    if (n === 30) await restart()
  }
  for (const id of names) await l.log.append(id, 1, runEnds)
  await Promise.all(heard.map(({ done }) => done))
  for (const { ids, error } of heard) expect([ids, error]).toEqual([idsTo(306), undefined])
  for (const { state } of followings) expect(state).toMatchObject({ type: 'ended', kind: 'completed' })
  expect(cuts()).toBeGreaterThan(3)
})
