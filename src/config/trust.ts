/**
 * Which folders' `runlet.toml` the user has read and trusts. A trust is for the file's exact content: whoever changes
 * the file must be trusted again.
 */
import { createHash } from 'node:crypto'
import { readFileSync, realpathSync } from 'node:fs'
import { RunletError } from '../core/error.ts'
import { writePrivateFile } from './places.ts'

/** `changed`: trusted before, with other content. */
export type Trust = 'trusted' | 'changed' | 'untrusted'

interface TrustFile {
  readonly version: 1
  /** By the folder's real path. */
  readonly folders: Readonly<Record<string, { readonly sha256: string; readonly trusted_at: number }>>
}

/** @param store the path of the trust file. */
export function trustIn(store: string, folder: string, content: Uint8Array): Trust {
  const entry = readTrust(store).folders[realpathSync(folder)]
  if (!entry) return 'untrusted'
  return entry.sha256 === digestOf(content) ? 'trusted' : 'changed'
}

export interface TrustOptions {
  readonly folder: string
  readonly content: Uint8Array
  /** Unix time in milliseconds. */
  readonly now: number
}

export function trustFolder(store: string, { folder, content, now }: TrustOptions): void {
  const { folders } = readTrust(store)
  const entry = { sha256: digestOf(content), trusted_at: now }
  writeTrust(store, { ...folders, [realpathSync(folder)]: entry })
}

/** False if the folder was not trusted. */
export function distrustFolder(store: string, folder: string): boolean {
  const { [realpathSync(folder)]: entry, ...rest } = readTrust(store).folders
  if (entry) writeTrust(store, rest)
  return entry !== undefined
}

function readTrust(store: string): TrustFile {
  let text: string
  try {
    text = readFileSync(store, 'utf8')
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return { version: 1, folders: {} }
    throw unreadable(store, cause)
  }
  try {
    const value = JSON.parse(text)
    if (value.version === 1 && typeof value.folders === 'object' && value.folders !== null) return value
  } catch (cause) {
    throw unreadable(store, cause)
  }
  throw unreadable(store)
}

function unreadable(store: string, cause?: unknown): RunletError {
  return new RunletError('forbidden', {
    reason: 'trust_unreadable',
    message: `${store} cannot be read, so no folder is trusted. Repair it or delete it, then trust your folders again with: runlet trust`,
    cause,
  })
}

function writeTrust(store: string, folders: TrustFile['folders']): void {
  writePrivateFile(store, `${JSON.stringify({ version: 1, folders } satisfies TrustFile, null, 2)}\n`)
}

const digestOf = (content: Uint8Array) => createHash('sha256').update(content).digest('hex')
