/** Where foreign JSON enters: bounded in size, depth and number, and told apart from damage with a typed error. */
import { RunletError } from '../core/error.ts'
import type { JsonObject, JsonValue } from '../core/json.ts'

/** What foreign JSON may be at most. */
export interface JsonOptions {
  /** Deepest nesting of arrays and objects. Default 64. Deeper throws `invalid_request`, `json_too_deep`. */
  readonly maxDepth?: number
  /**
   * Most members of all objects and arrays together. Default 100,000: parsing more keeps everybody else waiting. More
   * throws `invalid_request`, `json_too_many`.
   */
  readonly maxMembers?: number
  /** Longest text, in bytes of UTF-8. Default 1 MiB. Longer throws `invalid_request`, `json_too_large`. */
  readonly maxBytes?: number
  /** What the text is, for messages. Default `this`. */
  readonly name?: string
}

/** An object as it was read, its members unchecked. What is kept of it goes through `boundedJson` first. */
export type JsonRecord = Readonly<Record<string, unknown>>

const MAX_DEPTH = 64
const MAX_MEMBERS = 100_000
const MAX_BYTES = 1 << 20

/**
 * Throws `invalid_request` with reason `bad_json`, `json_too_deep`, `json_too_many` or `json_too_large`; the cause shows
 * the place.
 */
export function parseJson(text: string, options: JsonOptions = {}): JsonValue {
  const { maxDepth = MAX_DEPTH, maxMembers = MAX_MEMBERS, maxBytes = MAX_BYTES } = options
  if (longerThan(text, maxBytes)) {
    throw new RunletError('invalid_request', {
      reason: 'json_too_large',
      message: `the JSON is longer than the ${maxBytes} bytes that are accepted`,
    })
  }
  // A member takes two characters, so a short text needs no count.
  if (text.length > 2 * maxMembers && hasMoreCommas(text, maxMembers)) throw tooMany(maxMembers)
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw badJson(text, error)
  }
  return boundedJson(value, { maxDepth, maxMembers })
}

/** `parseJson` for texts that must be an object. An array or a plain value throws `bad_json` too, and says which it is. */
export function parseJsonObject(text: string, options?: JsonOptions): JsonObject {
  const value = parseJson(text, options)
  if (isRecord(value)) return value
  throw new RunletError('invalid_request', {
    reason: 'bad_json',
    message: `${options?.name ?? 'this'} is not a JSON object but ${kindOf(value)}`,
    cause: new TypeError(`it is JSON, but no object; near ${excerpt(text)}`),
  })
}

/**
 * The value itself, if it is not nested too deeply and has not too many members, nor a number without end: `JSON.parse`
 * reads a depth at which `JSON.stringify` and `structuredClone` throw, and `1e999` as something that is written as
 * `null`, so such a value could be received but never stored. Throws as `parseJson`.
 */
export function boundedJson(value: unknown, options: Pick<JsonOptions, 'maxDepth' | 'maxMembers'> = {}): JsonValue {
  const { maxDepth = MAX_DEPTH, maxMembers = MAX_MEMBERS } = options
  const tooDeep = () =>
    new RunletError('invalid_request', {
      reason: 'json_too_deep',
      message: `the JSON is nested deeper than the ${maxDepth} levels that are accepted`,
    })
  let left = maxMembers
  const check = (one: unknown, depth: number): void => {
    if (typeof one === 'number' && !Number.isFinite(one)) throw tooLarge()
    if (typeof one !== 'object' || one === null) return
    if (depth === 0) throw tooDeep()
    const members: readonly unknown[] = Array.isArray(one) ? one : Object.values(one)
    left -= members.length
    if (left < 0) throw tooMany(maxMembers)
    for (const member of members) check(member, depth - 1)
  }
  check(value, maxDepth)
  return value as JsonValue
}

/** True for objects, and not for arrays and null. */
export function isRecord(value: unknown): value is JsonRecord {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The error for text that is no JSON. `error` is what `JSON.parse` threw; the text itself goes into the cause only. */
export function badJson(text: string, error: unknown): RunletError {
  const position = positionOf(text, error)
  return new RunletError('invalid_request', {
    reason: 'bad_json',
    message:
      position === undefined ? 'this is not the JSON that was expected' : `no valid JSON from character ${position} on`,
    cause: new SyntaxError(
      `${error instanceof Error ? error.message : String(error)}; near ${excerpt(text, position)}`,
    ),
  })
}

/** A piece of a foreign text around a position, quoted, for causes and logs. */
export function excerpt(text: string, position: number = 0): string {
  const start = Math.max(0, Math.min(position, text.length) - 60)
  return JSON.stringify(text.slice(start, start + 120)) + (text.length > 120 ? ` of ${text.length} characters` : '')
}

/** True if the text that `JSON.parse` refused is the beginning of JSON, at fault only for its end. */
export function isCutJson(text: string, error: unknown): boolean {
  return (positionOf(text, error) ?? 0) >= text.length
}

/** V8 names the position in some of its messages only. */
function positionOf(text: string, error: unknown): number | undefined {
  const message = error instanceof SyntaxError ? error.message : ''
  if (message.startsWith('Unexpected end')) return text.length
  const match = /at position (\d+)/.exec(message)
  return match ? Number(match[1]) : undefined
}

function kindOf(value: JsonValue): string {
  if (value === null) return 'null'
  return Array.isArray(value) ? 'an array' : `a ${typeof value}`
}

function tooLarge(): RunletError {
  return new RunletError('invalid_request', {
    reason: 'bad_json',
    message: 'a number in the JSON is larger than can be represented (about 1.8e308)',
  })
}

function tooMany(maxMembers: number): RunletError {
  return new RunletError('invalid_request', {
    reason: 'json_too_many',
    message: `the JSON has more than the ${maxMembers} members that are accepted`,
  })
}

const QUOTE = 0x22
const COMMA = 0x2c
const BACKSLASH = 0x5c

/** Whether there are more commas than `most` outside of strings: so many members, at least, before they are made. */
function hasMoreCommas(text: string, most: number): boolean {
  let commas = 0
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code === QUOTE) {
      i = endOfString(text, i)
      if (i < 0) return false
    } else if (code === COMMA && ++commas > most) return true
  }
  return false
}

/** Where a string ends that begins at `start`; -1 if it does not. */
function endOfString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); end >= 0; end = text.indexOf('"', end + 1)) {
    let slashes = 0
    while (text.charCodeAt(end - 1 - slashes) === BACKSLASH) slashes++
    if (slashes % 2 === 0) return end
  }
  return -1
}

function longerThan(text: string, maxBytes: number): boolean {
  // A UTF-16 unit is one to three bytes of UTF-8.
  if (text.length > maxBytes) return true
  return text.length * 3 > maxBytes && new TextEncoder().encode(text).length > maxBytes
}
