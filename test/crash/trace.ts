/**
 * System calls of a process, as `strace -f -y -s BIG -o FILE -e trace=CALLS` writes them down, and what they prove: that
 * nothing was delivered before it was durable. It judges a test's child by what it prints, and a server by what it
 * sends, with the same rules.
 */
import { dirname } from 'node:path'

/** What has to be traced. */
export const CALLS = 'openat,write,pwrite64,writev,pwritev,sendto,sendmsg,fsync,fdatasync,ftruncate,unlink,unlinkat'

export interface Call {
  readonly name: string
  /** What the call was about: the path of its file descriptor, `TCP:[…]`, `UNIX-STREAM:[…]`, or the path it names. */
  readonly target: string
  readonly fd: number
  /** Bytes that were handed over, one character each. */
  readonly data: string
  /** The numbers among the arguments, in order, without the descriptor. */
  readonly numbers: readonly number[]
  readonly flags: string
  readonly result: number
  /** Lines of the trace where it began and where it ended. */
  readonly begin: number
  readonly end: number
}

/** The calls of a trace, in the order in which they ended. */
export function parseTrace(trace: string): Call[] {
  const calls: Call[] = []
  /** Calls under way, by thread. */
  const open = new Map<string, { readonly text: string; readonly begin: number }>()
  trace.split('\n').forEach((line, at) => {
    const match = /^(\d+) +(?:<\.\.\. \w+ resumed>)?(.*)$/s.exec(line)
    if (!match || /^(?:\+\+\+|---)/.test(match[2]!)) return
    const [, thread = '', rest = ''] = match
    const before = line.includes('resumed>') ? open.get(thread) : undefined
    open.delete(thread)
    const text = (before?.text ?? '') + rest
    if (text.endsWith(' <unfinished ...>')) {
      open.set(thread, { text: text.slice(0, -' <unfinished ...>'.length), begin: before?.begin ?? at })
    } else {
      const call = parseCall(text, before?.begin ?? at, at)
      if (call) calls.push(call)
    }
  })
  return calls
}

function parseCall(text: string, begin: number, end: number): Call | undefined {
  const literals = [...text.matchAll(/"((?:[^"\\]|\\.)*)"(\.\.\.)?/g)]
  const bare = text.replaceAll(/"(?:[^"\\]|\\.)*"/g, '""')
  const match = /^(\w+)\((.*)\)\s+= (-?\d+)/.exec(bare)
  if (!match) return undefined
  if (literals.some(([, , cut]) => cut)) throw new Error('the trace is cut short: trace with a larger -s')
  const [, name = '', args = '', result] = match
  const described = /^(\d+)<((?:->|[^<>])*)>/.exec(args)
  const data = literals.map(([, literal]) => unescape(literal!)).join('')
  return {
    name,
    target: described?.[2] ?? data,
    fd: Number(described?.[1] ?? -1),
    data: described ? data : '',
    numbers: [...args.matchAll(/, (\d+)(?=,|$)/g)].map(([, number]) => Number(number)),
    flags: /O_\w+(?:\|O_\w+)*/.exec(args)?.[0] ?? '',
    result: Number(result),
    begin,
    end,
  }
}

const escapes: Record<string, string> = { n: '\n', t: '\t', r: '\r', v: '\v', f: '\f', '"': '"', '\\': '\\' }

function unescape(literal: string): string {
  return literal.replaceAll(
    /\\(?:x([0-9a-f]{2})|([0-7]{1,3})|(.))/g,
    (_, hex?: string, octal?: string, char?: string) => {
      if (hex) return String.fromCharCode(Number.parseInt(hex, 16))
      return octal ? String.fromCharCode(Number.parseInt(octal, 8)) : escapes[char!]!
    },
  )
}

export interface Rules {
  /** Files that hold entries. */
  readonly isStore: (path: string) => boolean
  /** Descriptors that clients read. */
  readonly isClient: (call: Call) => boolean
  /** Finds entries in what is written to the store; group 1 names the entry. */
  readonly stored: RegExp
  /**
   * Finds them in what is sent, group 1 being the same name. It is to match up to what ends the name, since writes may
   * cut it in two.
   */
  readonly delivered: RegExp
  /** True if the store was not there before: then its names must be durable, too. */
  readonly fresh: boolean
}

export interface Verdict {
  /** Entries that were delivered, in order, each the first time. */
  readonly delivered: readonly Delivery[]
  /** Those that a power cut at the moment of their delivery would have taken back. */
  readonly early: readonly Delivery[]
}

export interface Delivery {
  readonly entry: string
  /** Line of the trace. */
  readonly at: number
}

/** Judges each delivery: its bytes were written, then synced, and only then sent. */
export function judge(calls: readonly Call[], rules: Rules): Verdict {
  const durable = durableSince(calls, rules)
  const delivered = deliveries(calls, rules)
  return { delivered, early: delivered.filter(({ entry, at }) => !((durable.get(entry) ?? Infinity) < at)) }
}

export const isSync = (call: Call) => (call.name === 'fsync' || call.name === 'fdatasync') && call.result === 0

const isWrite = (call: Call) => /^(?:p?writev?|pwrite64|sendto|sendmsg)$/.test(call.name) && call.result > 0

/** For each entry that was written: the line at which a power cut could not take it back any more. */
function durableSince(calls: readonly Call[], { isStore, stored, fresh }: Rules): Map<string, number> {
  const syncs = calls.filter(isSync)
  const syncedAfter = (path: string, at: number) =>
    syncs.find(({ target, begin }) => target === path && begin > at)?.end ?? Infinity
  const names = new Map<string, number>()
  const durable = new Map<string, number>()
  for (const call of calls) {
    if (!isStore(call.target)) continue
    if (call.name === 'openat' && call.flags.includes('O_CREAT') && !names.has(call.target)) {
      names.set(call.target, fresh ? syncedAfter(dirname(call.target), call.end) : -1)
    }
    if (!isWrite(call)) continue
    let synced: number | undefined
    for (const [, entry = ''] of call.data.matchAll(stored)) {
      if (durable.has(entry)) continue
      synced ??= Math.max(syncedAfter(call.target, call.end), names.get(call.target) ?? -1)
      durable.set(entry, synced)
    }
  }
  return durable
}

/** A client's bytes may cut an entry's name in two: what is left behind the last one found is looked at again. */
function deliveries(calls: readonly Call[], { isClient, delivered }: Rules): Delivery[] {
  const found = new Map<string, Delivery>()
  const rests = new Map<string, string>()
  for (const call of calls.toSorted((a, b) => a.begin - b.begin)) {
    if (!isWrite(call) || !isClient(call)) continue
    const client = `${call.fd} ${call.target}`
    const text = (rests.get(client) ?? '') + call.data.slice(0, call.result)
    let rest = 0
    for (const match of text.matchAll(delivered)) {
      rest = match.index + match[0].length
      if (!found.has(match[1]!)) found.set(match[1]!, { entry: match[1]!, at: call.begin })
    }
    rests.set(client, text.slice(Math.max(rest, text.length - 4096)))
  }
  return [...found.values()]
}
