import { constants } from 'node:fs'
import type { Stats } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import { open, readlink, realpath, stat } from 'node:fs/promises'
import { isAbsolute, join, sep } from 'node:path'
import { RunletError } from '../core/error.ts'

/** A file or folder inside the root, open for reading. Whoever opened it closes `handle`. */
export interface Opened {
  readonly handle: FileHandle
  readonly stats: Stats
  /**
   * A path to what is open: the descriptor itself where the system names descriptors, so that nobody can put
   * something else in its place; elsewhere the real path.
   */
  readonly pinned: string
}

/** The part of the file system that tools may read. `path` is taken as real at each call: the folder may be replaced. */
export interface Root {
  readonly path: string
}

/**
 * Opens `path`, relative to the root, for reading. Links are followed as long as they stay inside. What was opened is
 * looked up again by its descriptor: a link that was swapped in between the check and the opening is refused as well.
 * Throws `invalid_request` with reason `bad_path`, `forbidden` with `outside_root` or `unreadable`, `not_found` with
 * `file_unknown`. A hard link, and a file system that is mounted inside, are part of the root.
 */
export async function openInside(root: Root, path: string): Promise<Opened> {
  const parts = partsOf(path)
  const base = await realpath(root.path).catch(rootGone)
  const target = await realpath(join(base, ...parts)).catch((cause: unknown) => refuse(path, cause))
  if (!lies(target, base)) throw outside(path)
  // NONBLOCK: opening a FIFO must not wait for its writer. NOFOLLOW: the target is real, so a link here is new.
  const flags = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0) | (constants.O_NOFOLLOW ?? 0)
  const handle = await open(target, flags).catch((cause: unknown) => refuse(path, cause))
  try {
    const stats = await handle.stat()
    const pinned = await pin(handle, stats, target, base)
    if (pinned === undefined) throw outside(path)
    return { handle, stats, pinned }
  } catch (error) {
    await handle.close()
    throw error
  }
}

/**
 * The names that a path relative to the root consists of; none for the root itself. Throws `invalid_request` with
 * reason `bad_path` for what cannot name something inside, before the file system is asked.
 */
export function partsOf(path: string): string[] {
  const shown = path.slice(0, 200)
  if (path.includes('\0')) throw badPath('a path cannot contain NUL')
  if (isAbsolute(path)) {
    throw badPath(`"${shown}" is absolute; give a path relative to the working directory, for example "."`)
  }
  const parts = path.split(sep === '\\' ? /[\\/]/ : '/')
  if (parts.includes('..')) {
    throw badPath(`"${shown}" contains ".."; only what lies inside the working directory can be read`)
  }
  return parts.filter((part) => part !== '' && part !== '.')
}

function rootGone(cause: unknown): never {
  throw new RunletError('not_found', { reason: 'root_unknown', message: 'the working directory is gone', cause })
}

/** A path that leads to what is open, if that lies inside; else undefined. */
async function pin(handle: FileHandle, stats: Stats, target: string, base: string): Promise<string | undefined> {
  const descriptor = `/proc/self/fd/${handle.fd}`
  const actual = await readlink(descriptor).catch(() => undefined)
  if (actual !== undefined) return lies(actual, base) ? descriptor : undefined
  // Without /proc: the path must still be real, inside, and name what was opened.
  const again = await realpath(target).catch(() => undefined)
  if (again === undefined || !lies(again, base)) return undefined
  const named = await stat(again).catch(() => undefined)
  return named?.ino === stats.ino && named.dev === stats.dev ? again : undefined
}

/** Whether a real path is the base or something under it. */
function lies(path: string, base: string): boolean {
  return path === base || path.startsWith(base.endsWith(sep) ? base : base + sep)
}

function badPath(message: string): RunletError {
  return new RunletError('invalid_request', { reason: 'bad_path', message })
}

function outside(path: string): RunletError {
  return new RunletError('forbidden', {
    reason: 'outside_root',
    message: `"${path.slice(0, 200)}" leads out of the working directory; only what lies inside can be read`,
  })
}

/** What the file system said, in words that a model can act on. */
function refuse(path: string, cause: unknown): never {
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined
  const shown = path.slice(0, 200)
  if (code === 'ENOENT' || code === 'ENOTDIR') {
    throw new RunletError('not_found', {
      reason: 'file_unknown',
      message: `there is no "${shown}" in the working directory; list_files shows what there is`,
      cause,
    })
  }
  if (code === 'ELOOP') throw outside(path)
  if (code === 'ENAMETOOLONG') throw badPath('the path is too long')
  throw new RunletError('forbidden', { reason: 'unreadable', message: `"${shown}" cannot be read`, cause })
}
