/** Ways to cut bytes that must not matter: a decoder gives the same for all of them, and never a success for a part. */
import type { Decoder } from '../wire/decode.ts'

/** The bytes whole, then cut once at every place: as many lists of chunks as there are bytes. */
export function* everySplit(bytes: Uint8Array): Generator<readonly Uint8Array[]> {
  yield [bytes]
  for (let at = 1; at < bytes.length; at++) yield [bytes.subarray(0, at), bytes.subarray(at)]
}

/** The bytes cut at every two places. Grows with the square: for at most about 1 KB. */
export function* everyTwoSplits(bytes: Uint8Array): Generator<readonly Uint8Array[]> {
  for (let a = 1; a < bytes.length; a++) {
    for (let b = a + 1; b < bytes.length; b++) {
      yield [bytes.subarray(0, a), bytes.subarray(a, b), bytes.subarray(b)]
    }
  }
}

/** Every shorter beginning, from no byte to all but the last. `stride` takes every n-th only, for long recordings. */
export function* everyTruncation(bytes: Uint8Array, stride: number = 1): Generator<Uint8Array> {
  for (let length = 0; length < bytes.length; length += stride) yield bytes.subarray(0, length)
}

/** The bytes in pieces of `size`; the last may be shorter. */
export function chunked(bytes: Uint8Array, size: number): readonly Uint8Array[] {
  const chunks: Uint8Array[] = []
  for (let at = 0; at < bytes.length; at += size) chunks.push(bytes.subarray(at, at + size))
  return chunks
}

/** What a decoder made of a stream: everything it gave, and what it threw then, if it threw. */
export interface Decoded<T> {
  readonly out: readonly T[]
  readonly fault?: unknown
}

/** Runs a fresh decoder over a whole stream. Stops, as `decode` does, at the end mark. */
export function decodeAll<T>(decoder: Decoder<T>, chunks: Iterable<Uint8Array>): Decoded<T> {
  const out: T[] = []
  try {
    for (const chunk of chunks) {
      decoder.push(chunk, out)
      if (decoder.ended) return { out }
    }
    decoder.end(out)
    return { out }
  } catch (fault) {
    return { out, fault }
  }
}
