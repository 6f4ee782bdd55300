import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/** What a child process can be asked to do. What goes in and comes out is copied on the way. */
export type Procedures = Readonly<Record<string, (...input: never[]) => unknown>>

export interface Child<P extends Procedures> {
  /** Rejects with what the procedure threw, and when the process ends before it answers. */
  call<Name extends keyof P & string>(name: Name, ...input: Parameters<P[Name]>): Promise<Awaited<ReturnType<P[Name]>>>
  /** Resolves when the process is gone. Connections of others to it break. */
  stop(): Promise<void>
}

export interface ChildOptions {
  /** Path of the module below this folder, as compiled: `load/main.js`. */
  readonly module: string
  /** Where to write a CPU profile of each thread when the process ends. */
  readonly profileFolder?: string | undefined
}

interface Question {
  readonly id: number
  readonly name: string
  readonly input: unknown[]
}

type Reply = { readonly id: number; readonly result: unknown } | { readonly id: number; readonly error: string }

/** Starts a process that answers with `answer` below. */
export function startChild<P extends Procedures>({ module, profileFolder }: ChildOptions): Child<P> {
  const profiling = profileFolder === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profileFolder}`]
  const file = fileURLToPath(new URL(module, import.meta.url))
  const child = fork(file, { execArgv: profiling, serialization: 'advanced' })
  const waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>()
  let asked = 0

  child.on('message', (message) => {
    const reply = message as Reply
    const asker = waiting.get(reply.id)
    waiting.delete(reply.id)
    if ('error' in reply) asker?.reject(new Error(`${module}: ${reply.error}`))
    else asker?.resolve(reply.result)
  })
  const gone = new Promise<void>((resolve) => {
    child.on('exit', (code, signal) => {
      const error = new Error(`${module} ended (${signal ?? code}) before it answered`)
      for (const asker of waiting.values()) asker.reject(error)
      resolve()
    })
  })

  return {
    call: (name, ...input) =>
      new Promise((resolve, reject) => {
        const question: Question = { id: ++asked, name, input }
        waiting.set(question.id, { resolve, reject })
        child.send(question, (error) => {
          if (error) reject(error)
        })
      }),
    stop() {
      if (child.connected) child.disconnect()
      return gone
    },
  }
}

/** The child's side. The process ends when its parent lets go of it, after `close`. */
export function answer(procedures: Procedures, close: () => Promise<void> = async () => {}): void {
  process.on('message', (message) => {
    const { id, name, input } = message as Question
    const procedure = procedures[name] as ((...input: unknown[]) => unknown) | undefined
    Promise.resolve()
      .then(() => {
        if (!procedure) throw new Error(`there is no procedure ${name}`)
        return procedure(...input)
      })
      .then(
        (result) => send({ id, result }),
        (error: unknown) =>
          send({ id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
      )
  })
  process.on('disconnect', () => void close().finally(() => process.exit()))
}

function send(message: Reply): void {
  process.send?.(message)
}
