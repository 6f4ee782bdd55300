import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { smooth, type SmoothOptions } from '../../src/client/smooth.ts'
import { safeCut } from '../../src/client/text-cut.ts'
import { fakeClock } from '../../src/testing/fake-clock.ts'

/** Everything that one listener got, as `text@time`. */
function paced(options: SmoothOptions = {}) {
  const clock = fakeClock(0)
  const text = smooth({ clock, ...options })
  const heard: string[] = []
  const stop = text.subscribe((piece) => heard.push(`${piece}@${clock.now()}`))
  return { clock, text, heard, stop }
}

test('a few characters wait 50 ms for more', async () => {
  const { clock, text, heard } = paced()
  expect(text.push('ab')).toBe('held')
  await clock.advance(30)
  text.push('c')
  await clock.advance(1_000)
  expect(heard).toEqual(['abc@50'])
  expect(clock.pending).toBe(0)
})

test('ten characters go out after 20 ms', async () => {
  const { clock, text, heard } = paced()
  text.push('0123456789')
  await clock.advance(1_000)
  expect(heard).toEqual(['0123456789@20'])
})

test('what makes ten characters of a few hastens them', async () => {
  const { clock, text, heard } = paced()
  text.push('01234')
  await clock.advance(10)
  text.push('56789')
  await clock.advance(1_000)
  expect(heard).toEqual(['0123456789@30'])
})

test('a burst is spread over 100 ms, in order, and is all out by then', async () => {
  const { clock, text, heard } = paced()
  const burst = Array.from({ length: 400 }, (_, i) => String(i % 10)).join('')
  text.push(burst)
  await clock.advance(100)
  const pieces = heard.map((one) => one.split('@') as [string, string])
  expect(pieces.map(([piece]) => piece).join('')).toBe(burst)
  expect(pieces.map(([piece, at]) => [piece.length, Number(at)])).toEqual([
    [100, 20],
    [100, 40],
    [100, 60],
    [100, 80],
  ])
})

test('a burst has its own 100 ms, though others wait that are due before', async () => {
  const { clock, text, heard } = paced()
  text.push('abcdefghij'.repeat(8))
  await clock.advance(70)
  text.push('0123456789'.repeat(40))
  await clock.advance(200)
  const late = heard.map((one) => one.split('@') as [string, string]).filter(([, at]) => Number(at) > 100)
  expect(late.map(([piece, at]) => [piece.length, Number(at)])).toEqual([
    [105, 120],
    [105, 140],
  ])
})

test('no character waits longer than 100 ms, whatever comes when', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.string({ maxLength: 300 }), fc.integer({ min: 0, max: 80 })), { maxLength: 40 }),
      async (pushes) => {
        const clock = fakeClock(0)
        const text = smooth({ clock })
        const due: { readonly end: number; readonly by: number }[] = []
        let pushed = ''
        let heard = ''
        text.subscribe((piece) => {
          heard += piece
        })
        for (const [piece, wait] of pushes) {
          expect(text.push(piece)).toBe('held')
          pushed += piece
          due.push({ end: pushed.length, by: clock.now() + 100 })
          for (let ms = 0; ms < wait; ms++) {
            await clock.advance(1)
            expect(heard.length).toBeGreaterThanOrEqual(
              Math.max(0, ...due.filter(({ by }) => by <= clock.now()).map(({ end }) => end)),
            )
          }
        }
        await clock.advance(100)
        expect(heard).toBe(pushed)
        expect(clock.pending).toBe(0)
      },
    ),
    { numRuns: 50 },
  )
})

test('flush gives all that waits at once, and nothing twice', async () => {
  const { clock, text, heard } = paced()
  text.push('abc')
  text.flush()
  text.flush()
  await clock.advance(1_000)
  expect(heard).toEqual(['abc@0'])
  expect(clock.pending).toBe(0)
})

test('clear forgets what waits, and what comes later is paced as ever', async () => {
  const { clock, text, heard } = paced()
  text.push('wrong')
  text.clear()
  expect(text.size).toBe(0)
  text.push('right')
  await clock.advance(1_000)
  expect(heard).toEqual(['right@50'])
})

test('more than 1 MiB is not paced: all goes out in order, and the push says so', async () => {
  const { clock, text, heard } = paced()
  const large = 'x'.repeat(1 << 20)
  expect(text.push('ab')).toBe('held')
  expect(text.push(large)).toBe('flushed')
  expect(heard).toEqual([`ab${large}@0`])
  expect(text.push('c')).toBe('held')
  await clock.advance(1_000)
  expect(heard.slice(1)).toEqual(['c@50'])
})

