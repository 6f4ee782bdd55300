/** Where a text may be cut so that nobody sees half a character. */

/** What is looked at before and behind a place: what one sees as one character is hardly ever longer. */
const WINDOW = 64

/**
 * The first place from `at` on that lies in no surrogate pair, and, where `Intl.Segmenter` is there, in no grapheme. The
 * end of the text counts as such a place, though what comes next may belong to its last character.
 */
export function safeCut(text: string, at: number): number {
  if (at <= 0) return 0
  if (at >= text.length) return text.length
  const place = inPair(text, at) ? at + 1 : at
  // Before ASCII, nothing joins but a line feed.
  if (place === text.length || (text.charCodeAt(place) < 0x80 && text[place] !== '\n')) return place
  if (typeof Intl.Segmenter !== 'function') return place
  let from = Math.max(0, place - WINDOW)
  if (inPair(text, from)) from++
  const around = new Intl.Segmenter().segment(text.slice(from, place + WINDOW))
  const grapheme = around.containing(place - from)
  if (!grapheme || grapheme.index === place - from) return place
  return Math.min(text.length, from + grapheme.index + grapheme.segment.length)
}

const inPair = (text: string, at: number) =>
  (text.charCodeAt(at - 1) & 0xfc00) === 0xd800 && (text.charCodeAt(at) & 0xfc00) === 0xdc00
