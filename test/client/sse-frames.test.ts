import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { sseFrames } from '../../src/client/sse-frames.ts'
import { everySplit } from '../../src/testing/every-split.ts'
import type { SseFrame } from '../../src/wire/sse.ts'
import { sse } from '../../src/wire/sse.ts'

async function framesOf(
  read: (chunks: AsyncIterable<Uint8Array>) => AsyncIterable<readonly SseFrame[]>,
  chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
): Promise<SseFrame[]> {
  async function* bytes() {
    yield* chunks
  }
  const all: SseFrame[] = []
  for await (const frames of read(bytes())) {
    expect(frames.length).toBeGreaterThan(0)
    all.push(...frames.map(({ event, id, data }) => ({ event, id, data })))
  }
  return all
}

const stream = [
  'retry: 2000\n\n: keep-alive\n\nid: 1-1\nevent: start\ndata: {"text":"Grüße 👩‍🚀"}\n\n',
  'data: one\ndata:two\ndata\n\nevent:x\nid\n\nid: run@1-2\r\ndata: {"a":"\u2028"}\r\n\r\n',
  'unknown: y\ndata: : with: colons\n\ndata: cut',
].join('')

test('however the bytes are cut, the frames are those of wire/sse.ts', async () => {
  const bytes = new TextEncoder().encode(stream)
  const expected = await framesOf((chunks) => sse(chunks), [bytes])
  expect(expected.map(({ data }) => data)).toEqual([
    '{"text":"Grüße 👩‍🚀"}',
    'one\ntwo\n',
    '{"a":"\u2028"}',
    ': with: colons',
  ])
  for (const chunks of everySplit(bytes)) expect(await framesOf(sseFrames, chunks)).toEqual(expected)
})

test('what a Runlet server may send is read as wire/sse.ts reads it', async () => {
  const line = fc.oneof(
    fc.constantFrom('', '', 'data', 'id: 1-2', 'event: text.delta', ': x', 'data:  two spaces', 'dat: a'),
    fc.string().map((text) => `data: ${text.replaceAll(/[\r\n]/g, '')}`),
  )
  await fc.assert(
    fc.asyncProperty(fc.array(line, { maxLength: 40 }), fc.nat(), async (lines, at) => {
      const bytes = new TextEncoder().encode(`${lines.join('\n')}\n\n`)
      const cut = at % bytes.length
      const chunks = [bytes.subarray(0, cut), bytes.subarray(cut)]
      expect(await framesOf(sseFrames, chunks)).toEqual(await framesOf((all) => sse(all), [bytes]))
    }),
  )
})

test('a line without an end is refused before it takes all memory', async () => {
  const mebibyte = new TextEncoder().encode('x'.repeat(1 << 20))
  const endless = Array.from({ length: 66 }, () => mebibyte)
  await expect(framesOf(sseFrames, endless)).rejects.toMatchObject({
    code: 'invalid_request',
    reason: 'frame_too_long',
  })
})
