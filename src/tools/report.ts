/** Most bytes of one tool result: what a model can use, and small enough to keep in every log. */
export const maxResultBytes = 65_536

/** Gathers lines of a tool's answer up to a limit of bytes, and says at the end what is missing. */
export interface Report {
  /** Adds a line, without its line feed. False, and nothing is added, once the limit is reached. */
  add(line: string): boolean
  /** Adds a remark that stands behind the lines whatever the limit; for what the reader should know of the answer. */
  note(remark: string): void
  /** The lines and remarks, or `empty` if there are none. */
  text(empty: string): string
}

/** Room that is kept for remarks. */
const remarkBytes = 1_024

export function report(maxBytes = maxResultBytes): Report {
  const lines: string[] = []
  const remarks: string[] = []
  let left = maxBytes - remarkBytes
  return {
    add(line) {
      left -= Buffer.byteLength(line) + 1
      if (left < 0) return false
      lines.push(line)
      return true
    },
    note(remark) {
      remarks.push(`[${remark}]`)
    },
    text: (empty) => [...(lines.length === 0 ? [empty] : lines), ...remarks].join('\n'),
  }
}

/** A path as a line shows it: quoted if it contains what could break the line or hide in it. */
export function shownPath(path: string): string {
  return /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}"]/u.test(path) ? JSON.stringify(path) : path
}
