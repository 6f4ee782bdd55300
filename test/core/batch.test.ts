import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Batch } from '../../src/core/batch.ts'
import type { Entry } from '../../src/core/event.ts'
import { lineOf } from '../../src/core/line.ts'
import { randomRun, seededRandom } from '../../src/testing/random-run.ts'
import { entriesOf, event } from './events.ts'

const entries = entriesOf([event('start'), event('turn.start'), event('step.start'), event('text.delta')])
const lines = entries.map((entry) => `${lineOf(entry)}\n`).join('')
const place = { run: 'run', epoch: 1, first: 1, last: 4 }

describe('a batch', () => {
  test('that was just made knows its place and its lines', () => {
    const batch = Batch.of('run', 3, entries.slice(1))
    expect([batch.type, batch.run, batch.epoch, batch.first, batch.last]).toEqual(['batch', 'run', 3, 2, 4])
    expect(batch.entries).toEqual(entries.slice(1))
    expect(batch.lines).toBe(
      entries
        .slice(1)
        .map((entry) => `${lineOf(entry)}\n`)
        .join(''),
    )
  })

  test('that was read from a store gives the entries its lines were made of', () => {
    const batch = Batch.stored(place, lines)
    expect(batch.lines).toBe(lines)
    expect(batch.entries).toEqual(entries)
    expect([batch.run, batch.epoch, batch.first, batch.last]).toEqual(['run', 1, 1, 4])
  })

  test('makes its entries and its lines once, whichever it began with', () => {
    const made = Batch.of('run', 1, entries)
    const stored = Batch.stored(place, lines)
    expect(made.entries).toBe(entries)
    expect(stored.entries).toBe(stored.entries)
    expect(made.lines).toBe(lines)
    expect(stored.lines).toBe(lines)
  })

  test('parses nothing for a reader that only wants the lines', () => {
    const broken = Batch.stored(place, 'not json\n')
    expect(broken.lines).toBe('not json\n')
    expect(() => broken.entries).toThrow('a stored line is not a gai.events.v1 event: not json')
  })

  test('keeps U+2028 and CR inside a line: only LF parts lines', () => {
    const awkward: Entry[] = [{ seq: 1, ts: 0, event: event('text.delta', { text: '\u2028\r\n\u0085' }) }]
    const { lines: one } = Batch.of('run', 1, awkward)
    expect(Batch.stored({ ...place, last: 1 }, one).entries).toEqual(awkward)
  })
})

describe('a condensed batch', () => {
  test('is what it was before, from its lines alone', () => {
    const batch = Batch.of('run', 1, entries)
    batch.condense()
    expect([batch.run, batch.epoch, batch.first, batch.last, batch.lines]).toEqual(['run', 1, 1, 4, lines])
    expect(batch.entries).toEqual(entries)
    expect(batch.entries).not.toBe(batch.entries)
    expect(batch.after(2).entries).toEqual(entries.slice(2))
  })

  test('still shares an encoding among those who ask at once', () => {
    const batch = Batch.of('run', 1, entries)
    batch.condense()
    let made = 0
    const encode = () => new Uint8Array([++made])
    expect(batch.encoded('x', encode)).toBe(batch.encoded('x', encode))
    expect(made).toBe(1)
  })

  test('may be several batches joined', () => {
    const joined = Batch.joined([Batch.of('run', 1, entries.slice(0, 1)), Batch.of('run', 1, entries.slice(1))])
    expect([joined.first, joined.last, joined.epoch, joined.lines]).toEqual([1, 4, 1, lines])
    expect(joined.entries).toEqual(entries)
  })
})

describe('the part after a cursor', () => {
  for (const [name, batch] of [
    ['a batch just made', Batch.of('run', 1, entries)],
    ['a stored batch', Batch.stored(place, lines)],
  ] as const) {
    test(`of ${name} is the batch without what was seen`, () => {
      for (const seq of [0, 1, 2, 3]) {
        const part = batch.after(seq)
        expect(part.entries).toEqual(entries.slice(seq))
        expect([part.run, part.epoch, part.first, part.last]).toEqual(['run', 1, seq + 1, 4])
      }
    })
  }

  test('of any batch of any run holds exactly what comes later', () => {
    fc.assert(
      fc.property(fc.integer(), fc.nat(), fc.nat(), (seed, from, cut) => {
        const run = randomRun(seededRandom(seed))
        const part = run.slice(from % run.length)
        const batch = Batch.of('run', 1, part)
        const seq = part[cut % part.length]!.seq - 1
        const stored = Batch.stored({ ...place, first: batch.first, last: batch.last }, batch.lines)
        const later = run.filter((entry) => entry.seq > seq)
        expect(batch.after(seq).entries).toEqual(later)
        expect(stored.after(seq).entries).toEqual(later)
      }),
    )
  })
})

describe('an encoding', () => {
  test('is made once per key and shared by everyone who asks', () => {
    const batch = Batch.of('run', 1, entries)
    const asked: string[] = []
    const encode = (key: string) =>
      batch.encoded(key, (given) => {
        expect(given).toBe(batch)
        asked.push(key)
        return new TextEncoder().encode(key + given.last)
      })
    const first = encode('sse')
    expect(encode('sse')).toBe(first)
    expect(encode('__proto__')).toBe(encode('__proto__'))
    expect(encode('ndjson')).not.toBe(first)
    expect(asked).toEqual(['sse', '__proto__', 'ndjson'])
  })

  test('that fails is not remembered', () => {
    const batch = Batch.of('run', 1, entries)
    expect(() =>
      batch.encoded('sse', () => {
        throw new Error('no memory')
      }),
    ).toThrow('no memory')
    expect(batch.encoded('sse', () => new Uint8Array([1]))).toEqual(new Uint8Array([1]))
  })
})
