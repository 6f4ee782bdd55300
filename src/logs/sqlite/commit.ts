import type { RunId } from '../../core/event.ts'
import type { IdempotencyClaim, RetentionPolicy } from '../../core/log.ts'
import type { RunEnd } from '../numbering.ts'
import type { Database, Statement } from './driver.ts'
import { LOW } from './file.ts'
import type { Outcome, StoredBatch, Write, WriteGroup } from './group.ts'
import { checksum } from './rows.ts'

/** SQL: the batches of the run `no`. */
const OF_RUN = `id > no << 32 AND id <= no << 32 | ${LOW}`

/**
 * Pages of log after which it is moved into the database, 16 MiB. That copies each page once, however often the log
 * holds it, so more is less work; and it is what has to be read after a crash.
 */
const LOG_PAGES = 4000
const PAGE_CHARS = 4096

/** What one prune may take before the writes that wait get their turn. */
const PRUNE_RUNS = 64
const PRUNE_BYTES = 8_388_608

/** Puts groups into the file: one transaction each, in which a refused write leaves the others alone. */
export class Committer {
  readonly #db: Database
  readonly #append: Statement
  readonly #status: Statement
  readonly #end: Statement
  readonly #hush: Statement
  readonly #claimed: Statement
  readonly #claim: Statement
  readonly #known: Statement
  readonly #createRun: Statement
  readonly #createRequest: Statement
  readonly #takeOver: Statement
  readonly #taken: Statement
  readonly #tail: Statement
  readonly #send: Statement
  readonly #heard: Statement
  readonly #dataVersion: Statement
  #sync: boolean | undefined
  #version: unknown
  /** Pages written to the log since it was moved, roughly. */
  #logPages = 0

