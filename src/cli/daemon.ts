/** How the programs of one user find the daemon that serves their store: a file that it leaves while it runs. */
import { linkSync, readFileSync, renameSync, rmSync } from 'node:fs'
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

/** How long a daemon may take to say that it is there. Milliseconds. */
const PROBE_MS = 2_000

/**
 * Whether the process that a file names is the daemon still: another program may have got its number. `refuses`:
 * nobody listens there. `silent`: somebody does, and says nothing.
 */
export async function probeDaemon({ url }: Pick<DaemonRecord, 'url'>): Promise<'answers' | 'refuses' | 'silent'> {
  const { httpClient } = await import('../client/http.ts')
  const signal = AbortSignal.timeout(PROBE_MS)
  try {
    await httpClient({ baseUrl: url }).health({ signal })
    return 'answers'
  } catch {
    return signal.aborted ? 'silent' : 'refuses'
  }
}

/** The daemon of `path` that must not get a rival: one that hangs is one too. */
export async function rivalOf(path: string): Promise<DaemonRecord | undefined> {
  const other = findDaemon(path)
  return other && (await probeDaemon(other)) !== 'refuses' ? other : undefined
}

/**
 * Makes this process the daemon of `path`, and returns how to give that up. Throws `forbidden` with reason
 * `daemon_running` while another one is.
 */
export async function claimDaemon(path: string, record: DaemonRecord): Promise<() => void> {
  const draft = `${path}.claim.${record.pid}`
  writePrivateFile(draft, `${JSON.stringify(record, null, 2)}\n`)
  try {
    // Unlike a rename, a link fails if somebody was faster.
    while (!link(draft, path)) {
      const dead = readRecord(path)
      const other = await rivalOf(path)
      if (other) throw daemonRunning(other)
      discard(path, { dead, aside: `${path}.dead.${record.pid}` })
    }
  } finally {
    rmSync(draft, { force: true })
  }
  return () => {
    if (readRecord(path)?.pid === record.pid) rmSync(path, { force: true })
  }
}

/** Removes the file of a dead daemon; if it turns out to be that of one which came meanwhile, it is put back. */
function discard(path: string, { dead, aside }: { readonly dead: DaemonRecord | undefined; readonly aside: string }) {
  try {
    renameSync(path, aside)
  } catch {
    // Somebody else removed it.
    return
  }
  const moved = readRecord(aside)
  if (moved && (moved.pid !== dead?.pid || moved.started !== dead.started)) link(aside, path)
  rmSync(aside, { force: true })
}

/** False if there is something at `path` already. */
function link(file: string, path: string): boolean {
  try {
    linkSync(file, path)
    return true
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'EEXIST') return false
    throw cause
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
