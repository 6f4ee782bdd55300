import { crc32 } from 'node:zlib'
import { Batch } from '../../core/batch.ts'
import type { Epoch, Extent } from '../../core/cursor.ts'
import { epochAt } from '../../core/cursor.ts'
import type { Durability, RunId, RunStatus } from '../../core/event.ts'
import type { Claimed, ControlRequest, Gap, IdempotencyClaim, ListQuery, RunHeader, StoredRun } from '../../core/log.ts'
import { runUnknown } from '../errors.ts'
import { forgottenRequest, limitOf } from '../numbering.ts'
import type { Database, Statement, Value } from './driver.ts'
import { LOW } from './file.ts'
import type { StoredBatch } from './group.ts'

/** A run as the file has it. */
export interface RunRow {
  readonly no: number
  readonly owner: string
  readonly epoch: Epoch
  readonly status: RunStatus
  readonly durability: Durability
  readonly extent: Extent
}

/** SQL: the seq of the last entry of a row of `runs`. Only the last batch knows, while the run goes on. */
export const LAST_SEQ = `coalesce(runs.last, (SELECT tail.last FROM batches AS tail WHERE tail.id =
  (SELECT max(id) FROM batches WHERE id > runs.no << 32 AND id <= runs.no << 32 | ${LOW})))`

/** Bytes of lines after which a step ends. */
const STEP_BYTES = 65_536

/**
 * What proves that a row is what was written, and where: the CRC-32 of its lines, begun with a number made of its place
 * instead of 0. Different beginnings give different checksums for the same lines.
 */
export function checksum(no: number, { epoch, first, last, lines }: StoredBatch): number {
  const place =
    Math.imul(no, 0x9e3779b1) ^
    Math.imul(epoch, 0x85ebca6b) ^
    Math.imul(first, 0xc2b2ae35) ^
    Math.imul(last, 0x27d4eb2f)
  return crc32(lines, place >>> 0)
}

/** Everything that is read from the file. Each call sees what is committed at that moment. */
export class StoredRuns {
  readonly #db: Database
  readonly #run: Statement
  readonly #request: Statement
  readonly #step: Statement
  readonly #control: Statement
  readonly #running: Statement
  readonly #claim: Statement
  /** By condition: there are sixteen. */
  readonly #lists = new Map<string, Statement>()

