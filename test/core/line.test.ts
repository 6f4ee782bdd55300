import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Entry } from '../../src/core/event.ts'
import { SCHEMA, lineOf, parseLine } from '../../src/core/line.ts'
import { randomRun, seededRandom } from '../../src/testing/random-run.ts'
import { event, types } from './events.ts'

const ts = 1_705_314_600_000

describe('each event', () => {
  for (const type of types) {
    for (const epoch of [undefined, 7]) {
      test(`${type}${epoch ? ' that begins an epoch' : ''} comes back from its line`, () => {
        const place = epoch === undefined ? { seq: 3, ts } : { seq: 3, ts, epoch }
        const entry: Entry = { ...place, event: event(type) }
        const line = lineOf(entry)
        expect(parseLine(line)).toStrictEqual(entry)
        expect(lineOf(parseLine(line))).toBe(line)
        const schema = type === 'start' ? `"schema":"${SCHEMA}",` : ''
        const rest = epoch === undefined ? '' : `,"epoch":${epoch}`
        expect(line.startsWith(`{${schema}"type":"${type}","ts":${ts},"seq":3${rest},`)).toBe(true)
      })
    }
  }
})

const texts: [name: string, text: string][] = [
  ['a space', ' '],
  ['a line feed', '\n'],
  ['CR LF', '\r\n'],
  ['NUL', '\0'],
  ['quotes and backslashes', '"\\"\\\\n'],
  ['U+2028 and U+2029', '\u2028\u2029'],
  ['NEL, which some line readers split at', '\u0085'],
  ['a byte order mark', '\uFEFF'],
  ['an emoji', '👩‍👩‍👧‍👦'],
  ['half a surrogate pair', '\uD83D'],
  ['the other half', '\uDC69'],
  ['halves in the wrong order', '\uDC69\uD83D'],
  ['DEL and C1 controls', '\u007f\u009b'],
  ['the end of a script', '</script>'],
  ['a line of its own kind', '{"type":"finish"}'],
]

describe('text that has broken framers', () => {
  for (const [name, text] of texts) {
    test(`${name} stays in its line`, () => {
      for (const type of ['text.delta', 'reasoning.delta'] as const) {
        const entry: Entry = { seq: 1, ts, event: event(type, { text }) }
        const line = lineOf(entry)
        expect(line.split('\n')).toHaveLength(1)
        expect(parseLine(line)).toStrictEqual(entry)
        // The bytes are what is stored: half a pair must not become U+FFFD on the way.
        expect(parseLine(new TextDecoder().decode(new TextEncoder().encode(line)))).toStrictEqual(entry)
        // The hot path writes by template what `JSON.stringify` would write.
        expect(line).toBe(JSON.stringify({ type, ts, seq: 1, step: 1, text }))
      }
    })
  }

  test('the template writes any text as JSON.stringify does', () => {
    const anything = fc.string({ unit: 'binary' })
    fc.assert(
      fc.property(anything, (text) => {
        const line = lineOf({ seq: 1, ts, event: event('text.delta', { text }) })
        expect(line).toBe(JSON.stringify({ type: 'text.delta', ts, seq: 1, step: 1, text }))
      }),
    )
  })
})

test('any run comes back from its lines', () => {
  fc.assert(
    fc.property(fc.integer(), (seed) => {
      const run = randomRun(seededRandom(seed))
      const back = run.map((entry) => parseLine(lineOf(entry)))
      expect(back).toEqual(run)
      expect(JSON.stringify(back)).toBe(JSON.stringify(run))
    }),
  )
})

describe('a line that is none', () => {
  const whole = lineOf({ seq: 1, ts, event: event('text.delta') })
  const bad: [name: string, line: string][] = [
    ['nothing', ''],
    ['a word', 'x'],
    ['null', 'null'],
    ['a number', '1'],
    ['an array', '[]'],
    ['an empty object', '{}'],
    ['no type', `{"ts":1,"seq":1}`],
    ['a type that is no string', `{"type":1,"ts":1,"seq":1}`],
    ['a seq that is no number', `{"type":"status","ts":1,"seq":"1"}`],
    ['no time', `{"type":"status","seq":1}`],
    ['two lines', `${whole}\n${whole}`],
    ...Array.from({ length: whole.length - 1 }, (_, i): [string, string] => [
      `its first ${i + 1} bytes`,
      whole.slice(0, i + 1),
    ]),
  ]
  test('is refused with an excerpt, whatever it is', () => {
    for (const [name, line] of bad) {
      expect(() => parseLine(line), name).toThrow(
        expect.objectContaining({
          code: 'internal',
          reason: 'bad_line',
          message: `a stored line is not a gai.events.v1 event: ${line.slice(0, 80)}`,
        }),
      )
    }
  })
})
