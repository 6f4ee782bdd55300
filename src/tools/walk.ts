import type { Dirent } from 'node:fs'
import { opendir } from 'node:fs/promises'
import { RunletError } from '../core/error.ts'
import type { Root } from './confine.ts'
import { openInside, partsOf } from './confine.ts'

export interface WalkOptions {
  /** Where to begin, relative to the root. */
  readonly path: string
  /** How many levels below `path`: 1 is its own entries. */
  readonly depth: number
  /** Whether to go into `.git` and `node_modules` too. */
  readonly ignored: boolean
  readonly signal: AbortSignal
  /** Most entries to look at, found or not: a tree of any size is left after a bounded time. Default `maxEntries`. */
  readonly most?: number
}

export interface Found {
  /** Relative to the root, with `/` between its parts. */
  readonly path: string
  readonly kind: 'file' | 'folder' | 'link' | 'other'
}

/** What a walk ran into besides what it found. */
export interface WalkEnd {
  /** True if there was more than it was to look at. */
  readonly cut: boolean
  /** Folders that could not be read. */
  readonly unreadable: number
}

export const maxEntries = 50_000

const ignoredNames = new Set(['.git', 'node_modules'])

/**
 * What lies under a folder: each folder's entries by name, what lies in a subfolder right behind it. Links are shown
 * and not followed. Throws as `openInside`, and `invalid_request` with reason `not_a_folder`.
 */
export async function* walk(root: Root, options: WalkOptions): AsyncGenerator<Found, WalkEnd> {
  let left = options.most ?? maxEntries
  let cut = false
  let unreadable = 0

  async function* inside(folder: string, depth: number): AsyncGenerator<Found> {
    options.signal.throwIfAborted()
    const listing = await entriesOf(root, folder, left)
    left -= listing.entries.length
    cut ||= listing.cut
    for (const entry of listing.entries) {
      if (!options.ignored && ignoredNames.has(entry.name)) continue
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`
      const kind = kindOf(entry)
      yield { path, kind }
      if (kind !== 'folder' || depth <= 1) continue
      try {
        yield* inside(path, depth - 1)
      } catch (error) {
        // One folder that is closed to us, or went away, is no reason to hide the others.
        options.signal.throwIfAborted()
        if (!(error instanceof RunletError)) throw error
        unreadable++
      }
    }
  }

  yield* inside(partsOf(options.path).join('/'), options.depth)
  return { cut, unreadable }
}

async function entriesOf(root: Root, path: string, most: number): Promise<{ entries: Dirent[]; cut: boolean }> {
  const { handle, stats, pinned } = await openInside(root, path || '.')
  try {
    if (!stats.isDirectory()) {
      throw new RunletError('invalid_request', {
        reason: 'not_a_folder',
        message: `"${path}" is a file, not a folder; read_file reads it`,
      })
    }
    const entries = await names(pinned, most + 1)
    const cut = entries.length > most
    return { entries: (cut ? entries.slice(0, most) : entries).toSorted((a, b) => (a.name < b.name ? -1 : 1)), cut }
  } catch (cause) {
    if (cause instanceof RunletError) throw cause
    throw new RunletError('forbidden', { reason: 'unreadable', message: `"${path}" cannot be read`, cause })
  } finally {
    await handle.close()
  }
}

/** Some of a folder's entries. Not by `readdir`: it may hold more names than fit in memory. */
async function names(folder: string, most: number): Promise<Dirent[]> {
  const entries: Dirent[] = []
  for await (const entry of await opendir(folder)) {
    entries.push(entry)
    if (entries.length === most) break
  }
  return entries
}

function kindOf(entry: Dirent): Found['kind'] {
  if (entry.isFile()) return 'file'
  if (entry.isDirectory()) return 'folder'
  return entry.isSymbolicLink() ? 'link' : 'other'
}
