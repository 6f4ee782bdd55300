/** Whether a character, by its code point, is one of a kind. */
export type CharacterTest = (codePoint: number) => boolean

/** The characters that a piece of a regular expression matches: one character, one class. Throws `SyntaxError`. */
export function charactersOf(atom: string, { caseSensitive }: { readonly caseSensitive: boolean }): CharacterTest {
  const one = new RegExp(`^${atom}$`, caseSensitive ? 'u' : 'iu')
  const ascii = new Uint8Array(128).map((_, code) => (one.test(String.fromCharCode(code)) ? 1 : 0))
  return (code) => (code < 128 ? ascii[code] === 1 : one.test(String.fromCodePoint(code)))
}

const WORD = /^[\p{L}\p{M}\p{N}_]$/u
const asciiWord = new Uint8Array(128).map((_, code) => (WORD.test(String.fromCharCode(code)) ? 1 : 0))

/** Letters, marks and digits of all scripts, and `_`: between these and all else there is an edge of a word. */
export const isWordCharacter: CharacterTest = (code) =>
  code >= 0 && (code < 128 ? asciiWord[code] === 1 : WORD.test(String.fromCodePoint(code)))

const UNSPACED =
  /^[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]$/u

/** Whether a word that begins or ends with this character is set apart from its neighbours. */
export const isSetApart = (character: string): boolean =>
  isWordCharacter(character.codePointAt(0)!) && !UNSPACED.test(character)
