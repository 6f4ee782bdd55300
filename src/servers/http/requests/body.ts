import { RunletError } from '../../../core/error.ts'
import type { JsonObject } from '../../../core/json.ts'
import { quoted } from '../../../core/quote.ts'
import { parseJsonObject } from '../../../wire/json.ts'

/**
 * The JSON object in a request, or `empty` where it has no body. Throws `invalid_request`: 415 with reason
 * `content_type`, `content_encoding` or `transfer_encoding`, 413 with `body_too_large`, 400 with `bad_utf8`, `bad_json`,
 * `json_too_deep` or `json_too_many`, 499 with `client_closed`.
 */
export async function readJson(request: Request, maxBytes: number, empty?: JsonObject): Promise<JsonObject> {
  const type = request.headers.get('content-type') ?? ''
  if (type === '' && empty && !hasBody(request)) return empty
  // Anything else could be sent by a page of another origin without being asked (a "simple" request).
  if (!/^application\/json\s*(;|$)/i.test(type)) {
    throw refusal(
      415,
      'content_type',
      `the body is ${type === '' ? 'of no named type' : quoted(type)}; send application/json`,
    )
  }
  checkCodings(request)
  const tooLarge = () => refusal(413, 'body_too_large', `the body is longer than the ${maxBytes} bytes accepted here`)
  if (Number(request.headers.get('content-length') ?? 0) > maxBytes) throw tooLarge()
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of arriving(request.body)) {
    length += chunk.length
    if (length > maxBytes) throw tooLarge()
    chunks.push(chunk)
  }
  if (length === 0 && empty) return empty
  return parseJsonObject(decode(Buffer.concat(chunks)), { maxBytes, name: 'the body' })
}

/** Throws `invalid_request` 415 with reason `content_encoding` or `transfer_encoding` for a body that is compressed. */
export function checkCodings({ headers }: Request): void {
  const inContent = headers.get('content-encoding')?.trim() ?? ''
  if (inContent !== '' && !/^identity$/i.test(inContent)) {
    throw refusal(415, 'content_encoding', 'the body is compressed; send it as it is')
  }
  const inTransfer = headers.get('transfer-encoding')?.trim() ?? ''
  if (inTransfer !== '' && !/^chunked$/i.test(inTransfer)) {
    throw refusal(415, 'transfer_encoding', `the body is sent as ${quoted(inTransfer)}; send it as it is, or chunked`)
  }
}

/** For a request that its client left before it was whole. Nobody gets to read it; logs know the status from nginx. */
export function clientClosed(cause: unknown): RunletError {
  return new RunletError('invalid_request', {
    status: CLIENT_CLOSED,
    reason: 'client_closed',
    message: 'the connection was closed before the request was whole',
    cause,
  })
}

/** The status of what nobody waits for any more. */
export const CLIENT_CLOSED = 499

/** What comes of a body. That it does not come to its end is the client's doing. */
async function* arriving(body: ReadableStream<Uint8Array> | null): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    yield* body ?? []
  } catch (thrown) {
    throw clientClosed(thrown)
  }
}

/** Told by the headers: to a server, the body of every POST looks like a stream. */
function hasBody({ headers }: Request): boolean {
  return headers.has('transfer-encoding') || Number(headers.get('content-length') ?? 0) > 0
}

function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (cause) {
    throw new RunletError('invalid_request', { reason: 'bad_utf8', message: 'the body is not UTF-8', cause })
  }
}

function refusal(status: number, reason: string, message: string): RunletError {
  return new RunletError('invalid_request', { status, reason, message })
}
