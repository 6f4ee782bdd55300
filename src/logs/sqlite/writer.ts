/** The writer thread of a SQLite store: takes groups, commits them, answers. Started by `queue.ts`. */
import { utimesSync } from 'node:fs'
import { parentPort, workerData } from 'node:worker_threads'
import { Committer } from './commit.ts'
import { loadSqlite } from './driver.ts'
import { isBusy } from './errors.ts'
import { openForWriting } from './file.ts'
import type { GroupAnswer, ToWriter, WriteGroup, WriterSettings } from './group.ts'

const settings = workerData as WriterSettings
const db = openForWriting(await loadSqlite(), settings.path, settings)
const committer = new Committer(db)
/** What went wrong, once nothing may be written any more. */
let failure: Failure | undefined

parentPort!.on('message', (message: ToWriter) => {
  if (message === 'close') {
    close()
    parentPort!.close()
  } else {
    parentPort!.postMessage(answerTo(message))
    if (!failure) tidy()
  }
})

type Failure = Extract<GroupAnswer, { type: 'failed' }>

function answerTo(group: WriteGroup): GroupAnswer {
  if (failure) return failure
  try {
    const committed = committer.commit(group)
    ring()
    return { type: 'committed', ...committed }
  } catch (thrown) {
    return failed(thrown)
  }
}

function tidy(): void {
  try {
    committer.tidy()
  } catch (thrown) {
    failed(thrown)
  }
}

/**
 * A lock that did not come free left nothing half done. Anything else may have: after a failed sync the kernel takes the
 * lost pages for written, so that trying again would succeed without storing them.
 */
function failed(thrown: unknown): Failure {
  const errcode = thrown instanceof Error && 'errcode' in thrown ? Number(thrown.errcode) : undefined
  const text = thrown instanceof Error ? thrown.message : String(thrown)
  const answer: Failure = { type: 'failed', errcode, text, stopped: !isBusy(thrown) }
  if (answer.stopped) failure = answer
  return answer
}

/** Leaves one file: everything that the log holds moves into the database, unless others are busy in it. */
function close(): void {
  if (!failure) db.exec('PRAGMA busy_timeout = 100; PRAGMA wal_checkpoint(TRUNCATE)')
  db.close()
}

/**
 * Tells other processes that there is something to read: they watch the file. SQLite writes to its log before a
 * commit can be seen, and nothing afterwards, so that watching the log would wake them too early. It fails if the file
 * was moved away, and then what was committed is lost.
 */
function ring(): void {
  const now = Date.now() / 1000
  utimesSync(settings.path, now, now)
}
