import { isRunletError, RunletError } from '../../core/error.ts'
import type { ProviderEvent } from '../../core/provider.ts'
import { decode, type Decoder } from '../../wire/decode.ts'
import type { HttpAnswer } from './http.ts'
import type { Peer } from './peer.ts'
import { cutOff } from './refusal.ts'

/** Longest frame that a provider may send. Whole tool arguments come as one: larger than what we take from clients. */
export const MAX_FRAME = 16 << 20

/** The events of an answer, one array per network read. However it ends, the connection is let go. */
export async function* eventsOf(
  answer: HttpAnswer,
  decoder: Decoder<ProviderEvent>,
): AsyncGenerator<ProviderEvent[], void, undefined> {
  try {
    yield* decode(answer.bytes, decoder)
  } finally {
    answer.close({ over: decoder.ended ?? false })
  }
}

/** The same decoder, with the faults that `wire/` finds put down to the provider: our own client sent none of it. */
export function blaming<T>(peer: Peer, decoder: Decoder<T>): Decoder<T> {
  return {
    get ended() {
      return decoder.ended ?? false
    },
    push(chunk, out) {
      try {
        decoder.push(chunk, out)
      } catch (error) {
        throw blamed(peer, error)
      }
    },
    end(out) {
      try {
        decoder.end(out)
      } catch (error) {
        throw blamed(peer, error)
      }
    },
  }
}

function blamed(peer: Peer, error: unknown): unknown {
  if (!isRunletError(error) || error.code !== 'invalid_request' || error.provider !== undefined) return error
  if (error.reason === 'truncated_line') return cutOff(peer, 'its last line was whole', error)
  return new RunletError('network', {
    reason: error.reason === 'bad_line' ? 'bad_frame' : error.reason,
    message: `${peer.name} sent an answer that cannot be read: ${error.message}`,
    provider: peer.provider,
    cause: new Error(peer.redact(error.cause instanceof Error ? error.cause.message : error.message)),
  })
}