  constructor(db: Database) {
    this.#db = db
    // The condition is the fence: who lost the run, or ended it, changes nothing.
    this.#append = db.prepare(
      `INSERT OR IGNORE INTO batches (id, epoch, last, crc, lines)
       SELECT no << 32 | ?, ?, ?, ?, ? FROM runs WHERE no = ? AND epoch = ? AND status = 'running'`,
    )
    this.#status = db.prepare('SELECT epoch, status FROM runs WHERE no = ?')
    this.#end = db.prepare(
      `UPDATE runs SET status = ?, last = ?, ended_at = ?, finish_reason = ?, error = ?, usage = ?,
       bytes = (SELECT sum(octet_length(lines)) FROM batches WHERE ${OF_RUN}) WHERE no = ?`,
    )
    this.#hush = db.prepare('DELETE FROM control WHERE no = ?')
    this.#claimed = db.prepare(
      'SELECT fingerprint, expires_at, run_id FROM claims JOIN runs USING (no) WHERE scope = ? AND key = ?',
    )
    this.#claim = db.prepare('INSERT OR REPLACE INTO claims VALUES (?, ?, ?, ?, ?)')
    this.#known = db.prepare('SELECT 1 FROM runs WHERE run_id = ?')
    this.#createRun = db.prepare(
      `INSERT INTO runs (run_id, session_id, request_id, trace_id, provider, model, durability, title, created_at,
       owner, epoch, epochs, status) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1, '[[1,1]]', 'running')`,
    )
    this.#createRequest = db.prepare('INSERT INTO requests VALUES (?, ?)')
    this.#takeOver = db.prepare(
      `UPDATE runs SET owner = ?, epoch = epoch + 1, epochs = json_insert(epochs, '$[#]', json_array(epoch + 1, ?))
       WHERE no = ? AND owner = ? AND status = 'running'`,
    )
    this.#taken = db.prepare('SELECT epoch, durability FROM runs WHERE no = ?')
    this.#tail = db.prepare(
      `SELECT id & ${LOW} AS first, batches.epoch, batches.last, crc, lines FROM runs JOIN batches ON ${OF_RUN}
       WHERE no = ? ORDER BY id DESC LIMIT 1`,
    )
    this.#send = db.prepare(
      `INSERT INTO control (no, request) SELECT no, ? FROM runs WHERE no = ? AND status = 'running'`,
    )
    this.#heard = db.prepare('DELETE FROM control WHERE id = ?')
    this.#dataVersion = db.prepare('PRAGMA data_version')
  }

  /** Throws what SQLite throws; then nothing of the group is stored. */
  commit(group: WriteGroup): { outcomes: [number, Outcome][]; others: boolean } {
    const outcomes: [number, Outcome][] = []
    this.#level(group.sync)
    this.#db.exec('BEGIN IMMEDIATE')
    try {
      const others = this.#othersWrote()
      group.writes.forEach((write, index) => {
        const outcome = this.#write(write)
        if (outcome) outcomes.push([index, outcome])
      })
      this.#db.exec('COMMIT')
      this.#logPages += pagesOf(group)
      return { outcomes, others }
    } catch (thrown) {
      this.#rollBack()
      throw thrown
    }
  }

  /** Moves the log into the database if it has grown long. To be called when nobody waits for an answer. */
  tidy(): void {
    if (this.#logPages < LOG_PAGES) return
    this.#db.exec('PRAGMA wal_checkpoint(PASSIVE)')
    this.#logPages = 0
  }

  /** With FULL the log is synced in each commit; with NORMAL before a checkpoint only. */
  #level(sync: boolean): void {
    if (sync === this.#sync) return
    this.#db.exec(`PRAGMA synchronous = ${sync ? 'FULL' : 'NORMAL'}`)
    this.#sync = sync
  }

  #rollBack(): void {
    try {
      this.#db.exec('ROLLBACK')
    } catch {
      // SQLite rolls back by itself after some errors, and says so when asked to do it again.
    }
  }

  /** The number changes when any other connection commits. */
  #othersWrote(): boolean {
    const { data_version } = this.#dataVersion.get() as { data_version: unknown }
    const changed = this.#version !== undefined && data_version !== this.#version
    this.#version = data_version
    return changed
  }

  #write(write: Write): Outcome | undefined {
    switch (write.type) {
      case 'append':
        return this.#appendBatch(write.no, write.batch, write.end)
      case 'create':
        return this.#create(write)
      case 'take_over':
        return this.#take(write)
      case 'send':
        this.#send.run(write.request, write.no)
        return undefined
      case 'heard':
        this.#heard.run(write.id)
        return undefined
      case 'prune':
        return prune(this.#db, write.policy, write.now)
    }
  }

  #appendBatch(no: number, batch: StoredBatch, end: RunEnd | undefined): Outcome | undefined {
    const { first, epoch, last, lines } = batch
    const { changes } = this.#append.run(first, epoch, last, checksum(no, batch), lines, no, epoch)
    if (Number(changes) === 0) return this.#refusal(no, epoch)
    if (!end) return undefined
    const { status, ended_at, finish_reason = null, error, usage } = end
    this.#end.run(status, last, ended_at, finish_reason, jsonOrNull(error), jsonOrNull(usage), no)
    this.#hush.run(no)
    return undefined
  }

  #refusal(no: number, epoch: number): Outcome {
    const run = this.#status.get(no) as { epoch: number; status: string } | undefined
    if (!run) return { type: 'refused', why: 'run_unknown' }
    return { type: 'refused', why: run.epoch === epoch && run.status !== 'running' ? 'run_ended' : 'stale_owner' }
  }

  #create(write: Extract<Write, { type: 'create' }>): Outcome {
    const { beginning: run, request, batch, end, owner, claim } = write
    const before = claim && this.#claimant(claim, run.created_at)
    if (before) return before
    if (this.#known.get(run.run_id)) return { type: 'refused', why: 'run_exists' }
    const { run_id, session_id, request_id, trace_id, provider, model, durability, title, created_at } = run
    const ids = [run_id, session_id, request_id, trace_id, provider, model, durability, title, created_at]
    const no = Number(this.#createRun.run(...ids, owner).lastInsertRowid)
    this.#createRequest.run(no, request)
    this.#appendBatch(no, batch, end)
    if (claim) this.#claim.run(claim.scope, claim.key, claim.fingerprint, no, claim.expires_at)
    return { type: 'created', no }
  }

  /** The run that holds the key, unless its time is up. */
  #claimant({ scope, key, fingerprint }: IdempotencyClaim, now: number): Outcome | undefined {
    const claimed = this.#claimed.get(scope, key) as
      | { fingerprint: string; expires_at: number; run_id: RunId }
      | undefined
    if (!claimed || claimed.expires_at <= now) return undefined
    return { type: claimed.fingerprint === fingerprint ? 'existing' : 'conflict', run: claimed.run_id }
  }

  #take({ no, from, to }: Extract<Write, { type: 'take_over' }>): Outcome {
    const first = this.#lastSeq(no) + 1
    if (Number(this.#takeOver.run(to, first, no, from).changes) === 0) return { type: 'missed' }
    const { epoch, durability } = this.#taken.get(no) as Pick<
      Extract<Outcome, { type: 'taken' }>,
      'epoch' | 'durability'
    >
    return { type: 'taken', epoch, from: first, durability }
  }

  /** Of a damaged row not even its `last` can be believed; its key and its line feeds say enough to go on behind it. */
  #lastSeq(no: number): number {
    const tail = this.#tail.get(no) as (StoredBatch & { crc: number }) | undefined
    if (!tail) return 0
    return checksum(no, tail) === tail.crc ? tail.last : tail.first + Math.max(0, tail.lines.split('\n').length - 2)
  }
}

