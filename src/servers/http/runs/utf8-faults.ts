/** Finds lines with bytes that are no UTF-8: a reader of lines shows such bytes as U+FFFD, which may also be meant. */
export interface Utf8Faults {
  push(chunk: Uint8Array): void
  /** Whether a line, counted from 1, is at fault. Forgets it. */
  take(line: number): boolean
}

const LF = 10
const NOTHING = new Uint8Array(0)

export function utf8Faults(): Utf8Faults {
  const decoder = new TextDecoder('utf-8', { fatal: true })
  const faulty = new Set<number>()
  let line = 1

  function check(bytes: Uint8Array, ends: boolean): void {
    if (faulty.has(line)) return
    try {
      decoder.decode(bytes, { stream: !ends })
    } catch {
      faulty.add(line)
      reset(decoder)
    }
  }

  return {
    push(chunk) {
      let start = 0
      for (let end = chunk.indexOf(LF); end !== -1; end = chunk.indexOf(LF, start)) {
        check(chunk.subarray(start, end), true)
        line++
        start = end + 1
      }
      check(chunk.subarray(start), false)
    },
    take: (number) => faulty.delete(number),
  }
}

/** Half a character that came before must not be held against the next line. */
function reset(decoder: TextDecoder): void {
  try {
    decoder.decode(NOTHING)
  } catch {
    // What it held was at fault, too.
  }
}
