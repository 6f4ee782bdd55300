/** Too short to be told from a word. */
const SHORTEST = 8

/**
 * Takes secrets out of texts: as they are, and as they stand in base64 (a header's value, the user part of a URL), in a
 * URL, in JSON and in a header that was quoted.
 */
export function redactor(secrets: readonly string[]): (text: string) => string {
  const spellings = [...new Set(secrets.filter((secret) => secret.length >= SHORTEST).flatMap(spellingsOf))]
  // The longest first: one may be a part of another.
  const ordered = spellings.toSorted((a, b) => b.length - a.length)
  return (text) => ordered.reduce((rest, spelling) => rest.replaceAll(spelling, '[redacted]'), text)
}

function spellingsOf(secret: string): string[] {
  const bytes = Buffer.from(secret)
  const json = JSON.stringify(secret).slice(1, -1)
  return [
    secret,
    encodeURIComponent(secret),
    json,
    JSON.stringify(json).slice(1, -1),
    bytes.toString('hex'),
    ...inBase64(bytes, 'base64'),
    ...inBase64(bytes, 'base64url'),
  ].filter((spelling) => spelling.length >= SHORTEST)
}

/** What three bytes before and behind it do not change: it may stand in the middle of something longer. */
function inBase64(bytes: Buffer, encoding: 'base64' | 'base64url'): string[] {
  return [0, 1, 2].map((shift) => {
    const text = Buffer.concat([Buffer.alloc(shift), bytes])
      .toString(encoding)
      .replace(/=+$/, '')
    const end = ((shift + bytes.length) * 8) % 6 === 0 ? text.length : text.length - 1
    return text.slice(Math.ceil((shift * 8) / 6), end)
  })
}
