import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto'

/** Makes and reads texts that only a holder of the key can have made. Anybody can read what they say. */
export interface Seal {
  /** The text in a spelling that fits into a cookie, a header or a URL. */
  close(text: string): string
  /** The text, or undefined where this key did not seal it. Takes a time that tells nothing of the right seal. */
  open(sealed: string): string | undefined
}

/** Longest sealed text that is looked at, in characters. Ours have less than 300. */
const MAX_SEALED = 1_024

/**
 * A seal of its own for each purpose, so that what was made for one is nothing to another. Its key follows from the
 * token: it is the same after a restart, and nothing of it holds once there is another token.
 */
export function sealFor(purpose: string, token: string): Seal {
  const key = Buffer.from(hkdfSync('sha256', token, '', `runlet ${purpose}`, 32))
  const mark = (text: string) => createHmac('sha256', key).update(text).digest('base64url')
  return {
    close(text) {
      const payload = Buffer.from(text).toString('base64url')
      return `${payload}.${mark(payload)}`
    },
    open(sealed) {
      const [payload = '', given = '', ...more] = sealed.length <= MAX_SEALED ? sealed.split('.') : []
      // As they are spelled, not as they decode: of one seal there is one spelling.
      if (more.length > 0 || !sameText(given, mark(payload))) return undefined
      return Buffer.from(payload, 'base64url').toString()
    },
  }
}

/** `timingSafeEqual` demands one length, which is no secret here. */
function sameText(given: string, expected: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(expected)]
  return a.length === b.length && timingSafeEqual(a, b)
}