/** A page for each run that is written to, and some for the tables and indexes around it. */
function pagesOf({ writes }: WriteGroup): number {
  let pages = 1
  for (const write of writes) {
    if (write.type === 'append') pages += 1 + write.batch.lines.length / PAGE_CHARS
    else pages += write.type === 'prune' ? 500 : 10
  }
  return pages
}

const jsonOrNull = (value: object | undefined) => (value === undefined ? null : JSON.stringify(value))

/** One step of retention: runs that ended first go first. What stays of a run is its row, without what was said. */
function prune(db: Database, { maxAgeMs = Infinity, maxBytes = Infinity }: RetentionPolicy, now: number): Outcome {
  const oldest = db.prepare(
    'SELECT no, ended_at, bytes FROM runs WHERE ended_at IS NOT NULL AND pruned = 0 ORDER BY ended_at, no LIMIT 1',
  )
  let total = maxBytes === Infinity ? 0 : storedBytes(db)
  const pruned = { runs: 0, bytes: 0 }
  let more = true
  while (pruned.runs < PRUNE_RUNS && pruned.bytes < PRUNE_BYTES) {
    const run = oldest.get() as { no: number; ended_at: number; bytes: number } | undefined
    more = run !== undefined && (now - run.ended_at > maxAgeMs || total > maxBytes)
    if (!run || !more) break
    db.prepare(`DELETE FROM batches WHERE id > ? << 32 AND id <= ? << 32 | ${LOW}`).run(run.no, run.no)
    db.prepare('DELETE FROM requests WHERE no = ?').run(run.no)
    db.prepare("UPDATE runs SET pruned = 1, bytes = 0, title = '' WHERE no = ?").run(run.no)
    total -= run.bytes
    pruned.runs++
    pruned.bytes += run.bytes
  }
  db.prepare('DELETE FROM claims WHERE expires_at <= ?').run(now)
  // Gives pages back to the disk, 16 MiB at most; the file would keep them for later.
  db.exec('PRAGMA incremental_vacuum(4096)')
  return { type: 'pruned', ...pruned, more }
}

function storedBytes(db: Database): number {
  const { bytes } = db
    .prepare(
      `SELECT (SELECT coalesce(sum(bytes), 0) FROM runs) + (SELECT coalesce(sum(octet_length(lines)), 0) FROM runs
       JOIN batches ON ${OF_RUN} WHERE status = 'running') AS bytes`,
    )
    .get() as { bytes: number }
  return bytes
}
