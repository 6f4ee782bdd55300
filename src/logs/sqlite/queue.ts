import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { Worker } from 'node:worker_threads'
import { RunletError } from '../../core/error.ts'
import { storeClosed } from '../errors.ts'
import { storeError } from './errors.ts'
import type { GroupAnswer, Outcome, ToWriter, Write, WriteGroup, WriterSettings } from './group.ts'

/** A write on its way, and who is told of its fate. */
export interface Pending {
  readonly write: Write
  readonly sync: boolean
  /** Readers have it already: it is tried again when the file was locked. */
  readonly behind?: boolean
  done(outcome: Outcome | undefined): void
  /** It is not stored. */
  fail(error: RunletError): void
}

export interface QueueOptions extends WriterSettings {
  /** Another process wrote to the file. */
  readonly onOthers: () => void
  /** Nothing will be stored any more. */
  readonly onStop: (error: RunletError) => void
}

/** Most writes, and most characters, of one group: it bounds how long a commit takes. */
const GROUP_WRITES = 2048
const GROUP_CHARS = 4_194_304

/**
 * Collects what all runs write and hands it to the writer thread, one group at a time: while one is being committed,
 * the next gathers. So a lone write leaves at once, and a thousand runs share one sync.
 */
export class WriteQueue {
  readonly #options: QueueOptions
  #worker: Worker | undefined
  #waiting: Pending[] = []
  #flying: readonly Pending[] | undefined
  #scheduled = false
  #error: RunletError | undefined
  #stopped = false
  #idle: (() => void) | undefined
  /** Characters of lines that are not committed yet. */
  backlog = 0

  constructor(options: QueueOptions) {
    this.#options = options
  }

  /** Why writes are refused, if they are. */
  get error(): RunletError | undefined {
    return this.#error
  }

  /** True once a write failed for good. */
  get stopped(): boolean {
    return this.#stopped
  }

  push(pending: Pending): void {
    if (this.#error) return pending.fail(this.#error)
    this.#waiting.push(pending)
    this.backlog += charsOf(pending)
    if (this.#flying || this.#scheduled) return
    this.#scheduled = true
    // Behind everything that this turn of the loop still appends, however many promises it goes through.
    process.nextTick(() => {
      this.#scheduled = false
      if (!this.#flying) this.#post()
    })
  }

  /** The outcome of one write that nobody else needs to hear of. */
  write(write: Write, { sync }: { readonly sync: boolean }): Promise<Outcome | undefined> {
    return new Promise((resolve, reject) => {
      this.push({ write, sync, done: resolve, fail: reject })
    })
  }

  /** Waits for the writes under way; refuses further ones from then on. */
  async drain(): Promise<void> {
    if (this.#flying || this.#waiting.length > 0) await new Promise<void>((resolve) => (this.#idle = resolve))
    this.#error ??= storeClosed()
  }

  /** Ends the thread, which closes the file. To be called after `drain`. */
  async close(): Promise<void> {
    const worker = this.#worker
    if (!worker) return
    this.#worker = undefined
    worker.ref()
    const exit = new Promise<void>((resolve) => void worker.once('exit', () => resolve()))
    worker.postMessage('close' satisfies ToWriter)
    await exit
  }

  #post(): void {
    const group = this.#take()
    if (group.length === 0) {
      this.#worker?.unref()
      return
    }
    this.#worker ??= this.#start()
    this.#worker.ref()
    this.#flying = group
    const message: WriteGroup = {
      sync: group.some(({ sync }) => sync),
      writes: group.map(({ write }) => write),
    }
    this.#worker.postMessage(message satisfies ToWriter)
  }

  #take(): Pending[] {
    let chars = 0
    let count = 0
    while (count < this.#waiting.length && count < GROUP_WRITES && chars < GROUP_CHARS) {
      chars += charsOf(this.#waiting[count++]!)
    }
    return this.#waiting.splice(0, count)
  }

  #start(): Worker {
    const { path, busyTimeoutMs, maxFileBytes } = this.#options
    const settings: WriterSettings = { path, busyTimeoutMs, ...(maxFileBytes === undefined ? {} : { maxFileBytes }) }
    // Flags of the process are not for its threads: some are refused (`--expose-gc`), and `--input-type` speaks of a
    // program given with `-e`.
    const worker = new Worker(writerFile(), { workerData: settings, execArgv: [] })
    worker.on('message', (answer: GroupAnswer) => this.#answered(answer))
    worker.on('error', (cause) => this.#stop(storeError(path, cause)))
    worker.on('exit', () => {
      if (this.#worker !== worker) return
      this.#worker = undefined
      if (!this.#stopped) this.#stop(storeError(path, new Error('the writer thread has ended')))
    })
    return worker
  }

  #answered(answer: GroupAnswer): void {
    const group = this.#flying!
    this.#flying = undefined
    if (answer.type === 'failed') return this.#failed(group, answer)
    for (const pending of group) this.backlog -= charsOf(pending)
    // The thread gets the next group before this one's readers are served.
    this.#post()
    const outcomes = new Map(answer.outcomes)
    group.forEach((pending, index) => pending.done(outcomes.get(index)))
    if (answer.others) this.#options.onOthers()
    if (!this.#flying) this.#idle?.()
  }

  #failed(group: readonly Pending[], { errcode, text, stopped }: Extract<GroupAnswer, { type: 'failed' }>): void {
    const error = storeError(this.#options.path, Object.assign(new Error(text), { errcode }))
    if (stopped) {
      this.#flying = group
      return this.#stop(error)
    }
    // Only a lock was in the way: what was not promised to anyone is refused, the rest goes with the next group.
    const refused = group.filter(({ behind }) => !behind)
    for (const pending of refused) this.backlog -= charsOf(pending)
    this.#waiting.unshift(...group.filter(({ behind }) => behind))
    this.#post()
    for (const pending of refused) pending.fail(error)
    if (!this.#flying) this.#idle?.()
  }

  #stop(error: RunletError): void {
    if (this.#stopped) return
    this.#stopped = true
    this.#error ??= error
    const lost = [...(this.#flying ?? []), ...this.#waiting]
    this.#flying = undefined
    this.#waiting = []
    this.backlog = 0
    this.#worker?.unref()
    for (const pending of lost) pending.fail(error)
    this.#options.onStop(error)
    this.#idle?.()
  }
}

function charsOf({ write }: Pending): number {
  return 'batch' in write ? write.batch.lines.length : 0
}

/** The thread runs compiled JavaScript, also when this file is run from source. */
function writerFile(): string {
  const file = createRequire(import.meta.url).resolve('#sqlite-writer')
  if (existsSync(file)) return file
  throw new RunletError('internal', {
    reason: 'not_built',
    temporary: false,
    message: `${file} is missing; run "npm run build" first`,
  })
}
