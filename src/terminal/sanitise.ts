/**
 * Text from a model, a tool or a network, made safe for a terminal: whatever it says, it can only print.
 *
 * Every character that a terminal could obey becomes one that it shows: C0 controls and DEL as their pictures
 * (ESC is `␛`), C1 controls and bidirectional controls as `\u009b`. Escape sequences need no parsing then: without its
 * first character a sequence is plain text, however it was cut. CR LF becomes LF; tab and LF pass.
 */

/** Characters that are not simply printed. The bidirectional ones reorder what stands around them (CVE-2021-42574). */
// oxlint-disable-next-line no-control-regex
const UNSAFE = /[\0-\x08\x0B-\x1F\x7F-\x9F\u061C\u200E\u200F\u202A-\u202E\u2066-\u2069]/
const EACH_UNSAFE = new RegExp(UNSAFE, 'g')

/** A text without anything that a terminal obeys, tab and LF excepted. */
export function sanitise(text: string): string {
  if (!UNSAFE.test(text)) return text
  return text.replaceAll('\r\n', '\n').replace(EACH_UNSAFE, shown)
}

/** For one line of a report: as `sanitise`, with line breaks shown too. */
export function sanitiseLine(text: string): string {
  return sanitise(text).replace(/\n/g, '␊').replace(/\t/g, ' ')
}

/** Sanitises a text that comes in pieces. The result does not depend on where it was cut. */
export interface Sanitiser {
  push(text: string): string
  /** What was held back, once there is no more. */
  end(): string
}

export function sanitiser(): Sanitiser {
  /** A CR that may be half of a CR LF, or the first half of a surrogate pair. */
  let held = ''
  return {
    push(text) {
      const all = held + text
      const last = all.charCodeAt(all.length - 1)
      const half = last === 0x0d || (last >= 0xd800 && last <= 0xdbff)
      held = half ? all.slice(-1) : ''
      return sanitise(half ? all.slice(0, -1) : all)
    },
    end() {
      const rest = sanitise(held)
      held = ''
      return rest
    },
  }
}

function shown(character: string): string {
  const code = character.charCodeAt(0)
  if (code < 0x20) return String.fromCharCode(0x2400 + code)
  if (code === 0x7f) return '␡'
  return `\\u${code.toString(16).padStart(4, '0')}`
}
