import type { IncomingMessage } from 'node:http'
import { RunletError } from '../core/error.ts'
import type { JsonValue } from '../core/json.ts'
import { parseJson } from '../wire/json.ts'

const MAX_BYTES = 10 * 1024 * 1024

/** Reads a JSON body. Throws `invalid_request` with reason `body_too_large` (413), and what `parseJson` throws. */
export async function readJson(req: IncomingMessage): Promise<JsonValue> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of req as AsyncIterable<Buffer>) {
    length += chunk.length
    if (length > MAX_BYTES) {
      throw new RunletError('invalid_request', {
        reason: 'body_too_large',
        status: 413,
        message: `the request body is larger than ${MAX_BYTES} bytes`,
      })
    }
    chunks.push(chunk)
  }
  return parseJson(Buffer.concat(chunks).toString(), { maxBytes: MAX_BYTES })
}
