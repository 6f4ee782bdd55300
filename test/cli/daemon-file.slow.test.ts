import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { DaemonRecord } from '../../src/cli/daemon.ts'
import { claimDaemon, findDaemon } from '../../src/cli/daemon.ts'

let folder: string
let path: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'runlet-daemon-'))
  path = join(folder, 'daemon.json')
})
afterEach(() => rmSync(folder, { recursive: true }))

/** Nobody listens on port 9 here; a process with number 2 ** 22 + 1 cannot be. */
const record = (pid: number, started = 1): DaemonRecord => ({
  version: 1,
  url: 'http://127.0.0.1:9',
  pid,
  started,
  store: 'runlet.db',
  cwd: '/',
  settings: '',
})
const dead = 4_194_305

const left: [name: string, text: string][] = [
  ['nothing', ''],
  ['the file of a process that died', JSON.stringify(record(dead))],
  ['the file of a process whose number another program got', JSON.stringify(record(process.pid, 0))],
  ['half a file', '{"version":1,"ur'],
  ['a file of a later version', JSON.stringify({ ...record(process.pid), version: 2 })],
]
for (const [name, text] of left) {
  test(`the place is taken over ${name}`, async () => {
    if (text) writeFileSync(path, text)
    const release = await claimDaemon(path, record(process.pid, 7))
    expect(findDaemon(path)?.started).toBe(7)
    expect(readdirSync(folder)).toEqual(['daemon.json'])
    release()
    expect(readdirSync(folder)).toEqual([])
  })
}

test('a daemon that hangs is not pushed aside', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as { port: number }
  const text = JSON.stringify({ ...record(process.pid), url: `http://127.0.0.1:${port}` })
  writeFileSync(path, text)
  await expect(claimDaemon(path, record(dead))).rejects.toMatchObject({ code: 'forbidden', reason: 'daemon_running' })
  server.close()
  expect(readFileSync(path, 'utf8')).toBe(text)
  expect(readdirSync(folder)).toEqual(['daemon.json'])
})

test('whoever gives up removes only a file of its own', async () => {
  const release = await claimDaemon(path, record(process.pid))
  writeFileSync(path, JSON.stringify(record(dead)))
  release()
  expect(readdirSync(folder)).toEqual(['daemon.json'])
})
