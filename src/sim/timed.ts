/**
 * Recordings that keep their time: files `NAME.timed.ndjson`, one line per chunk as it came from the network.
 *
 * ```json
 * {"t_ms":0,"text":"data: {\"id\":\"1\"}\n\n"}
 * {"t_ms":41.5,"base64":"4pyT"}
 * ```
 *
 * `t_ms` counts from the first byte of the answer (or from its headers), never falls, and may have a fraction. A
 * chunk that is not whole UTF-8 is `base64`. Joined, the chunks are the body, byte for byte; a chunk may end anywhere.
 */
import * as z from 'zod'
import type { Clock } from '../core/clock.ts'
import { RunletError } from '../core/error.ts'

export interface TimedChunk {
  readonly at: number
  readonly bytes: Uint8Array
}

const lineSchema = z.union([
  z.strictObject({ t_ms: z.number().min(0), text: z.string() }),
  z.strictObject({ t_ms: z.number().min(0), base64: z.base64() }),
])

/** Reads such a file. Throws `invalid_request` with reason `bad_recording`, naming file and line. */
export function parseTimed(ndjson: string, file: string): TimedChunk[] {
  let last = 0
  return ndjson
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line, i) => {
      const { data } = lineSchema.safeParse(tryJson(line))
      if (!data || data.t_ms < last) {
        throw new RunletError('invalid_request', {
          reason: 'bad_recording',
          message: `${file}, line ${i + 1}: expected {"t_ms":N,"text":"…"} or {"t_ms":N,"base64":"…"}, with times that do not fall`,
        })
      }
      last = data.t_ms
      return { at: data.t_ms, bytes: 'text' in data ? Buffer.from(data.text) : Buffer.from(data.base64, 'base64') }
    })
}

function tryJson(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}

/** Records a body as it comes: one line of such a file per chunk, each ended by LF. */
export async function* recordStream(body: AsyncIterable<Uint8Array>, clock: Clock): AsyncIterable<string> {
  const started = clock.now()
  for await (const bytes of body) {
    const t_ms = clock.now() - started
    const chunk = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    const text = chunk.toString()
    // Bytes that are not UTF-8 decode to U+FFFD, which would be encoded as other bytes.
    const line = chunk.equals(Buffer.from(text)) ? { t_ms, text } : { t_ms, base64: chunk.toString('base64') }
    yield `${JSON.stringify(line)}\n`
  }
}
