import { expect, test } from 'vitest'
import { utf8Faults } from '../../../src/servers/http/runs/utf8-faults.ts'
import { everySplit } from '../../../src/testing/every-split.ts'

const bytes = (...parts: (string | number[])[]) => Buffer.concat(parts.map((part) => Buffer.from(part as string)))

const cases: [name: string, input: Uint8Array, faulty: number[]][] = [
  ['text is text', bytes('ä€😀\n\uFFFD\n'), []],
  ['a byte that begins nothing', bytes('a\nb', [0xff], 'c\nd\n'), [2]],
  ['a character that its line ends in', bytes([0xe2, 0x82], '\n', [0xac], '\nä\n'), [1, 2]],
  ['two faults in a line, and none behind it', bytes([0x80, 0xc3, 0x28], 'x\nä\n'), [1]],
  ['a surrogate', bytes('x\n', [0xed, 0xa0, 0x80], '\n'), [2]],
  ['an overlong spelling of LF', bytes([0xc0, 0x8a], '\nä\n'), [1]],
]
for (const [name, input, faulty] of cases) {
  test(`${name}, however the bytes are cut`, () => {
    for (const chunks of everySplit(input)) {
      const faults = utf8Faults()
      for (const chunk of chunks) faults.push(chunk)
      expect([1, 2, 3, 4].filter((line) => faults.take(line))).toEqual(faulty)
      expect([1, 2, 3, 4].filter((line) => faults.take(line))).toEqual([])
    }
  })
}