test('without a listener text waits, up to the limit, and what is refused is not taken', async () => {
  const clock = fakeClock(0)
  const text = smooth({ clock, maxChars: 8 })
  expect(text.push('abcd')).toBe('held')
  expect(text.push('efghi')).toBe('refused')
  expect(text.push('ef')).toBe('held')
  text.flush()
  expect([text.size, clock.pending]).toEqual([6, 0])
  const heard: string[] = []
  text.subscribe((piece) => heard.push(piece))
  await clock.advance(1_000)
  expect(heard.join('')).toBe('abcdef')
})

test('a listener that throws holds up nobody', async () => {
  const clock = fakeClock(0)
  const errors: unknown[] = []
  const text = smooth({ clock, onError: (thrown) => errors.push(thrown) })
  const heard: string[] = []
  const fault = new Error('broken')
  text.subscribe(() => {
    throw fault
  })
  text.subscribe((piece) => heard.push(piece))
  text.push('abc')
  await clock.advance(100)
  text.push('def')
  await clock.advance(100)
  expect(heard).toEqual(['abc', 'def'])
  expect(errors).toEqual([fault, fault])
})

test('who has called off hears nothing more, and the others do', async () => {
  const { clock, text, heard, stop } = paced()
  const other: string[] = []
  const same = (piece: string) => other.push(piece)
  const [first, second] = [text.subscribe(same), text.subscribe(same)]
  text.push('a')
  await clock.advance(100)
  stop()
  first()
  first()
  text.push('b')
  await clock.advance(100)
  expect(heard).toEqual(['a@50'])
  expect(other).toEqual(['a', 'a', 'b'])
  second()
  text.push('c')
  await clock.advance(100)
  expect([other.length, text.size, clock.pending]).toEqual([3, 1, 0])
})

test('close gives what waits, and takes no more', async () => {
  const { clock, text, heard } = paced()
  text.push('abc')
  text.close()
  expect(text.push('d')).toBe('refused')
  await clock.advance(1_000)
  expect(heard).toEqual(['abc@0'])
  expect(clock.pending).toBe(0)
})

test('options change the pace', async () => {
  const { clock, text, heard } = paced({ minChars: 3, intervalMs: 200, maxDelayMs: 500 })
  text.push('ab')
  await clock.advance(199)
  expect(heard).toEqual([])
  await clock.advance(1)
  text.push('abcdef')
  await clock.advance(1_000)
  expect(heard).toEqual(['ab@200', 'abc@280', 'def@360'])
})

const family = '👩‍👩‍👧‍👦'
const flag = '🇩🇪'
const cuts: [name: string, text: string, at: number, expected: number][] = [
  ['between letters', 'abcdef', 3, 3],
  ['at the start', 'abc', 0, 0],
  ['behind the end', 'abc', 9, 3],
  ['in a surrogate pair', 'a😀b', 2, 3],
  ['before a combining accent', 'ae\u0301b', 2, 3],
  ['in a family', `a${family}b`, 4, 1 + family.length],
  ['in a flag', `${flag}${flag}x`, 2, flag.length],
  ['between flags', `${flag}${flag}x`, flag.length, flag.length],
  ['before a variation selector', '❤\ufe0fb', 1, 2],
  ['in CRLF', 'a\r\nb', 2, 3],
  ['before a letter behind a family', `${family}b`, family.length, family.length],
]
for (const [name, text, at, expected] of cuts) {
  test(`no cut goes through a character: ${name}`, () => {
    expect(safeCut(text, at)).toBe(expected)
  })
}

test('wherever a text is cut, no surrogate is alone', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', maxLength: 100 }), fc.nat(200), (text, at) => {
      const cut = safeCut(text, at)
      expect(cut).toBeGreaterThanOrEqual(Math.min(at, text.length))
      expect([text.slice(0, cut), text.slice(cut)].every((part) => part.isWellFormed())).toBe(true)
    }),
  )
})

test('a burst of emoji goes out in whole ones', async () => {
  const { clock, text, heard } = paced({ minChars: 3 })
  text.push(family.repeat(20))
  await clock.advance(1_000)
  const pieces = heard.map((one) => one.split('@')[0]!)
  expect(pieces.join('')).toBe(family.repeat(20))
  expect(pieces.filter((piece) => piece.replaceAll(family, '') !== '')).toEqual([])
  expect(pieces.length).toBeGreaterThan(2)
})
