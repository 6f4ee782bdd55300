/**
 * Text whose pieces may be cut inside a surrogate pair: providers cut by tokens, and JSON can spell half a character.
 * What comes out is well formed and, joined, the same text; a half without its partner becomes U+FFFD.
 */
export interface WholeText {
  /** The part of everything so far that can be shown now; empty if that is nothing. */
  push(piece: string): string
  /** What the end leaves behind: U+FFFD for half a character, or nothing. */
  end(): string
}

export function wholeText(): WholeText {
  let half = ''
  return {
    push(piece) {
      // V8 answers this at once for text without wide characters, which is nearly all there is.
      if (half === '' && piece.isWellFormed()) return piece
      let text = half + piece
      half = ''
      const last = text.charCodeAt(text.length - 1)
      if (last >= 0xd800 && last < 0xdc00) {
        half = text.slice(-1)
        text = text.slice(0, -1)
      }
      return text.toWellFormed()
    },
    end() {
      const rest = half === '' ? '' : '\ufffd'
      half = ''
      return rest
    },
  }
}
