/** Where things lie on disk: one folder named by `RUNLET_HOME`, or the XDG base directories. */
import { closeSync, mkdirSync, openSync, renameSync, rmSync, statSync, writeSync } from 'node:fs'
import { dirname, isAbsolute, join, resolve } from 'node:path'
import { RunletError } from '../core/error.ts'

export type Environment = Readonly<Record<string, string | undefined>>

/** An environment variable, without the white space that a copied key often brings; empty counts as absent. */
export function valueOf(env: Environment, name: string): string | undefined {
  return env[name]?.trim() || undefined
}

/** Absolute paths. None of them need exist. */
export interface Places {
  /** The user's own configuration, which is always trusted. */
  readonly config: string
  readonly database: string
  /** The secret that clients of the daemon present. */
  readonly token: string
  readonly socket: string
  /** What a running daemon tells of itself. */
  readonly daemon: string
  /** The folders whose `runlet.toml` the user trusts. */
  readonly trust: string
}

export interface PlaceOptions {
  readonly env: Environment
  /** The user's home folder. */
  readonly home: string
  /** What a relative `RUNLET_HOME` is relative to. */
  readonly cwd: string
}

export const CONFIG_FILE = 'runlet.toml'

/** `RUNLET_HOME` puts everything in one folder; relative XDG paths are passed over, as their specification asks. */
export function placesOf({ env, home, cwd }: PlaceOptions): Places {
  const folder = env['RUNLET_HOME']?.trim()
  if (folder) {
    const at = resolve(cwd, folder)
    return placesIn({ config: at, state: at, runtime: at })
  }
  const xdg = (name: string) => {
    const path = env[name]
    return path && isAbsolute(path) ? path : undefined
  }
  const state = join(xdg('XDG_STATE_HOME') ?? join(home, '.local', 'state'), 'runlet')
  const runtime = xdg('XDG_RUNTIME_DIR')
  return placesIn({
    config: join(xdg('XDG_CONFIG_HOME') ?? join(home, '.config'), 'runlet'),
    state,
    runtime: runtime ? join(runtime, 'runlet') : state,
  })
}

function placesIn(folders: { config: string; state: string; runtime: string }): Places {
  return {
    config: join(folders.config, CONFIG_FILE),
    database: join(folders.state, 'runlet.db'),
    token: join(folders.state, 'token'),
    socket: join(folders.runtime, 'runlet.sock'),
    // Beside the store and not beside the socket: a login without XDG_RUNTIME_DIR must find the same daemon.
    daemon: join(folders.state, 'daemon.json'),
    trust: join(folders.state, 'trust.json'),
  }
}

/** Makes a folder that only its owner may enter, if it is not there. Throws `forbidden` with reason `home_unwritable`. */
export function makePrivateFolder(path: string): void {
  if (isFolder(path)) return
  // One by one: Node's own `recursive` loops for ever below `/proc`.
  makePrivateFolder(dirname(path))
  try {
    mkdirSync(path, { mode: 0o700 })
  } catch (cause) {
    if (!isFolder(path)) throw unwritable(path, cause)
  }
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory()
  } catch {
    return false
  }
}

/** Writes a file that only its owner may read, whole or not at all: readers see the old text or the new one. */
export function writePrivateFile(path: string, text: string): void {
  makePrivateFolder(dirname(path))
  const draft = `${path}.${process.pid}`
  try {
    rmSync(draft, { force: true })
    const file = openSync(draft, 'wx', 0o600)
    try {
      writeSync(file, text)
    } finally {
      closeSync(file)
    }
    renameSync(draft, path)
  } catch (cause) {
    rmSync(draft, { force: true })
    throw unwritable(path, cause)
  }
}

function unwritable(path: string, cause: unknown): RunletError {
  const code = cause instanceof Error && 'code' in cause ? ` (${String(cause.code)})` : ''
  return new RunletError('forbidden', {
    reason: 'home_unwritable',
    message: `cannot write ${path}${code}. Make its folder writable, or set RUNLET_HOME to one that is`,
    cause,
  })
}
