import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync, rmSync, chmodSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createToken } from '../../src/servers/http/auth/token.ts'
import { runlet, scratchHome, startDaemon, type Daemon } from '../system/daemon.ts'

const home = scratchHome()
let daemon: Daemon
beforeAll(async () => {
  daemon = await startDaemon(home, { args: ['--name', 'runlet.example.org'] })
})
afterAll(async () => {
  await daemon.stop()
  home.remove()
})

const file = join(home.path, 'token')
const held = () => readFileSync(file, 'utf8').trim()
const session = (token: string) =>
  fetch(`${daemon.url}/v1/page/session`, { headers: { authorization: `Bearer ${token}` } })

/** Logs in as the page does. */
const login = (link: string, origin = daemon.url) =>
  fetch(`${daemon.url}/v1/page/login`, {
    method: 'POST',
    headers: { origin, 'content-type': 'application/json' },
    body: JSON.stringify({ code: link.trim().split('#login=')[1] }),
  })

/** Resolves when the daemon answers a token so; it looks at its file twice a second. */
async function until(token: string, status: number): Promise<void> {
  while ((await session(token)).status !== status);
}

test('runlet page prints one line, a link that lets in once', async () => {
  const { status, stdout, stderr } = await runlet(home, ['page'])
  expect([status, stderr]).toEqual([0, ''])
  expect(stdout).toMatch(new RegExp(`^${daemon.url}/#login=[\\w-]{43}\n$`))
  expect((await login(stdout)).status).toBe(204)
  expect((await login(stdout)).status).toBe(403)
})

test('runlet page --url names the way that the browser takes', async () => {
  const { stdout } = await runlet(home, ['page', '--url', 'https://runlet.example.org'])
  expect(stdout).toMatch(/^https:\/\/runlet\.example\.org\/#login=[\w-]{43}\n$/)
  expect((await login(stdout)).status).toBe(204)
  const wrong = await runlet(home, ['page', '--url', 'runlet.example.org/path'])
  expect([wrong.status, wrong.stdout]).toEqual([2, ''])
  const stranger = await runlet(home, ['page', '--url', 'http://stranger.localhost:9'])
  expect(stranger).toMatchObject({ status: 1, stdout: '' })
  expect(stranger.stderr).toMatch(
    /^runlet: the daemon does not answer to stranger\.localhost:9: start it with --name stranger\.localhost:9, /,
  )
})

test.skipIf(process.platform !== 'linux')(
  'runlet page --open hands the link to the browser, and prints it',
  async () => {
    const [bin, seen] = [join(home.path, 'bin'), join(home.path, 'seen')]
    mkdirSync(bin)
    writeFileSync(join(bin, 'xdg-open'), `#!/bin/sh\nprintf '%s' "$*" > ${seen}.new && mv ${seen}.new ${seen}\n`, {
      mode: 0o755,
    })
    const env = { ...home.env, PATH: `${bin}:${process.env['PATH']}` }
    const { stdout } = await runlet({ ...home, env }, ['page', '--open'])
    while (!existsSync(seen)) await session(held())
    expect(`${readFileSync(seen, 'utf8')}\n`).toBe(stdout)
    const without = await runlet({ ...home, env: { ...home.env, PATH: '/nonexistent' } }, ['page', '--open'])
    expect([without.status, without.stdout.split('#')[0]]).toEqual([0, `${daemon.url}/`])
    expect(without.stderr).toBe('runlet: no browser could be opened from here; open the link in one\n')
  },
)

test('runlet page says so where no daemon runs', async () => {
  const empty = scratchHome()
  const { status, stdout, stderr } = await runlet(empty, ['page'])
  expect([status, stdout]).toEqual([1, ''])
  expect(stderr).toMatch(
    /^runlet: no daemon is running, and the page is served by one; start it with ".*runlet.* serve"|main\.js serve"/,
  )
  empty.remove()
})

test('runlet token prints what the file holds, and a daemon goes by', async () => {
  const { status, stdout } = await runlet(home, ['token'])
  expect([status, stdout]).toEqual([0, `${held()}\n`])
  expect((await session(stdout.trim())).status).toBe(200)
})

test('runlet token --rotate ends what the old one opened, in the daemon that runs', async () => {
  const old = held()
  const { stdout: link } = await runlet(home, ['page'])
  const { status, stdout } = await runlet(home, ['token', '--rotate'])
  expect(status).toBe(0)
  expect(held()).not.toBe(old)
  expect(statSync(file).mode & 0o777).toBe(0o600)
  for (const secret of [old, held()]) expect(stdout).not.toContain(secret)
  expect([(await session(old)).status, (await session(held())).status, (await login(link)).status]).toEqual([
    401, 200, 403,
  ])
  expect((await runlet(home, ['runs'])).status).toBe(0)
})

test('a token that is written into the file, or removed with it, is taken as it is then', async () => {
  const [old, written] = [held(), createToken()]
  writeFileSync(file, `${written}\n`)
  await until(written, 200)
  expect((await session(old)).status).toBe(401)
  rmSync(file)
  await until(written, 401)
  expect((await session(held())).status).toBe(200)
})

test('a file that holds no token, or that others may read, leaves the last one', async () => {
  const good = held()
  writeFileSync(file, 'secret\n')
  while (!daemon.stderr.includes('"token_unusable"')) await session(good)
  expect((await session(good)).status).toBe(200)
  expect(daemon.stderr).not.toContain('secret')
  chmodSync(file, 0o600)
  writeFileSync(file, `${good}\n`)
  expect((await session(good)).status).toBe(200)
})
