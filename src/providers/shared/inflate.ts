import { pipeline, Readable, type Transform } from 'node:stream'
import { createBrotliDecompress, createGunzip, createInflate, constants } from 'node:zlib'
import type { Peer } from './peer.ts'
import { answerTooLong } from './refusal.ts'

export interface InflateLimits {
  /** Most bytes after inflation. Default 256 MiB. */
  readonly maxBytes?: number
  /** Most bytes that one received byte may become. Default 100; the first MiB is free. */
  readonly maxRatio?: number
}

const FREE_BYTES = 1 << 20

/** Each gives what it has as soon as it has it: a stream must not wait for a full block. */
const inflaters: Readonly<Record<string, () => Transform>> = {
  gzip: () => createGunzip({ flush: constants.Z_SYNC_FLUSH, finishFlush: constants.Z_FINISH }),
  deflate: () => createInflate({ flush: constants.Z_SYNC_FLUSH, finishFlush: constants.Z_FINISH }),
  br: () => createBrotliDecompress({ flush: constants.BROTLI_OPERATION_FLUSH }),
}

/** True if a body with this `content-encoding` can be read. We ask for `identity`; proxies compress all the same. */
export function canInflate(encoding: string): boolean {
  return encoding === 'identity' || Object.hasOwn(inflaters, encoding)
}

/**
 * The bytes behind a content encoding. A stack of encodings is not accepted; a bomb is `answer_too_long` before it is
 * memory.
 */
export async function* inflated(
  chunks: AsyncIterable<Uint8Array>,
  encoding: string,
  peer: Peer,
  { maxBytes = 256 << 20, maxRatio = 100 }: InflateLimits = {},
): AsyncGenerator<Uint8Array, void, undefined> {
  const inflater = inflaters[encoding]
  if (!inflater) return yield* chunks
  let taken = 0
  let given = 0
  async function* counted() {
    for await (const chunk of chunks) {
      taken += chunk.length
      yield chunk
    }
  }
  const out = inflater()
  // A failure on either side ends the other; reading `out` throws it, so nobody else needs to hear of it.
  pipeline(Readable.from(counted(), { objectMode: true }), out, () => {})
  for await (const chunk of out as AsyncIterable<Uint8Array>) {
    given += chunk.length
    if (given > maxBytes || (given > FREE_BYTES && given > taken * maxRatio)) {
      throw answerTooLong(peer, `a compressed answer of which ${taken} bytes become more than ${given - chunk.length}`)
    }
    yield chunk
  }
}
