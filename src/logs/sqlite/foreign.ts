import { isRunletError } from '../../core/error.ts'
import type { RunId } from '../../core/event.ts'
import { LiveRun } from '../live.ts'
import { readError } from './errors.ts'
import type { StoredRuns } from './rows.ts'

/** What is kept of a run that another process appends to: enough for its readers here to share. Characters. */
const TAIL_CHARS = 4096

/** The runs of other processes that are followed here. They are read again whenever the file changed. */
export class ForeignRuns {
  readonly #path: string
  readonly #rows: StoredRuns
  readonly #lives = new Map<RunId, LiveRun>()

  constructor(path: string, rows: StoredRuns) {
    this.#path = path
    this.#rows = rows
  }

  /** How many runs are followed. */
  get size(): number {
    return this.#lives.size
  }

  /** What a reader of `run` follows. */
  get(run: RunId, last: number): LiveRun {
    return this.#lives.get(run) ?? new LiveRun(run, last, TAIL_CHARS)
  }

  /** Brings a run up to date for a reader that is about to wait, and keeps it so. */
  settle(live: LiveRun): LiveRun {
    const current = this.#lives.get(live.run) ?? live
    this.#refresh(current)
    if (!current.ended && !current.error) this.#lives.set(live.run, current)
    return current
  }

  /** Brings all runs up to date that somebody waits for, and lets go of the others. */
  refresh(): void {
    for (const live of this.#lives.values()) {
      if (live.waiting === 0) this.#lives.delete(live.run)
      else this.#refresh(live)
    }
  }

  /** Gives up a run, which is not foreign any more. */
  take(run: RunId): LiveRun | undefined {
    const live = this.#lives.get(run)
    this.#lives.delete(run)
    return live
  }

  close(): void {
    for (const live of this.#lives.values()) live.dismiss(() => true)
    this.#lives.clear()
  }

  #refresh(live: LiveRun): void {
    try {
      const row = this.#rows.row(live.run)
      const last = row?.extent.last ?? live.last
      if (row && last > live.last) {
        const records = this.#rows.step(live.run, row.no, live.last, last)
        const [batch] = records
        if (batch?.type === 'batch' && batch.last === last) live.publish(batch)
        else live.advance(last)
      }
      if (row?.status !== 'running') live.end()
    } catch (thrown) {
      live.fail(isRunletError(thrown) ? thrown : readError(this.#path, thrown))
    }
    if (live.ended || live.error) this.#lives.delete(live.run)
  }
}
