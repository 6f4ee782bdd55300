/** How the programs of one user find the daemon that serves their store: a file that it leaves while it runs. */
import { linkSync, readFileSync, rmSync } from 'node:fs'
import { RunletError } from '../core/error.ts'
import { writePrivateFile } from '../config/places.ts'

/** What a running daemon tells of itself. */
export interface DaemonRecord {
  readonly version: 1
  readonly url: string
  readonly pid: number
  /** Unix time in milliseconds. */
  readonly started: number
  /** The store that it serves, as `openLog` takes it. */
  readonly store: string
  /** Its working directory: what its tools see. */
  readonly cwd: string
  /** Digest of its providers and aliases; another process with the same one would ask the same models. */
  readonly settings: string
}

/** The daemon whose file lies at `path`, if its process is alive. A file that a dead one left counts as none. */
export function findDaemon(path: string): DaemonRecord | undefined {
  const record = readRecord(path)
  return record && isAlive(record.pid) ? record : undefined
}

/**
 * Makes this process the daemon of `path`, and returns how to give that up. Throws `forbidden` with reason
 * `daemon_running` while another one is.
 */
export function claimDaemon(path: string, record: DaemonRecord): () => void {
  const draft = `${path}.claim`
  for (let attempt = 0; ; attempt++) {
    const other = findDaemon(path)
    if (other) throw daemonRunning(other)
    rmSync(path, { force: true })
    writePrivateFile(`${draft}.${record.pid}`, `${JSON.stringify(record, null, 2)}\n`)
    try {
      // Unlike a rename, a link fails if somebody was faster.
      linkSync(`${draft}.${record.pid}`, path)
      return () => {
        if (readRecord(path)?.pid === record.pid) rmSync(path, { force: true })
      }
    } catch (cause) {
      if (attempt > 2 || !(cause instanceof Error && 'code' in cause && cause.code === 'EEXIST')) throw cause
    } finally {
      rmSync(`${draft}.${record.pid}`, { force: true })
    }
  }
}

export function daemonRunning({ url, pid }: DaemonRecord): RunletError {
  return new RunletError('forbidden', {
    reason: 'daemon_running',
    message: `a daemon serves this home already: ${url} (pid ${pid}). Use that one, stop it with "kill ${pid}", or give this one a home of its own: RUNLET_HOME=FOLDER`,
  })
}

function readRecord(path: string): DaemonRecord | undefined {
  try {
    const record = JSON.parse(readFileSync(path, 'utf8')) as Partial<DaemonRecord> | null
    return isRecord(record) ? record : undefined
  } catch {
    // Absent, or not ours to understand: there is no daemon that can be used.
    return undefined
  }
}

function isRecord(record: Partial<DaemonRecord> | null): record is DaemonRecord {
  if (record?.version !== 1 || !Number.isInteger(record.pid) || !URL.canParse(record.url ?? '')) return false
  return [record.store, record.cwd, record.settings].every((value) => typeof value === 'string')
}

/** A process of another user counts as alive: it may not be signalled, but it is there. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (cause) {
    return cause instanceof Error && 'code' in cause && cause.code === 'EPERM'
  }
}
