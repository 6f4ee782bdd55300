import { spawn } from 'node:child_process'
import { readFileSync, readdirSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { defaultHttpLimits } from '../../src/servers/http/limits.ts'
import { scratchHome, startDaemon, type Daemon } from './daemon.ts'

const COUNT = 10_000
const MIB = 1024 * 1024

const home = scratchHome()
let daemon: Daemon
beforeAll(async () => {
  daemon = await startDaemon(home)
})
afterAll(async () => {
  await daemon.stop()
  home.remove()
})

/** Bytes of memory that the daemon's process takes. */
const memory = () => Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${daemon.pid}/status`, 'utf8'))?.[1]) * 1024

/** Sockets that the daemon's process has open. */
function sockets(): number {
  const folder = `/proc/${daemon.pid}/fd`
  return readdirSync(folder).filter((fd) => {
    try {
      return readlinkSync(join(folder, fd)).startsWith('socket:')
    } catch {
      // Closed since the folder was read.
      return false
    }
  }).length
}

/** Has 10,000 connections opened that say `text` and no more. */
function besiege(text: string): { readonly open: Promise<void>; isOpen(): boolean; end(): Promise<void> } {
  const { port } = new URL(daemon.url)
  const script = join(import.meta.dirname, 'siege.js')
  const child = spawn(process.execPath, [script, port, String(COUNT), text], { stdio: ['ignore', 'pipe', 'inherit'] })
  let isOpen = false
  const open = new Promise<void>((resolve, reject) => {
    child.stdout.once('data', () => {
      isOpen = true
      resolve()
    })
    child.once('exit', () => reject(new Error('the siege ended')))
  })
  open.catch(() => {})
  return {
    open,
    isOpen: () => isOpen,
    end: () =>
      new Promise((resolve) => {
        child.once('exit', () => resolve())
        child.kill('SIGKILL')
      }),
  }
}

/** What a client does that has the token: starts a run, and reads it to its end. */
async function answer(): Promise<string> {
  const response = await daemon.fetch('/v1/runs', {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'text/event-stream', connection: 'close' },
    body: JSON.stringify({ model: 'sim', prompt: 'Hi' }),
  })
  return response.text()
}

const kinds: [name: string, text: (host: string) => string][] = [
  ['say nothing', () => ''],
  ['never end their headers', (host) => `GET /v1/runs HTTP/1.1\r\nHost: ${host}\r\nX-Long: ${'x'.repeat(8_000)}`],
  [
    'never send their body',
    (host) =>
      `POST /v1/runs HTTP/1.1\r\nHost: ${host}\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\n\r\n{`,
  ],
]
describe.skipIf(process.platform !== 'linux')('10,000 connections that show nothing', () => {
  for (const [name, text] of kinds) {
    test(`and ${name} are cut down to a bound, and a client with the token is served among them`, async () => {
      const whole = await answer()
      const before = memory()
      const siege = besiege(text(new URL(daemon.url).host))
      try {
        let answers = 0
        do {
          const said = await answer()
          expect(said.match(/^event: .*$/gm)).toEqual(whole.match(/^event: .*$/gm))
          answers++
        } while (!siege.isOpen() || answers < 3)
        await siege.open
        await expect.poll(sockets, { timeout: 20_000 }).toBeLessThanOrEqual(defaultHttpLimits.maxStrangers + 64)
        // What it takes varies with the collector: 30 to 80 MiB. All 10,000 with their 8 KB would be far beyond it.
        expect((memory() - before) / MIB).toBeLessThanOrEqual(128)
      } finally {
        await siege.end()
      }
    })
  }
})
