import { resolve as absolute } from 'node:path'
import type { Clock } from '../core/clock.ts'
import { systemClock } from '../core/clock.ts'
import { checkCursor } from '../core/cursor.ts'
import { isRunletError } from '../core/error.ts'
import type { RunId } from '../core/event.ts'
import type { ControlRequest, Log, RunHeader } from '../core/log.ts'
import { runEnded, runUnknown, staleOwner, storeClosed } from './errors.ts'
import { LiveRun } from './live.ts'
import { beginning, endOf, number } from './numbering.ts'
import { OwnerLock } from './owner-lock.ts'
import type { ReadSource } from './reader.ts'
import { checkKept, RunReader } from './reader.ts'
import { loadSqlite } from './sqlite/driver.ts'
import { readError } from './sqlite/errors.ts'
import { openStore } from './sqlite/file.ts'
import { ForeignRuns } from './sqlite/foreign.ts'
import type { OwnedRun } from './sqlite/owned.ts'
import { append, refusal, storedBatch } from './sqlite/owned.ts'
import { WriteQueue } from './sqlite/queue.ts'
import { StoredRuns } from './sqlite/rows.ts'
import { Watch } from './sqlite/watch.ts'

export interface SqliteLogOptions {
  /** Default: the machine's clock. */
  readonly clock?: Clock
  /** How long a write waits for a lock that another process holds, before it fails with `store_locked`. Milliseconds. Default 5,000. */
  readonly busyTimeoutMs?: number
  /** Largest size of the database, not counting its log of up to 64 MiB. Bytes. Beyond it, `disk_full`. Default: what the disk holds. */
  readonly maxFileBytes?: number
}

/**
 * What is kept in memory of a run that is being written, for all its readers: some 50 entries, which with all that is
 * made of them take seven times as much. Who is further behind reads the file, which costs less than keeping more.
 * Characters.
 */
const TAIL_CHARS = 4096

/**
 * Keeps runs in a SQLite file, together with other processes that have it open. A missing file is made, with mode 0600
 * in a folder of mode 0700; beside it lie its `-wal` and `-shm`, and the folder `-owners`. Throws `unsupported`
 * (`store_newer`, `sqlite_missing`), `invalid_request` (`store_not_a_database`), `forbidden` (`store_unwritable`).
 */
