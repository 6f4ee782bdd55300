/** Millions of small streams, cut at random, against the slow references. A failure names its seed. */
import { expect, test } from 'vitest'
import { decodeAll } from '../../src/testing/every-split.ts'
import { seededRandom } from '../../src/testing/random-run.ts'
import type { Decoder } from '../../src/wire/decode.ts'
import { lineDecoder } from '../../src/wire/lines.ts'
import { sseDecoder } from '../../src/wire/sse.ts'
import { frameReference, lineReference } from './references.ts'

const STREAMS = 1_000_000

const tokens = ['data', ':', ' ', '\n', '\r', '\r\n', '\n\n', 'data: x', 'event: e', 'id: 1', ': c', '\0', 'retry: 5']
  .concat('\ufeff', '\u2028', '\u{1f496}', '\u00e9', 'foo: ', 'a', '{"a":1}')
  .map((token) => Buffer.from(token))
  .concat([0xff, 0xc3, 0xf0, 0x9f, 0x80, 0xe2].map((byte) => Buffer.from([byte])))

const splitters: [name: string, make: () => Decoder<unknown>, reference: (bytes: Uint8Array) => unknown[]][] = [
  ['lines', () => lineDecoder(), lineReference],
  ['sse', () => sseDecoder(), frameReference],
]

for (const [name, make, reference] of splitters) {
  test(`${name}: ${STREAMS} random streams, cut at random, give what the slow reference gives`, () => {
    const wrong: string[] = []
    for (let seed = 1; seed <= STREAMS && wrong.length < 5; seed++) {
      const random = seededRandom(seed)
      const upTo = (limit: number) => Math.floor(random() * limit)
      const bytes = Buffer.concat(Array.from({ length: 1 + upTo(12) }, () => tokens[upTo(tokens.length)]!))
      const chunks: Uint8Array[] = []
      for (let at = 0; at < bytes.length;) {
        const next = at + 1 + upTo(6)
        chunks.push(bytes.subarray(at, next))
        at = next
      }
      const expected = JSON.stringify(reference(bytes))
      const found = JSON.stringify(decodeAll(make(), chunks).out.map((frame) => normal(frame)))
      if (found !== expected)
        wrong.push(`seed ${seed}: ${JSON.stringify(bytes.toString())} gave ${found}, not ${expected}`)
    }
    expect(wrong).toEqual([])
  })
}

/** The members of a frame in the order in which the reference writes them. */
function normal(frame: unknown): unknown {
  if (typeof frame !== 'object' || frame === null) return frame
  const { data, event, id } = frame as Record<string, unknown>
  return { data, event, id }
}
