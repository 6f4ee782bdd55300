import { describe, expect, test } from 'vitest'
import { type Framing, type Reel, frameEnds, pacedReel, reelOf, splice } from '../../src/sim/reel.ts'

const bytes = (text: string) => Buffer.from(text)

describe('frames', () => {
  const cases: [name: string, framing: Framing, body: string, frames: string[]][] = [
    ['SSE with LF', 'sse', 'data: 1\n\n: c\n\ndata: 2\n\n', ['data: 1\n\n', ': c\n\n', 'data: 2\n\n']],
    [
      'SSE with CRLF',
      'sse',
      'event: a\r\ndata: 1\r\n\r\ndata: 2\r\n\r\n',
      ['event: a\r\ndata: 1\r\n\r\n', 'data: 2\r\n\r\n'],
    ],
    ['SSE with CR', 'sse', 'data: 1\r\rdata: 2\r\r', ['data: 1\r\r', 'data: 2\r\r']],
    ['an unfinished frame counts', 'sse', 'data: ü\n\ndata: 2', ['data: ü\n\n', 'data: 2']],
    ['lines', 'lines', '{"a":"ü"}\n{}\n', ['{"a":"ü"}\n', '{}\n']],
    ['lines keep a CR', 'lines', '{}\r\n{}', ['{}\r\n', '{}']],
    ['one body', 'whole', '{"a":\n\n1}', ['{"a":\n\n1}']],
    ['nothing', 'sse', '', []],
  ]
  for (const [name, framing, body, frames] of cases) {
    test(name, () => {
      const ends = frameEnds(framing, bytes(body))
      expect(ends.map((end, i) => bytes(body).toString('utf8', ends[i - 1] ?? 0, end))).toEqual(frames)
    })
  }
})

test('a body without times gets one frame per token-time', () => {
  expect(pacedReel('lines', bytes('{}\n{}\n'), 50)).toEqual({
    bytes: bytes('{}\n{}\n'),
    framing: 'lines',
    ends: [3, 6],
    due: [50, 100],
  })
  expect(pacedReel('lines', bytes('{}\n'), 0)).toEqual({ bytes: bytes('{}\n'), framing: 'lines', ends: [3] })
})

describe('splice', () => {
  const reel: Reel = {
    ...reelOf('lines', [
      { frame: 'one\n', at: 10 },
      { frame: 'two\n', at: 20 },
      { frame: 'six\n', at: 30 },
    ]),
  }
  const cases: [
    name: string,
    from: number,
    to: number,
    by: string,
    body: string,
    parts: [end: number, at: number][],
  ][] = [
    [
      'a part',
      4,
      8,
      'X\n',
      'one\nX\nsix\n',
      [
        [4, 10],
        [6, 20],
        [10, 30],
      ],
    ],
    [
      'the first part',
      0,
      4,
      'longer\n',
      'longer\ntwo\nsix\n',
      [
        [7, 10],
        [11, 20],
        [15, 30],
      ],
    ],
    [
      'the last part, by nothing',
      8,
      12,
      '',
      'one\ntwo\n',
      [
        [4, 10],
        [8, 20],
      ],
    ],
    [
      'everything after the first part',
      4,
      12,
      'E\n',
      'one\nE\n',
      [
        [4, 10],
        [6, 20],
      ],
    ],
    [
      'the middle of a part',
      5,
      7,
      '--',
      'one\nt--\nsix\n',
      [
        [4, 10],
        [5, 20],
        [7, 20],
        [8, 20],
        [12, 30],
      ],
    ],
    [
      'nothing, at the end',
      12,
      12,
      'E',
      'one\ntwo\nsix\nE',
      [
        [4, 10],
        [8, 20],
        [12, 30],
        [13, 30],
      ],
    ],
    ['everything, by nothing', 0, 12, '', '', []],
  ]
  for (const [name, from, to, by, body, parts] of cases) {
    test(`replaces ${name}`, () => {
      const result = splice(reel, from, to, bytes(by))
      expect(Buffer.from(result.bytes).toString()).toBe(body)
      expect(result.ends.map((end, i) => [end, result.due?.[i]])).toEqual(parts)
    })
  }

  test('a reel without times stays without', () => {
    expect(splice(pacedReel('lines', bytes('a\nb\n'), 0), 0, 2, bytes('c\n'))).toEqual(
      pacedReel('lines', bytes('c\nb\n'), 0),
    )
  })
})
