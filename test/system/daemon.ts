import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve as resolvePath } from 'node:path'
import { createInterface } from 'node:readline'

/** The built program: what a user runs. */
export const program = resolvePath(import.meta.dirname, '../../dist/cli/main.js')

/** A home of its own under the temporary folder, so that no test meets the files of a user or of another test. */
export interface Home {
  readonly path: string
  readonly env: NodeJS.ProcessEnv
  remove(): void
}

export function scratchHome(env: NodeJS.ProcessEnv = {}): Home {
  const path = mkdtempSync(join(tmpdir(), 'runlet-test-'))
  const { OPENAI_API_KEY: _, OPENAI_BASE_URL: __, OLLAMA_HOST: ___, RUNLET_MODEL: ____, ...inherited } = process.env
  return {
    path,
    env: { ...inherited, NO_COLOR: '1', ...env, RUNLET_HOME: path },
    remove: () => rmSync(path, { recursive: true, force: true, maxRetries: 3 }),
  }
}

export interface Daemon {
  readonly url: string
  readonly pid: number
  readonly token: string
  /** A request with the daemon's token. */
  fetch(path: string, init?: RequestInit): Promise<Response>
  /** SIGKILL; resolves once it is gone. */
  kill(): Promise<void>
  /** SIGTERM; resolves with its exit status. */
  stop(): Promise<number | null>
  /** What it said on stderr so far. */
  readonly stderr: string
}

/** Starts `runlet serve` and waits for the line that says where it listens. `wrap` is put before the command. */
export async function startDaemon(
  home: Home,
  { args = [], wrap = [] }: { readonly args?: readonly string[]; readonly wrap?: readonly string[] } = {},
): Promise<Daemon> {
  const [command, ...rest] = [...wrap, process.execPath, program, 'serve', '--port', '0', ...args]
  const child = spawn(command!, rest, { env: home.env, cwd: home.path, stdio: ['ignore', 'pipe', 'pipe'] })
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  const url = await listening(child, () => stderr)
  const token = readFileSync(join(home.path, 'token'), 'utf8').trim()
  // Under a wrapper (strace) the daemon is its child; the file tells the daemon's own pid.
  const pid = Number(JSON.parse(readFileSync(join(home.path, 'daemon.json'), 'utf8')).pid)
  return {
    url,
    pid,
    token,
    get stderr() {
      return stderr
    },
    fetch: (path, init = {}) => {
      const headers = new Headers(init.headers)
      headers.set('authorization', `Bearer ${token}`)
      return fetch(url + path, { ...init, headers })
    },
    kill: () => ended(child, pid, 'SIGKILL').then(() => undefined),
    stop: () => ended(child, pid, 'SIGTERM'),
  }
}

function listening(child: ChildProcess, stderr: () => string): Promise<string> {
  return new Promise((resolve, reject) => {
    const lines = createInterface({ input: child.stdout! })
    lines.once('line', (line) => {
      const url = /^runlet listening on (http\S+)$/.exec(line)?.[1]
      if (url) resolve(url)
      else reject(new Error(`serve said ${JSON.stringify(line)} first`))
    })
    child.once('exit', (code) => reject(new Error(`serve left with ${code}: ${stderr()}`)))
  })
}

function ended(child: ChildProcess, pid: number, signal: NodeJS.Signals): Promise<number | null> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) return resolve(child.exitCode)
    child.once('exit', (code) => resolve(code))
    process.kill(pid, signal)
  })
}

/** Runs the program to its end. */
export function runlet(
  home: Home,
  args: readonly string[],
  { input = '' }: { readonly input?: string } = {},
): Promise<{ readonly status: number | null; readonly stdout: string; readonly stderr: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [program, ...args], { env: home.env, cwd: home.path })
    let stdout = ''
    let stderr = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
    child.once('error', reject)
    child.once('close', (status) => resolve({ status, stdout, stderr }))
    child.stdin.end(input)
  })
}
