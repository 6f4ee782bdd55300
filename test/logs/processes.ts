/** Other processes at a store, as tests start them. */
import type { ChildProcessByStdio } from 'node:child_process'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
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

export const startWriter = (task: WriterTask, command: readonly string[] = []) => start('writer.js', task, command)

/** Starts one of the scripts in this folder. `command` goes before `node`. */
export function start(script: string, settings: object, command: readonly string[] = []): Child {
  const file = fileURLToPath(new URL(script, import.meta.url))
  const [program, ...before] = [...command, process.execPath]
  const child = spawn(program, [...before, file, JSON.stringify(settings)], { stdio: ['ignore', 'pipe', 'inherit'] })
  const lines: string[] = []
  let rest = ''
  let wake: (() => void) | undefined
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    const parts = (rest + text).split('\n')
    rest = parts.pop()!
    lines.push(...parts)
    wake?.()
  })
  const state = { over: false }
  const ended = once(child, 'close').then(([status, signal]: (number | NodeJS.Signals)[]) => {
    state.over = true
    wake?.()
    return status ?? signal!
  })
  return {
    process: child,
    lines,
    ended,
    async printed(count) {
      while (lines.length < count && !state.over) await new Promise<void>((resolve) => (wake = resolve))
    },
  }
}
