/**
 * Every token holds one `@`, and nothing else on the wire does. It is a single byte, so that a client can count tokens
 * in any spelling and framing without reading them. Where delay is measured, the time of sending follows it:
 * microseconds of the machine's clock in 15 digits.
 */
export const MARK = '@'

const MARK_BYTE = MARK.charCodeAt(0)
const ZERO = 0x30
const DIGITS = 15

export function countMarks(chunk: Buffer): number {
  let count = 0
  for (let at = chunk.indexOf(MARK_BYTE); at >= 0; at = chunk.indexOf(MARK_BYTE, at + 1)) count++
  return count
}

/** The text of a token that says when it was sent. */
export function stampText(us: number): string {
  return ` ${MARK}${Math.round(us).toString().padStart(DIGITS, '0')}`
}

export interface StampReader {
  /** Calls back with each stamp that the chunk completes, in microseconds. */
  push(chunk: Buffer, onStamp: (us: number) => void): void
}

/** Finds stamps in bytes that may be cut anywhere, but with nothing put between. Made for one stream. */
export function stampReader(): StampReader {
  let us = 0
  /** Digits still to come of the stamp under way. */
  let left = 0
  return {
    push(chunk, onStamp) {
      let at = 0
      for (;;) {
        if (left === 0) {
          at = chunk.indexOf(MARK_BYTE, at) + 1
          if (at === 0) return
          us = 0
          left = DIGITS
        }
        while (left > 0 && at < chunk.length) {
          us = us * 10 + chunk[at++]! - ZERO
          left--
        }
        if (left > 0) return
        onStamp(us)
      }
    },
  }
}
