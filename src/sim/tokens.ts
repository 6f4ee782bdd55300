// A word with the blanks before it; in scripts that are written without blanks, one character.
const TOKEN =
  /\s*(?:[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}]|[^\s\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}]+)|\s+/gu

/** Cuts text into what stands for tokens here: words. Joined again they are the text; none is half a surrogate pair. */
export function tokens(text: string): string[] {
  return text.match(TOKEN) ?? []
}

/** Cuts text into pieces of at most `length` characters, none of them half a surrogate pair. */
export function pieces(text: string, length: number): string[] {
  return text.match(new RegExp(`.{1,${length}}`, 'gsu')) ?? []
}
