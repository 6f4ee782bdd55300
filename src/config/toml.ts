/** Reads TOML, and remembers where each key stands, so that a complaint about a value can name its line. */
import { parse, TomlError } from 'smol-toml'
import { RunletError } from '../core/error.ts'

export interface TomlFile {
  readonly value: Readonly<Record<string, unknown>>
  /** `FILE:LINE:COLUMN` of a key, or of the nearest table around it. */
  where(path: readonly PropertyKey[]): string
}

/** Throws `invalid_request` with reason `config_invalid`; the message names file, line and column and shows the line. */
export function readToml(text: string, file: string): TomlFile {
  try {
    const value = parse(text)
    let keys: readonly KeyPlace[] | undefined
    return { value, where: (path) => nameOf(file, nearestPlace((keys ??= findKeys(text)), path)) }
  } catch (cause) {
    if (!(cause instanceof TomlError)) throw cause
    const line = text.split(/\r?\n/)[cause.line - 1] ?? ''
    // The parser means the line feed that a string which lacks its closing quote runs into.
    const open = cause.message.includes('control characters') && cause.column > line.length
    const bare = /^\s*[\w."'-]+\s*=\s*[a-z][\w./:-]*\s*(?:#.*)?$/i.test(line) && cause.message.includes('invalid value')
    const said = cause.message.split('\n', 1)[0]!.replace(/^.*document: /, '')
    const what = open ? 'this string is not closed' : bare ? `${said} (put text in quotes)` : said
    throw new RunletError('invalid_request', {
      reason: 'config_invalid',
      message: `${file}:${cause.line}:${cause.column}: ${what}${line.trim() ? ` in: ${line.trim()}` : ''}`,
      cause,
    })
  }
}

interface KeyPlace {
  readonly path: readonly string[]
  readonly line: number
  readonly column: number
}

const nameOf = (file: string, place: KeyPlace | undefined) => `${file}:${place?.line ?? 1}:${place?.column ?? 1}`

/** The key itself, else the deepest key or table that holds it. */
function nearestPlace(keys: readonly KeyPlace[], path: readonly PropertyKey[]): KeyPlace | undefined {
  let best: KeyPlace | undefined
  for (const key of keys) {
    const holds = key.path.length <= path.length && key.path.every((part, i) => part === String(path[i]))
    if (holds && key.path.length > (best?.path.length ?? 0)) best = key
  }
  return best
}

const KEY = String.raw`(?:[A-Za-z0-9_-]+|"(?:[^"\\]|\\.)*"|'[^']*')`
const DOTTED = String.raw`${KEY}(?:[ \t]*\.[ \t]*${KEY})*`
// Strings and comments are matched first, so that nothing inside them is taken for a key.
const TOKEN = new RegExp(
  String.raw`(?<skip>"""[^]*?"""|'''[^]*?'''|#[^\n]*)` +
    String.raw`|(?<=^[ \t]*)\[(?<list>\[?)[ \t]*(?<table>${DOTTED})[ \t]*\]` +
    String.raw`|(?<key>${DOTTED})[ \t]*=` +
    String.raw`|"(?:[^"\\\n]|\\.)*"|'[^'\n]*'|(?<open>\{)|(?<close>\})`,
  'gm',
)

/**
 * Every key of a document that has been parsed, in order, with its full path. Inline tables are entered; the tables of
 * an array have their place in it as a part of the path.
 */
function findKeys(text: string): KeyPlace[] {
  const keys: KeyPlace[] = []
  let table: readonly string[] = []
  /** What the inline tables that are open belong to. */
  const inline: (readonly string[])[] = []
  let last: readonly string[] = []
  /** How many tables each array has. */
  const lists = new Map<string, number>()
  for (const match of text.matchAll(TOKEN)) {
    const { list, table: header, key, open, close } = match.groups!
    if (header !== undefined) {
      table = last = placed(splitKey(header), list === '[', lists)
      inline.length = 0
    } else if (key !== undefined) last = [...(inline.at(-1) ?? table), ...splitKey(key)]
    else if (open !== undefined) inline.push(last)
    else if (close !== undefined) inline.pop()
    const name = header ?? key
    if (name !== undefined) keys.push({ path: last, ...placeOf(text, match.index + match[0].indexOf(name)) })
  }
  return keys
}

/** The path of a table, where every array on the way stands for its last table. */
function placed(path: readonly string[], adds: boolean, lists: Map<string, number>): string[] {
  const full: string[] = []
  for (const [i, part] of path.entries()) {
    full.push(part)
    const list = JSON.stringify(full)
    if (adds && i === path.length - 1) lists.set(list, (lists.get(list) ?? 0) + 1)
    const count = lists.get(list)
    if (count !== undefined) full.push(String(count - 1))
  }
  return full
}

function splitKey(dotted: string): string[] {
  return Array.from(dotted.matchAll(new RegExp(KEY, 'g')), ([part]) => {
    return /^["']/.test(part) ? part.slice(1, -1) : part
  })
}

function placeOf(text: string, index: number): { line: number; column: number } {
  const before = text.slice(0, index).split('\n')
  return { line: before.length, column: before.at(-1)!.length + 1 }
}
