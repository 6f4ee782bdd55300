/** How frames follow each other: SSE blocks, lines, or one JSON body. */
export type Framing = 'sse' | 'lines' | 'whole'

/** The body of an answer, whole, and when each part of it is due. Immutable; many answers may share one. */
export interface Reel {
  readonly bytes: Uint8Array
  readonly framing: Framing
  /** Where the parts end, ascending; the last is the length. Parts are frames, or the chunks of a timed recording. */
  readonly ends: readonly number[]
  /** When each part is due, in milliseconds after the start, ascending. Absent: all at once. */
  readonly due?: readonly number[]
}

/** A frame and when it is due. */
export interface Cue {
  readonly frame: string
  readonly at: number
}

/** Bytes that a reel is made in at first; doubled whenever they are full. */
const FIRST_BYTES = 16 * 1024

export function reelOf(framing: Framing, cues: Iterable<Cue>): Reel {
  let bytes = Buffer.allocUnsafe(FIRST_BYTES)
  let end = 0
  const ends: number[] = []
  const due: number[] = []
  for (const { frame, at } of cues) {
    // No UTF-16 unit takes more than three bytes.
    const needed = end + frame.length * 3
    if (needed > bytes.length) {
      const larger = Buffer.allocUnsafe(Math.max(needed, 2 * bytes.length))
      bytes.copy(larger, 0, 0, end)
      bytes = larger
    }
    end += bytes.write(frame, end)
    ends.push(end)
    due.push(at)
  }
  const reel = { framing, bytes: bytes.subarray(0, end), ends }
  return (due.at(-1) ?? 0) > 0 ? { ...reel, due } : reel
}

/** Bytes that came without times, one frame per token-time. */
export function pacedReel(framing: Framing, bytes: Uint8Array, tokenMs: number): Reel {
  const ends = frameEnds(framing, bytes)
  return tokenMs > 0 ? { bytes, framing, ends, due: ends.map((_, i) => (i + 1) * tokenMs) } : { bytes, framing, ends }
}

/** Where each frame ends. What follows the last complete frame counts as one more. */
export function frameEnds(framing: Framing, bytes: Uint8Array): number[] {
  const ends: number[] = []
  if (framing !== 'whole') {
    for (const match of latin1(bytes).matchAll(framing === 'sse' ? /\r\n\r\n|\n\n|\r\r/g : /\n/g))
      ends.push(match.index + match[0].length)
  }
  if (bytes.length > (ends.at(-1) ?? 0)) ends.push(bytes.length)
  return ends
}

/** One character per byte, so that positions in the text are positions in the bytes. */
export function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
}

/**
 * The reel with `bytes[from, to)` replaced. What stood around it keeps its bytes and times; the replacement is due
 * when the first byte that it replaces was.
 */
export function splice(reel: Reel, from: number, to: number, replacement: Uint8Array): Reel {
  const bytes = Buffer.concat([reel.bytes.subarray(0, from), replacement, reel.bytes.subarray(to)])
  const shift = bytes.length - reel.bytes.length
  const parts: { readonly end: number; readonly at: number }[] = []
  const push = (end: number, part: number) => {
    if (end > (parts.at(-1)?.end ?? 0)) parts.push({ end, at: reel.due?.at(part) ?? 0 })
  }
  const partAt = (offset: number) => reel.ends.findIndex((end) => end > offset)

  reel.ends.forEach((end, part) => {
    if (end <= from) push(end, part)
  })
  push(from, partAt(from - 1))
  push(from + replacement.length, partAt(from))
  reel.ends.forEach((end, part) => {
    if (end > to) push(end + shift, part)
  })
  const ends = parts.map(({ end }) => end)
  return { framing: reel.framing, bytes, ends, ...(reel.due ? { due: parts.map(({ at }) => at) } : {}) }
}
