import { isWordCharacter } from './characters.ts'
import type { Program } from './program.ts'

/** What a text consists of: stretches that no pattern matches, and matches. */
export type Piece =
  | { readonly type: 'text'; readonly text: string }
  /** `pattern` is its place in the list that the program was made of. */
  | { readonly type: 'match'; readonly pattern: number }

/** Finds patterns in a text that comes in pieces; what it finds does not depend on where they are cut. */
export interface Matcher {
  /** What is certain by now. The text from where a match may still begin is held back: `maxLength` at most. */
  push(text: string): Piece[]
  /** The rest. What is pushed behind it is another text. */
  end(): Piece[]
}

export interface MatcherOptions {
  /** Longest match, in UTF-16 units. What is longer is not found. */
  readonly maxLength: number
}

/** A way through the program that has not failed yet: the step that it waits at, and where in the text it began. */
interface Thread {
  readonly step: number
  readonly start: number
}

const END = -1

/**
 * The match that begins first counts, and of those the longest, and of those the first in the list; the search goes on
 * behind it. All ways through the program are followed at once (Thompson 1968), so that no text makes it slow.
 */
export function matcher(program: Program, { maxLength }: MatcherOptions): Matcher {
  /** Text that was not handed on. */
  let held = ''
  /** Where in it the next character is read; that character, `END` behind the last; whether an edge of a word is there. */
  let at = 0
  let code = END
  let edge = false
  let afterWord = false
  /** In the order of their starts. */
  let threads: Thread[] = []
  let found: { readonly start: number; end: number; pattern: number } | undefined
  /** The round in which each step was last gone through, or waited at: who comes first has the earlier start. */
  const passed = new Uint32Array(program.length)
  const waited = new Uint32Array(program.length)
  let round = 0
  const pending: number[] = []
  /** By character and edge, for ASCII: the steps behind the first character of every match that it may begin. */
  const begins: (readonly number[] | undefined)[] = []

  /** Goes on from a step without reading, and reads the character wherever that is the next thing to do. */
  function follow(from: number, start: number, next: Thread[]): void {
    pending.push(from)
    for (let step = pending.pop(); step !== undefined; step = pending.pop()) {
      if (passed[step] === round) continue
      passed[step] = round
      const what = program[step]!
      if (what.type === 'fork') for (let i = what.to.length - 1; i >= 0; i--) pending.push(what.to[i]!)
      else if (what.type === 'edge') {
        if (what.is === edge) pending.push(step + 1)
      } else if (what.type === 'match') complete(start, what.pattern)
      else if (code !== END && at + widthOf(code) - start <= maxLength && what.test(code)) {
        waited[step + 1] = round
        next.push({ step: step + 1, start })
      }
    }
  }

  function complete(start: number, pattern: number): void {
    if (!found || start < found.start || (start === found.start && at > found.end)) found = { start, end: at, pattern }
  }

  /** Where a match that begins with the character goes on. */
  function begun(): readonly number[] {
    const key = code * 2 + Number(edge)
    const known = begins[key]
    if (known) return known
    round++
    const next: Thread[] = []
    follow(0, at, next)
    const steps = next.map(({ step }) => step)
    if (code < 128) begins[key] = steps
    return steps
  }

  /** Reads the character, or the end. True if a match is certain by it; the character itself is then still to be read. */
  function read(): boolean {
    const next: Thread[] = []
    const fresh = found || code === END ? [] : begun()
    round++
    // Those that are as long as a match may be can only be complete; they do not stand in the way of shorter ones.
    let full = 0
    while (full < threads.length && at - threads[full]!.start >= maxLength) full++
    for (const { step, start } of threads.slice(0, full)) follow(step, start, next)
    if (full > 0) round++
    for (const { step, start } of full > 0 ? threads.slice(full) : threads) follow(step, start, next)
    for (const step of fresh) if (waited[step] !== round) next.push({ step, start: at })
    const first = found?.start ?? Infinity
    threads = found ? next.filter(({ start }) => start <= first) : next
    return found !== undefined && threads.length === 0
  }

  /** Hands on what stands before the match, and the match; the search begins anew behind it. */
  function settle(out: Piece[]): void {
    const { start, end, pattern } = found!
    if (start > 0) out.push({ type: 'text', text: held.slice(0, start) })
    out.push({ type: 'match', pattern })
    afterWord = isWordCharacter(lastCodePoint(held, end))
    held = held.slice(end)
    at = 0
    threads = []
    found = undefined
  }

  function advance(out: Piece[]): void {
    while (at < held.length) {
      code = held.codePointAt(at)!
      const word = isWordCharacter(code)
      edge = word !== afterWord
      // Most text is this: nothing under way, and nothing that begins here.
      const idle = threads.length === 0 && !found && begins[code * 2 + Number(edge)]?.length === 0
      if (!idle && read()) settle(out)
      else {
        at += widthOf(code)
        afterWord = word
      }
    }
  }

  function letGo(safe: number, out: Piece[]): void {
    if (safe === 0) return
    out.push({ type: 'text', text: held.slice(0, safe) })
    held = held.slice(safe)
    at -= safe
    threads = threads.map(({ step, start }) => ({ step, start: start - safe }))
    if (found) found = { ...found, start: found.start - safe, end: found.end - safe }
  }

  return {
    push(text) {
      const out: Piece[] = []
      held += text
      advance(out)
      letGo(Math.min(threads[0]?.start ?? at, found?.start ?? at), out)
      return out
    },
    end() {
      const out: Piece[] = []
      for (;;) {
        advance(out)
        // The end is an edge behind a word. A match that it completes may leave text behind that is read again.
        code = END
        edge = afterWord
        read()
        if (!found) break
        settle(out)
      }
      letGo(held.length, out)
      afterWord = false
      return out
    },
  }
}

const widthOf = (code: number) => (code > 0xffff ? 2 : 1)

function lastCodePoint(text: string, end: number): number {
  const low = text.charCodeAt(end - 1)
  return low >= 0xdc00 && low < 0xe000 && end > 1 ? text.codePointAt(end - 2)! : low
}
