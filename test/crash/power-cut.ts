/** The files of a store as a disk would hold them if the power went at any moment of a trace. */
import type { Call, Delivery } from './trace.ts'
import { isSync } from './trace.ts'

/** What a power cut leaves of a change that no sync had covered: all of it, nothing, or its first bytes. */
export type Survival = (bytes: number) => number

export interface PowerCut {
  /** Line of the trace. */
  readonly at: number
  /** Entries that clients had been given by then. */
  readonly delivered: readonly string[]
  /** The files that are there after the cut, by path. */
  files(survival: Survival): Map<string, Buffer>
}

type Change =
  | { readonly type: 'write'; readonly bytes: Buffer; readonly offset: number }
  | { readonly type: 'truncate'; readonly length: number }

interface File {
  readonly durable: Buffer
  readonly pending: readonly Change[]
}

/** A cut behind each sync, each delivery and each change of a file's length or name; `isStore` says which files count. */
export function* powerCuts(
  calls: readonly Call[],
  deliveries: readonly Delivery[],
  isStore: (path: string) => boolean,
): Generator<PowerCut> {
  const files = new Map<string, File>()
  const moments = [
    ...calls.filter(({ target }) => isStore(target)).map((call) => ({ at: call.end, call })),
    ...deliveries.map(({ at }) => ({ at, call: undefined })),
  ].toSorted((a, b) => a.at - b.at)
  for (const { at, call } of moments) {
    if (call && !apply(files, call)) continue
    const delivered = deliveries.filter((delivery) => delivery.at <= at).map(({ entry }) => entry)
    const then = [...files]
    yield {
      at,
      delivered,
      files: (survival) => new Map(then.map(([path, file]) => [path, surviving(file, survival)])),
    }
  }
}

/** True if the call is one behind which a cut is worth a look; plain writes only gather. */
function apply(files: Map<string, File>, call: Call): boolean {
  const { name, target, data, numbers, result } = call
  const known = files.get(target)
  const file = known ?? { durable: Buffer.alloc(0), pending: [] }
  const change = (more: Change) => files.set(target, { ...file, pending: [...file.pending, more] })
  if (isSync(call)) {
    files.set(target, { durable: surviving(file, (bytes) => bytes), pending: [] })
    return true
  }
  if (name === 'pwrite64' && result > 0) {
    change({ type: 'write', bytes: Buffer.from(data.slice(0, result), 'latin1'), offset: numbers.at(-1)! })
    return false
  }
  if (name === 'ftruncate' && result === 0) {
    change({ type: 'truncate', length: numbers.at(-1)! })
    return true
  }
  if (name.startsWith('unlink') && result === 0) return files.delete(target)
  if (name !== 'openat' || !call.flags.includes('O_CREAT') || known) return false
  files.set(target, file)
  return true
}

function surviving({ durable, pending }: File, survival: Survival): Buffer {
  let content = durable
  for (const change of pending) {
    if (change.type === 'truncate') {
      if (survival(1) > 0) content = resized(content, change.length)
      continue
    }
    const bytes = change.bytes.subarray(0, survival(change.bytes.length))
    if (bytes.length === 0) continue
    content = resized(content, Math.max(content.length, change.offset + bytes.length))
    bytes.copy(content, change.offset)
  }
  return content
}

/** A copy of another length; what is new is zero, as in a file with a hole. */
function resized(content: Buffer, length: number): Buffer {
  const copy = Buffer.alloc(length)
  content.copy(copy, 0, 0, Math.min(content.length, length))
  return copy
}
