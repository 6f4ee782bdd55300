/** Other processes at a store, as tests start them. */
import type { ChildProcessByStdio } from 'node:child_process'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Readable } from 'node:stream'
import { execPath } from 'node:process'
import { fileURLToPath } from 'node:url'
import { afterEach } from 'vitest'
import type { Durability } from '../../src/core/event.ts'
import type { SqliteLogOptions } from '../../src/logs/sqlite.ts'

export interface Child {
  readonly process: ChildProcessByStdio<null, Readable, null>
  /** Whole lines printed so far; complete once `ended` has resolved. */
  readonly lines: string[]
  /** Resolves when this many lines were printed, or the process has ended. */
  printed(count: number): Promise<void>
  /** Exit status, or the signal that killed it. */
  readonly ended: Promise<number | NodeJS.Signals>
}

/** What `writer.js` is to do; the comments and defaults are there. */
export interface WriterTask {
  readonly path: string
  readonly options?: SqliteLogOptions
  readonly name?: string
  readonly durability?: Durability
  readonly runs?: number
  readonly entries?: number
  readonly openings?: number
  readonly early?: boolean
  readonly end?: boolean
}

export interface TestProcesses {
  /** Starts one of the scripts in this folder. `command` goes before `node`. */
  readonly start: (script: string, settings: object, command?: readonly string[]) => Child
  readonly startWriter: (task: WriterTask, command?: readonly string[]) => Child
}

/** To be called once in a test file. A test that fails leaves no child behind that waits for ever. */
export function testProcesses(): TestProcesses {
  const running = new Set<Child>()
  afterEach(async () => {
    for (const child of running) child.process.kill('SIGKILL')
    await Promise.all([...running].map(({ ended }) => ended))
  })

  function start(script: string, settings: object, command: readonly string[] = []): Child {
    const file = fileURLToPath(new URL(script, import.meta.url))
    const [program, ...args] = [...command, execPath]
    const process = spawn(program, [...args, file, JSON.stringify(settings)], { stdio: ['ignore', 'pipe', 'inherit'] })
    const lines: string[] = []
    let rest = ''
    let wake: (() => void) | undefined
    process.stdout.setEncoding('utf8').on('data', (text: string) => {
      const parts = (rest + text).split('\n')
      rest = parts.pop()!
      lines.push(...parts)
      wake?.()
    })
    const ended = once(process, 'close').then(([status, signal]: (number | NodeJS.Signals)[]) => {
      running.delete(child)
      wake?.()
      return status ?? signal!
    })
    const child: Child = {
      process,
      lines,
      ended,
      async printed(count) {
        while (lines.length < count && running.has(child)) await new Promise<void>((resolve) => (wake = resolve))
      },
    }
    running.add(child)
    return child
  }

  return { start, startWriter: (task, command) => start('writer.js', task, command) }
}
