import type { Clock } from '../core/clock.ts'
import { systemClock } from '../core/clock.ts'
import type { Cursor, Epoch, Extent } from '../core/cursor.ts'
import { checkCursor, epochAt } from '../core/cursor.ts'
import type { RunId } from '../core/event.ts'
import type { Claimed, ControlRequest, IdempotencyClaim, Log, RunHeader, RunRequest } from '../core/log.ts'
import { runEnded, runExists, runUnknown, staleOwner, storeClosed } from './errors.ts'
import { LiveRun } from './live.ts'
import type { RunBeginning, RunEnd } from './numbering.ts'
import { beginning, endOf, forgottenRequest, limitOf, number } from './numbering.ts'
import type { ReadSource } from './reader.ts'
import { checkKept, RunReader } from './reader.ts'

export interface MemoryLogOptions {
  /** Default: the machine's clock. */
  readonly clock?: Clock
  /** What several logs share, as several processes share a file. Default: a memory of its own. */
  readonly memory?: Memory
}

/** Keeps runs in this process, all of them until they are pruned. */
export function memoryLog({ clock = systemClock, memory = sharedMemory() }: MemoryLogOptions = {}): Log {
  const { runs, claims } = memory
  const listeners = new Set<(run: RunId, request: ControlRequest) => void>()
  let closed = false

  const owner: Owner = {
    get closed() {
      return closed
    },
    hear({ live, requests }) {
      if (closed || listeners.size === 0) return
      for (const request of requests.splice(0)) for (const listener of listeners) listener(live.run, request)
    },
  }

  const source: ReadSource = {
    get closed() {
      return closed
    },
    open(run, after) {
      const stored = get(run)
      checkCursor(after, extentOf(stored))
      return { last: stored.live.last, live: stored.live }
    },
    // The tail holds everything, unless retention took it while somebody was reading.
    step(run, seq) {
      checkKept(extentOf(get(run)), seq)
      throw runUnknown(run)
    },
    settle: (live) => live,
  }

  function get(run: RunId): MemoryRun {
    const stored = runs.get(run)
    if (!stored) throw runUnknown(run)
    return stored
  }

  function claimant(claim: IdempotencyClaim, now: number): Claimed | undefined {
    const before = claims.get(claimKey(claim))
    if (!before || before.expires_at <= now) return undefined
    const type = before.fingerprint === claim.fingerprint ? 'existing' : 'conflict'
    return { type, run: headerOf(get(before.run)) }
  }

  function checkOpen(): void {
    if (closed) throw storeClosed()
  }

  return {
    levels,

    async create(run) {
      checkOpen()
      const now = clock.now()
      const taken = run.claim && claimant(run.claim, now)
      if (taken) return taken
      const { run_id } = run.start
      const first = beginning(run, levels, now)
      if (runs.has(run_id)) throw runExists(run_id)
      const batch = number(run_id, { epoch: 1, from: 1, last: 0 }, [run.start, ...run.events], now)
      const stored: MemoryRun = {
        beginning: first,
        live: new LiveRun(run_id, 0, Infinity),
        epochs: [{ epoch: 1, from: 1 }],
        requests: [],
        owner,
        request: run.request,
        end: endOf(batch),
        pruned: false,
      }
      runs.set(run_id, stored)
      if (run.claim) claims.set(claimKey(run.claim), { ...run.claim, run: run_id })
      stored.live.publish(batch, { ended: stored.end !== undefined })
      return { type: 'created', cursor: cursorOf(stored) }
    },

    claimed: async (claim) => claimant(claim, clock.now()),

    async append(run, ownerEpoch, events) {
      checkOpen()
      const stored = get(run)
      const { epoch, from } = stored.epochs.at(-1)!
      if (epoch !== ownerEpoch || stored.owner !== owner) throw staleOwner(run)
      if (stored.end) throw runEnded(run)
      const batch = number(run, { epoch, from, last: stored.live.last }, events, clock.now())
      stored.end = endOf(batch)
      if (stored.end) stored.requests.length = 0
      stored.live.publish(batch, { ended: stored.end !== undefined })
      return { epoch, seq: batch.last }
    },

    read: (run, options = {}) => new RunReader(source, run, options),

    async find(run) {
      const stored = runs.get(run)
      return stored && { header: headerOf(stored), request: stored.request }
    },

    async list({ session_id, status, before = Infinity, before_run, limit } = {}) {
      const most = limitOf(limit)
      const sorted = [...runs.values()]
        .toReversed()
        .map(headerOf)
        .toSorted((a, b) => b.created_at - a.created_at)
      const from = before_run === undefined ? 0 : sorted.findIndex(({ run_id }) => run_id === before_run) + 1
      if (before_run !== undefined && from === 0) throw runUnknown(before_run)
      return sorted
        .slice(from)
        .filter((header) => session_id === undefined || header.session_id === session_id)
        .filter((header) => status === undefined || header.status === status)
        .filter((header) => header.created_at < before)
        .slice(0, most)
    },

    async orphans() {
      return [...runs.values()].filter(isOrphan).map(headerOf)
    },

    async takeOver(run) {
      checkOpen()
      const stored = get(run)
      if (!isOrphan(stored)) return undefined
      const epoch = stored.epochs.at(-1)!.epoch + 1
      stored.epochs.push({ epoch, from: stored.live.last + 1 })
      stored.owner = owner
      owner.hear(stored)
      return epoch
    },

    async send(run, request) {
      checkOpen()
      const stored = get(run)
      if (stored.end) return
      stored.requests.push(request)
      stored.owner.hear(stored)
    },

    onRequest(callback) {
      listeners.add(callback)
      for (const stored of runs.values()) if (stored.owner === owner) owner.hear(stored)
      return () => listeners.delete(callback)
    },

    async prune({ maxAgeMs = Infinity, maxBytes = Infinity }) {
      checkOpen()
      const now = clock.now()
      for (const [key, { expires_at }] of claims) if (expires_at <= now) claims.delete(key)
      const pruned = { runs: 0, bytes: 0 }
      let total = maxBytes === Infinity ? 0 : [...runs.values()].reduce((sum, run) => sum + bytesOf(run), 0)
      const candidates = [...runs.values()].filter((run) => run.end && !run.pruned)
      for (const run of candidates.toSorted((a, b) => a.end!.ended_at - b.end!.ended_at)) {
        if (now - run.end!.ended_at <= maxAgeMs && total <= maxBytes) continue
        const bytes = bytesOf(run)
        total -= bytes
        pruned.runs++
        pruned.bytes += bytes
        forget(run)
      }
      return pruned
    },

    async close() {
      closed = true
      for (const { live } of runs.values()) {
        live.dismiss((waiter) => waiter instanceof RunReader && waiter.source === source)
      }
    },
  }
}

