import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { JsonObject } from '../../src/core/json.ts'
import { boxTools } from '../../src/tools/index.ts'
import { answer, call, plant, refusal } from './tree.ts'

const tool = (content: string | Uint8Array) => boxTools({ root: plant({ file: content, 'folder/': '' }) })[1]!
const read = async (content: string | Uint8Array, input: JsonObject = {}) =>
  answer(tool(content), { path: 'file', ...input })

describe('a file', () => {
  const three = 'one\ntwo\nthree\n'
  const cases: [name: string, content: string, input: JsonObject, text: string][] = [
    ['is read as it is', three, {}, three],
    ['without a last line feed too', 'one\ntwo', {}, 'one\ntwo'],
    ['keeps CR, tabs, U+2028 and a byte order mark', '\uFEFFa\r\n\tb\u2028c\r', {}, '\uFEFFa\r\n\tb\u2028c\r'],
    ['that is empty says so', '', {}, '[the file is empty]'],
    ['of one line feed is one empty line', '\n', {}, '\n'],
    ['from a line on', three, { start_line: 2 }, 'two\nthree\n'],
    ['some lines', three, { start_line: 2, lines: 1 }, 'two\n[more lines follow; go on with start_line 3]'],
    ['the first lines', three, { lines: 2 }, 'one\ntwo\n[more lines follow; go on with start_line 3]'],
    ['exactly all lines', three, { lines: 3 }, three],
    ['more lines than there are', three, { start_line: 3, lines: 9 }, 'three\n'],
    ['a last line without a line feed', 'one\ntwo', { start_line: 2 }, 'two'],
    ['cut behind the last whole line', three, { max_bytes: 9 }, 'one\ntwo\n[cut at 9 bytes; go on with start_line 3]'],
    ['cut at a line border', three, { max_bytes: 8 }, 'one\ntwo\n[cut at 8 bytes; go on with start_line 3]'],
    ['that just fits', three, { max_bytes: 14 }, three],
    [
      'whose line is too long, cut between characters',
      'aé€👩z\nnext\n',
      { max_bytes: 9 },
      'aé€\n[cut at 9 bytes, inside line 1; its rest cannot be read; line 2 can]',
    ],
  ]
  for (const [name, content, input, text] of cases) {
    test(name, async () => expect(await read(content, input)).toBe(text))
  }

  const refused: [name: string, content: string | Uint8Array, input: JsonObject, error: string][] = [
    ['a line that is not there', three, { start_line: 4 }, 'invalid_request bad_range'],
    ['a line of an empty file', 'x', { start_line: 2 }, 'invalid_request bad_range'],
    ['bytes with NUL', new Uint8Array([0x50, 0x4b, 0, 1]), {}, 'invalid_request not_text'],
    ['NUL far behind', `${'x\n'.repeat(30_000)}\0`, {}, 'invalid_request not_text'],
    ['UTF-16', Buffer.from('hello', 'utf16le'), {}, 'invalid_request not_text'],
    ['a folder', '', { path: 'folder' }, 'invalid_request not_text'],
  ]
  for (const [name, content, input, error] of refused) {
    test(`${name} is refused`, async () => expect(await refusal(tool(content), { path: 'file', ...input })).toBe(error))
  }

  test('bytes that are not UTF-8 are shown as replacement characters', async () => {
    expect(await read(Buffer.from('gr\u00fcn', 'latin1'))).toBe('gr\uFFFDn')
  })

  test('that is longer than 64 KiB is read to its end by going on where each answer says', async () => {
    const content = Array.from({ length: 30_000 }, (_, i) => `line ${i + 1} é\n`).join('')
    const reader = tool(content)
    let text = ''
    for (let start_line: number | undefined = 1; start_line !== undefined;) {
      const part = await answer(reader, { path: 'file', start_line })
      expect(Buffer.byteLength(part)).toBeLessThanOrEqual(65_536 + 100)
      const rest: RegExpExecArray | null = /\[cut at 65536 bytes; go on with start_line (\d+)\]$/.exec(part)
      text += rest ? part.slice(0, rest.index) : part
      start_line = rest ? Number(rest[1]) : undefined
    }
    expect(text).toBe(content)
  })

  test('gives exactly the lines asked for, whatever the file holds and wherever it is cut into chunks', async () => {
    const line = fc.oneof(
      fc.constantFrom('', 'x', 'é€👩', '\r'),
      fc.integer({ min: 65_530, max: 65_540 }).map((length) => 'y'.repeat(length)),
    )
    await fc.assert(
      fc.asyncProperty(
        fc.array(line, { minLength: 1, maxLength: 6 }),
        fc.nat(7),
        fc.nat(7),
        async (all, from, count) => {
          const content = all.map((one) => `${one}\n`).join('')
          const input = { path: 'file', start_line: from + 1, lines: count + 1 }
          if (from >= all.length) {
            expect(await refusal(tool(content), input)).toBe('invalid_request bad_range')
            return
          }
          const wanted = all
            .slice(from, from + count + 1)
            .map((one) => `${one}\n`)
            .join('')
          const more =
            from + count + 1 < all.length ? `[more lines follow; go on with start_line ${from + count + 2}]` : ''
          if (Buffer.byteLength(wanted) <= 65_536) expect(await read(content, input)).toBe(wanted + more)
          else expect(await read(content, input)).toContain('[cut at 65536 bytes')
        },
      ),
      { numRuns: 60 },
    )
  })

  test('is not read on when the run is cancelled', async () => {
    const signal = AbortSignal.abort('cancelled')
    await expect(call(tool(three), { path: 'file' }, { signal })).rejects.toBe('cancelled')
  })
})