export async function sqliteLog(path: string, options: SqliteLogOptions = {}): Promise<Log> {
  const { clock = systemClock, busyTimeoutMs = 5000, maxFileBytes } = options
  const file = absolute(path)
  const settings = { path: file, busyTimeoutMs, ...(maxFileBytes === undefined ? {} : { maxFileBytes }) }
  const sqlite = await loadSqlite()
  const db = openStore(sqlite, file, settings)
  const rows = new StoredRuns(db)
  const lock = new OwnerLock(sqlite, file)
  const owned = new Map<RunId, OwnedRun>()
  const foreign = new ForeignRuns(file, rows)
  const watch = new Watch(file, lookAround)
  const listeners = new Set<(run: RunId, request: ControlRequest) => void>()
  /** Requests of this process to its own runs that nobody listened for yet. */
  let unheard: { run: RunId; request: ControlRequest }[] = []
  /** Ids of requests that were handed over and are about to be deleted. */
  const heard = new Set<number>()
  let closed = false
  let closing: Promise<void> | undefined

  const queue = new WriteQueue({
    ...settings,
    onOthers: lookAround,
    onStop(error) {
      for (const { live } of owned.values()) live.fail(error)
    },
  })

  const source: ReadSource = {
    get closed() {
      return closed
    },
    open(run, after) {
      const { extent, status } = stored(run)
      const live = owned.get(run)?.live
      const last = live ? live.last : extent.last
      checkCursor(after, { ...extent, last })
      if (status !== 'running' && !live) return { last }
      return { last, live: live ?? foreign.get(run, last) }
    },
    step(run, seq, to) {
      const { no, extent } = stored(run)
      checkKept(extent, seq)
      return reading(() => rows.step(run, no, seq, to))
    },
    settle(live) {
      const here = owned.get(live.run)?.live
      if (here) return here
      watch.start()
      const followed = foreign.settle(live)
      watch.urgent = foreign.size > 0
      return followed
    },
  }

  /** Another process may have done something: new entries of its runs, or a request to one of ours. */
  function lookAround(): void {
    if (closed) return
    foreign.refresh()
    watch.urgent = foreign.size > 0
    if (owned.size > 0 && listeners.size > 0) hearRequests()
  }

  function hearRequests(): void {
    for (const { id, run, request } of waitingRequests()) {
      if (heard.has(id)) continue
      heard.add(id)
      const done = () => void heard.delete(id)
      queue.push({ write: { type: 'heard', id }, sync: false, done, fail() {} })
      tell(run, request)
    }
  }

  function waitingRequests() {
    try {
      return rows.control(lock.id)
    } catch {
      // Nobody is there to be told, and the next change looks again.
      return []
    }
  }

  function tell(run: RunId, request: ControlRequest): void {
    for (const listener of listeners) listener(run, request)
  }

  function own(run: RunId, begun: Omit<OwnedRun, 'live' | 'ending'>): LiveRun {
    const live = new LiveRun(run, begun.last, TAIL_CHARS)
    owned.set(run, { ...begun, live, ending: false })
    watch.start()
    foreign.take(run)?.stir()
    return live
  }

  /** A header as readers here know it: what is written behind is ahead of the file. */
  function current(header: RunHeader): RunHeader {
    const ours = owned.get(header.run_id)
    if (ours?.durability !== 'memory') return header
    return { ...header, cursor: { epoch: ours.epoch, seq: ours.live.last } }
  }

  function reading<T>(read: () => T): T {
    checkOpen()
    try {
      return read()
    } catch (thrown) {
      throw isRunletError(thrown) ? thrown : readError(file, thrown)
    }
  }

  function stored(run: RunId) {
    const row = reading(() => rows.row(run))
    if (!row) throw runUnknown(run)
    return row
  }

  function checkOpen(): void {
    if (closed) throw storeClosed()
  }

  return {
    levels,

    async create(run) {
      checkOpen()
      const now = clock.now()
      const { run_id, durability } = run.start
      const first = beginning(run, levels, now)
      const batch = number(run_id, { epoch: 1, from: 1, last: 0 }, [run.start, ...run.events], now)
      const end = endOf(batch)
      lock.hold()
      const outcome = await queue.write(
        {
          type: 'create',
          beginning: first,
          request: JSON.stringify(run.request),
          batch: storedBatch(batch),
          owner: lock.id,
          ...(end ? { end } : {}),
          ...(run.claim ? { claim: run.claim } : {}),
        },
        { sync: durability === 'sync' },
      )
      switch (outcome?.type) {
        case 'created': {
          if (!end) own(run_id, { no: outcome.no, epoch: 1, from: 1, durability, last: batch.last }).publish(batch)
          return { type: 'created', cursor: { epoch: 1, seq: batch.last } }
        }
        case 'existing':
        case 'conflict':
          return { type: outcome.type, run: current(reading(() => rows.header(outcome.run)!)) }
        default:
          throw refusal(run_id, outcome!)
      }
    },

    async claimed(claim) {
      const taken = reading(() => rows.claimant(claim, clock.now()))
      return taken && { ...taken, run: current(taken.run) }
    },

    async append(run, owner, events) {
      checkOpen()
      const ours = owned.get(run)
      if (ours?.epoch === owner) {
        return append(ours, events, { queue, ts: clock.now(), onGone: () => owned.delete(run) })
      }
      const { epoch, status } = stored(run)
      throw epoch === owner && status !== 'running' ? runEnded(run) : staleOwner(run)
    },

    read: (run, readOptions = {}) => new RunReader(source, run, readOptions),

    async find(run) {
      const found = reading(() => rows.find(run))
      return found && { ...found, header: current(found.header) }
    },

    async list(query = {}) {
      return reading(() => rows.list(query)).map(current)
    },

    async orphans() {
      const alive = new Map<string, boolean>()
      return reading(() => rows.running(lock.id))
        .filter(({ owner }) => {
          if (!alive.has(owner)) alive.set(owner, lock.held(owner))
          return !alive.get(owner)
        })
        .map(({ header }) => header)
    },

    async takeOver(run) {
      checkOpen()
      const { no, owner, status } = stored(run)
      if (status !== 'running' || lock.held(owner)) return undefined
      lock.hold()
      const outcome = await queue.write({ type: 'take_over', no, from: owner, to: lock.id }, { sync: true })
      if (outcome?.type !== 'taken') return undefined
      const { epoch, from, durability } = outcome
      own(run, { no, epoch, from, durability, last: from - 1 })
      lookAround()
      return epoch
    },

    async send(run, request) {
      checkOpen()
      if (owned.has(run)) {
        if (listeners.size > 0) tell(run, request)
        else unheard.push({ run, request })
        return
      }
      const { no, status } = stored(run)
      if (status !== 'running') return
      await queue.write({ type: 'send', no, request: JSON.stringify(request) }, { sync: false })
    },

    onRequest(callback) {
      listeners.add(callback)
      const waiting = unheard
      unheard = []
      for (const { run, request } of waiting) if (owned.has(run)) callback(run, request)
      lookAround()
      return () => listeners.delete(callback)
    },

    async prune(policy) {
      checkOpen()
      const pruned = { runs: 0, bytes: 0 }
      for (;;) {
        const step = await queue.write({ type: 'prune', policy, now: clock.now() }, { sync: false })
        if (step?.type !== 'pruned') return pruned
        pruned.runs += step.runs
        pruned.bytes += step.bytes
        if (!step.more) return pruned
      }
    },

    close: () => (closing ??= close()),
  }

  async function close(): Promise<void> {
    closed = true
    watch.close()
    foreign.close()
    for (const { live } of owned.values()) live.dismiss(() => true)
    await queue.drain()
    // Who closes last tidies the file up: the thread, off the event loop; nobody, after a write that failed.
    if (!queue.stopped) db.close()
    await queue.close()
    if (queue.stopped) db.close()
    lock.release()
  }
}

const levels = ['sync', 'os', 'memory'] as const