const levels = ['memory'] as const

const claimKey = ({ scope, key }: IdempotencyClaim) => JSON.stringify([scope, key])

/** Runs and keys that several memory logs see at once: each log stands for a process, and is dead once it is closed. */
export interface Memory {
  readonly runs: Map<RunId, MemoryRun>
  readonly claims: Map<string, IdempotencyClaim & { readonly run: RunId }>
}

export function sharedMemory(): Memory {
  return { runs: new Map(), claims: new Map() }
}

interface Owner {
  readonly closed: boolean
  /** Hands over the requests that wait for the owner of a run, if anyone listens. */
  hear(stored: MemoryRun): void
}

interface MemoryRun {
  beginning: RunBeginning
  readonly live: LiveRun
  readonly epochs: { readonly epoch: Epoch; readonly from: number }[]
  readonly requests: ControlRequest[]
  owner: Owner
  request: RunRequest
  end: RunEnd | undefined
  pruned: boolean
}

const isOrphan = ({ end, owner }: MemoryRun) => !end && owner.closed

function extentOf({ epochs, live, pruned }: MemoryRun): Extent {
  return { epochs, last: live.last, ...(pruned ? { oldest: live.last + 1 } : {}) }
}

function cursorOf(stored: MemoryRun): Cursor {
  const { last } = stored.live
  return { epoch: epochAt(extentOf(stored), last), seq: last }
}

function headerOf(stored: MemoryRun): RunHeader {
  const { title, ...rest } = stored.beginning
  return { ...rest, ...(stored.end ?? { status: 'running' }), cursor: cursorOf(stored), title }
}

const bytesOf = ({ live }: MemoryRun) =>
  live.batches.reduce((bytes, batch) => bytes + Buffer.byteLength(batch.lines), 0)

/** What is left is enough to say that the run was there, and how it ended. */
function forget(run: MemoryRun): void {
  run.pruned = true
  run.live.clear()
  run.request = forgottenRequest
  run.beginning = { ...run.beginning, title: '' }
}
