import type { Reel } from './reel.ts'

/** Keeps the reels that were asked for last, so that a thousand equal answers are spelled once. */
export interface ReelCache {
  /** A `make` that throws or rejects is not kept. */
  get(key: string, make: () => Reel | Promise<Reel>): Promise<Reel>
}

/** Of all that are kept; a larger one is kept alone, until another comes. */
const MAX_BYTES = 64 * 1024 * 1024
/** A request with a longer key (a long conversation) is not likely to come twice. */
const MAX_KEY = 8 * 1024

export function reelCache(): ReelCache {
  const kept = new Map<string, Promise<Reel>>()
  const sizes = new Map<string, number>()
  let total = 0

  const keep = (key: string, { bytes, ends }: Reel) => {
    const size = bytes.length + ends.length * 16
    total += size
    sizes.set(key, size)
    for (const [oldest, its] of sizes) {
      if (total <= MAX_BYTES || oldest === key) break
      kept.delete(oldest)
      sizes.delete(oldest)
      total -= its
    }
  }

  return {
    async get(key, make) {
      if (key.length > MAX_KEY) return make()
      const known = kept.get(key)
      if (known) return known
      const made = Promise.resolve().then(make)
      // The promise is kept, so that requests which come at once share one making.
      kept.set(key, made)
      try {
        keep(key, await made)
      } catch (cause) {
        kept.delete(key)
        throw cause
      }
      return made
    },
  }
}
