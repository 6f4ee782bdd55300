/** The built program as a user runs it: in processes of their own, with a home of their own. */
import type { ChildProcessWithoutNullStreams } from 'node:child_process'
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { RunHeader } from '../../src/core/log.ts'

export const main = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))
if (!existsSync(main)) throw new Error('the command line is tested as it is built: run "npm run build" first')

/** A test with a home of its own, for `test.concurrent`: most of its time is processes that start, or wait for a model. */
export function withCli(body: (cli: Bench) => Promise<void>): () => Promise<void> {
  return async () => {
    const cli = bench()
    try {
      await body(cli)
    } finally {
      await cli.close()
    }
  }
}

export interface Finished {
  readonly stdout: string
  readonly stderr: string
  readonly status: number | null
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>
  /** What stdin holds. Default: nothing, and its end. */
  readonly input?: string | Uint8Array
  readonly cwd?: string
}

export interface Started {
  readonly child: ChildProcessWithoutNullStreams
  readonly done: Promise<Finished>
  /** Resolves once stdout holds the text; rejects if the program ends before. */
  said(text: string): Promise<void>
  /** Resolves once stderr has a log line with the code; rejects if the program ends before. */
  logged(code: string): Promise<void>
  /** What it said so far. */
  stdout(): string
}

/** A home under the temporary folder, and everything that is started with it. */
export interface Bench {
  readonly home: string
  start(args: readonly string[], options?: RunOptions): Started
  run(args: readonly string[], options?: RunOptions): Promise<Finished>
  /** A line for `sh`, in which `runlet` is the program. */
  shell(line: string, options?: RunOptions): Promise<Finished>
  /** What `runs --json` lists. */
  runs(): Promise<(Omit<RunHeader, 'cursor'> & { cursor: string })[]>
  /** A daemon on a free port; resolves with its URL. */
  serve(args?: readonly string[], options?: RunOptions): Promise<Started & { readonly url: string }>
  /** Ends what still runs, and removes the home. */
  close(): Promise<void>
}

function bench(): Bench {
  const home = mkdtempSync(join(tmpdir(), 'runlet-cli-'))
  const running = new Set<Started>()

  function launch(command: string, args: readonly string[], { env = {}, input, cwd = home }: RunOptions = {}): Started {
    const child = spawn(command, args, { cwd, env: { ...environment(home), ...env } })
    const started = watch(child)
    running.add(started)
    void started.done.then(() => running.delete(started))
    // A program that does not read its input may be gone before it is written.
    child.stdin.on('error', () => {})
    child.stdin.end(input)
    return started
  }

  const start: Bench['start'] = (args, options) => launch(process.execPath, [main, ...args], options)
  const run: Bench['run'] = (args, options) => start(args, options).done

  return {
    home,
    start,
    run,
    shell: (line, options) =>
      launch('bash', ['-c', `runlet() { '${process.execPath}' '${main}' "$@"; }; ${line}`], options).done,
    async runs() {
      const { stdout } = await run(['runs', '--json', '--limit', '1000'])
      return stdout
        .split('\n')
        .slice(0, -1)
        .map((line) => JSON.parse(line))
    },
    async serve(args = [], options = {}) {
      const started = start(['serve', '--port', '0', ...args], options)
      await started.said('\n')
      const url = /^runlet listening on (http\S+)\n/.exec(started.stdout())?.[1]
      if (url === undefined) throw new Error('the first line of "serve" is not what it should be')
      return { ...started, url }
    },
    async close() {
      for (const { child } of running) child.kill('SIGKILL')
      await Promise.all([...running].map(({ done }) => done))
      rmSync(home, { recursive: true, force: true, maxRetries: 3 })
    },
  }
}

/** Nothing of the user who runs the tests: no keys, no Ollama, no terminal. */
function environment(home: string): Record<string, string> {
  const { PATH = '' } = process.env
  return { PATH, HOME: home, RUNLET_HOME: home, OLLAMA_HOST: 'http://127.0.0.1:9', LANG: 'C.UTF-8' }
}

function watch(child: ChildProcessWithoutNullStreams): Started {
  let stdout = ''
  let stderr = ''
  let over = false
  const waiting = new Set<() => void>()
  const wake = () => {
    for (const look of waiting) look()
  }
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
    wake()
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
    wake()
  })
  const said = (stream: () => string, text: string) =>
    new Promise<void>((resolve, reject) => {
      const look = () => {
        if (stream().includes(text)) resolve()
        else if (over) reject(new Error(`it ended without saying ${JSON.stringify(text)}: ${stdout}${stderr}`))
        else return
        waiting.delete(look)
      }
      waiting.add(look)
      look()
    })
  const done = new Promise<Finished>((resolve) => {
    child.on('close', (code) => {
      over = true
      wake()
      resolve({ stdout, stderr, status: code })
    })
  })
  return {
    child,
    stdout: () => stdout,
    done,
    said: (text) => said(() => stdout, text),
    logged: (code) => said(() => stderr, `"code":"${code}"`),
  }
}