  constructor(db: Database) {
    this.#db = db
    this.#run = db.prepare(`SELECT *, ${LAST_SEQ} AS at FROM runs WHERE run_id = ?`)
    this.#request = db.prepare('SELECT request FROM requests WHERE no = ?')
    this.#control = db.prepare(
      'SELECT id, run_id, request FROM control JOIN runs USING (no) WHERE owner = ? ORDER BY id',
    )
    this.#running = db.prepare(
      `SELECT *, ${LAST_SEQ} AS at FROM runs WHERE status = 'running' AND owner <> ? ORDER BY no`,
    )
    this.#claim = db.prepare(
      `SELECT runs.*, ${LAST_SEQ} AS at, fingerprint FROM claims JOIN runs USING (no)
       WHERE scope = ? AND key = ? AND expires_at > ?`,
    )
    // The batch that holds the first entry asked for may begin before it.
    this.#step = db.prepare(
      `SELECT id & ${LOW}, epoch, last, crc, lines FROM batches
       WHERE id >= coalesce((SELECT max(id) FROM batches WHERE id > ? << 32 AND id <= ? << 32 | ?), ? << 32)
       AND id <= ? << 32 | ? ORDER BY id`,
    )
    this.#step.setReturnArrays?.(true)
  }

  row(run: RunId): RunRow | undefined {
    const row = this.#run.get(run) as Columns | undefined
    if (!row) return undefined
    const { no, owner, epoch, status, durability } = row
    return { no, owner, epoch, status, durability, extent: extentOf(row) }
  }

  header(run: RunId): RunHeader | undefined {
    const row = this.#run.get(run) as Columns | undefined
    return row && headerOf(row)
  }

  find(run: RunId): StoredRun | undefined {
    const row = this.#run.get(run) as Columns | undefined
    if (!row) return undefined
    const stored = this.#request.get(row.no) as { request: string } | undefined
    return { header: headerOf(row), request: stored ? JSON.parse(stored.request) : forgottenRequest }
  }

  claimant({ scope, key, fingerprint }: IdempotencyClaim, now: number): Claimed | undefined {
    const row = this.#claim.get(scope, key, now) as (Columns & { readonly fingerprint: string }) | undefined
    return row && { type: row.fingerprint === fingerprint ? 'existing' : 'conflict', run: headerOf(row) }
  }

  /** Throws `not_found` with reason `run_unknown`. */
  list({ session_id, status, before, before_run, limit }: ListQuery): RunHeader[] {
    const conditions: string[] = ['1']
    const values: Value[] = []
    const wanted = { 'session_id = ?': session_id, 'status = ?': status, 'created_at < ?': before }
    for (const [condition, value] of Object.entries(wanted)) {
      if (value === undefined) continue
      conditions.push(condition)
      values.push(value)
    }
    if (before_run !== undefined) {
      const row = this.#run.get(before_run) as Columns | undefined
      if (!row) throw runUnknown(before_run)
      conditions.push('(created_at, no) < (?, ?)')
      values.push(row.created_at, row.no)
    }
    const where = conditions.join(' AND ')
    let statement = this.#lists.get(where)
    if (!statement) {
      const order = 'ORDER BY created_at DESC, no DESC LIMIT ?'
      statement = this.#db.prepare(`SELECT *, ${LAST_SEQ} AS at FROM runs WHERE ${where} ${order}`)
      this.#lists.set(where, statement)
    }
    return (statement.all(...values, limitOf(limit)) as Columns[]).map(headerOf)
  }

  /** Running runs of other owners. */
  running(owner: string): { readonly owner: string; readonly header: RunHeader }[] {
    const rows = this.#running.all(owner) as Columns[]
    return rows.map((row) => ({ owner: row.owner, header: headerOf(row) }))
  }

  /** Requests to the runs of an owner, oldest first. */
  control(owner: string): { readonly id: number; readonly run: RunId; readonly request: ControlRequest }[] {
    const rows = this.#control.all(owner) as { id: number; run_id: RunId; request: string }[]
    return rows.map(({ id, run_id, request }) => ({ id, run: run_id, request: JSON.parse(request) }))
  }

  /**
   * The entries of a run behind `after` and not behind `to`, about 64 KiB of them, at least one. Neighbouring rows
   * come as one batch: a run that was stored token by token is read back in pieces worth sending. A row that is
   * damaged counts as missing, and what is missing is a gap.
   */
  step(run: RunId, no: number, after: number, to: number): (Batch | Gap)[] {
    const records: (Batch | Gap)[] = []
    const batch = { run, epoch: 0, first: 0, last: 0 }
    let lines = ''
    let next = after + 1
    let bytes = 0
    const close = () => {
      if (lines === '') return
      const read = Batch.stored({ ...batch }, lines)
      records.push(batch.first <= after ? read.after(after) : read)
      lines = ''
    }
    for (const row of this.#step.iterate(no, no, next, no, no, to)) {
      const [first, epoch, last, crc, stored] = valuesOf(row)
      if (last < next || checksum(no, { first, epoch, last, lines: stored }) !== crc) continue
      if (first > next || epoch !== batch.epoch || batch.first <= after) close()
      if (first > next) records.push({ type: 'gap', run, from: next, to: first - 1, reason: 'corrupt' })
      if (lines === '') {
        batch.first = first
        batch.epoch = epoch
      }
      batch.last = last
      lines += stored
      next = last + 1
      bytes += stored.length
      if (bytes >= STEP_BYTES) break
    }
    close()
    if (bytes < STEP_BYTES && next <= to) records.push({ type: 'gap', run, from: next, to, reason: 'corrupt' })
    return records
  }
}

type RowValues = [first: number, epoch: Epoch, last: number, crc: number, lines: string]

/** Rows come as arrays from where that exists: it is half the cost of reading. */
function valuesOf(row: unknown): RowValues {
  return (Array.isArray(row) ? row : Object.values(row as object)) as RowValues
}

/** A row of `runs`, and `at`: the seq of its last entry. */
type Columns = Omit<RunHeader, 'cursor' | 'error' | 'usage'> & {
  readonly no: number
  readonly owner: string
  readonly epoch: Epoch
  /** JSON, as `error` and `usage`: `[[epoch, first seq], …]`. */
  readonly epochs: string
  readonly error: string | null
  readonly usage: string | null
  readonly pruned: number
  readonly at: number
}

function extentOf({ epochs, at, pruned }: Columns): Extent {
  const places = (JSON.parse(epochs) as [Epoch, number][]).map(([epoch, from]) => ({ epoch, from }))
  return { epochs: places, last: at, ...(pruned ? { oldest: at + 1 } : {}) }
}

function headerOf(row: Columns): RunHeader {
  const { run_id, session_id, request_id, trace_id, provider, model, durability, status, created_at, at } = row
  return {
    run_id,
    session_id,
    request_id,
    trace_id,
    provider,
    model,
    durability,
    created_at,
    status,
    ...(row.ended_at ? { ended_at: row.ended_at } : {}),
    ...(row.finish_reason ? { finish_reason: row.finish_reason } : {}),
    ...(row.error ? { error: JSON.parse(row.error) } : {}),
    ...(row.usage ? { usage: JSON.parse(row.usage) } : {}),
    cursor: { epoch: epochAt(extentOf(row), at), seq: at },
    title: row.title,
  }
}
