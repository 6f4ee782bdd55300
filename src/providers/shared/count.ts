/** A number of tokens or characters that a provider tells; undefined for what is none: it could not be stored or added. */
export const countOf = (value: unknown): number | undefined =>
  Number.isSafeInteger(value) && Number(value) >= 0 ? Number(value) : undefined

/** The sum of such counts, itself one. */
export const sumOf = (a: number, b: number): number => Math.min(a + b, Number.MAX_SAFE_INTEGER)
