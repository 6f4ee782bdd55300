import { expect, test } from 'vitest'
import { chunked, decodeAll } from '../../src/testing/every-split.ts'
import { decode, pipe, type Decoder } from '../../src/wire/decode.ts'
import { lineDecoder } from '../../src/wire/lines.ts'

const encode = (text: string) => new TextEncoder().encode(text)

/** Numbers, one a line; `end` is the end mark, `bad` a fault of this decoder. */
function numbers(): Decoder<number, string> {
  let ended = false
  return {
    get ended() {
      return ended
    },
    push(line, out) {
      if (line === 'end') ended = true
      else if (line === 'bad') throw new Error('bad')
      else out.push(Number(line))
    },
    end() {
      throw new Error('cut')
    },
  }
}

/** Lines of at most four bytes, so that a longer one is a fault of the first decoder. */
const decoder = () => pipe(lineDecoder({ maxBytes: 4 }), numbers())
const faultOf = (fault: unknown) =>
  (fault as (Error & { reason?: string }) | undefined)?.reason ?? (fault as Error)?.message

const cases: [input: string, out: number[], fault: string | undefined][] = [
  ['1\n2\nend\n', [1, 2], undefined],
  ['1\n2\nend\nbad\n', [1, 2], undefined],
  ['1\n2\nend\ntoo long\n', [1, 2], undefined],
  ['1\n2\n', [1, 2], 'cut'],
  ['1\nbad\n2\nend\n', [1], 'bad'],
  ['1\ntoo long\n2\nend\n', [1], 'line_too_long'],
  ['1\nbad\ntoo long\nend\n', [1], 'bad'],
  ['1\nend', [1], undefined],
]

for (const [input, expected, expectedFault] of cases) {
  test(`decode: ${JSON.stringify(input)} in two steps gives what stands before its end or its first fault`, async () => {
    for (const size of [1, 2, 3, 100]) {
      const { out, fault } = decodeAll(decoder(), chunked(encode(input), size))
      expect([out, faultOf(fault)]).toEqual([expected, expectedFault])

      const read: number[] = []
      const reading = (async () => {
        for await (const batch of decode(stream(chunked(encode(input), size)), decoder())) {
          expect(batch.length).toBeGreaterThan(0)
          read.push(...batch)
        }
      })()
      const thrown = await reading.then(() => undefined, faultOf)
      expect([read, thrown]).toEqual([expected, expectedFault])
    }
  })
}

async function* stream(chunks: readonly Uint8Array[]) {
  for (const chunk of chunks) yield chunk
}

test('decode: nothing is read behind the end mark, and the source is let go', async () => {
  let asked = 0
  let released = false
  async function* source() {
    try {
      for (const text of ['1\n', 'end\n', '2\n', '3\n']) {
        asked++
        yield encode(text)
      }
    } finally {
      released = true
    }
  }
  const read: number[][] = []
  for await (const batch of decode(source(), decoder())) read.push(batch)
  expect([read, asked, released]).toEqual([[[1]], 2, true])
})

test('decode: what breaks the source is thrown after what came before', async () => {
  async function* source() {
    yield encode('1\n')
    throw new Error('broken')
  }
  const read: number[][] = []
  const reading = (async () => {
    for await (const batch of decode(source(), decoder())) read.push(batch)
  })()
  await expect(reading).rejects.toThrow('broken')
  expect(read).toEqual([[1]])
})
