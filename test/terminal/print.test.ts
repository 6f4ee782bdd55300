import { Writable } from 'node:stream'
import { expect, test } from 'vitest'
import { printer } from '../../src/terminal/print.ts'
import { fakeClock } from '../../src/testing/fake-clock.ts'

/** A stream that shows each write, and takes the next one only after `take()`. */
function slowStream(highWaterMark = 8) {
  const writes: string[] = []
  let taken: (() => void) | undefined
  const stream = new Writable({
    highWaterMark,
    decodeStrings: false,
    write(chunk: string, _encoding, done) {
      writes.push(chunk)
      taken = done
    },
  })
  return { stream, writes, take: () => taken?.() }
}

function fastStream() {
  const writes: string[] = []
  const stream = new Writable({
    decodeStrings: false,
    write(chunk: string, _encoding, done) {
      writes.push(chunk)
      done()
    },
  })
  return { stream, writes }
}

test('the first piece goes out at once, later ones of the same 16 ms together', async () => {
  const clock = fakeClock()
  const { stream, writes } = fastStream()
  const out = printer(stream, { clock })
  await out.write('one ')
  await out.write('two ')
  await out.write('three ')
  expect(writes).toEqual(['one '])
  await clock.advance(15)
  expect(writes).toEqual(['one '])
  await clock.advance(1)
  expect(writes).toEqual(['one ', 'two three '])
  await clock.advance(16)
  await out.write('four')
  expect(writes).toEqual(['one ', 'two three ', 'four'])
})

test('a long text does not wait for the time', async () => {
  const { stream, writes } = fastStream()
  const out = printer(stream, { clock: fakeClock(), maxLength: 10 })
  await out.write('a')
  await out.write('bbbb')
  await out.write('cccccc')
  expect(writes).toEqual(['a', 'bbbbcccccc'])
})

test('the writer waits while the reader does not read, and nothing is lost', async () => {
  const clock = fakeClock()
  const { stream, writes, take } = slowStream()
  const out = printer(stream, { clock })
  let wrote = false
  const first = out.write('longer than eight').then(() => (wrote = true))
  await Promise.resolve()
  expect(wrote).toBe(false)
  const second = out.write('next')
  await clock.advance(100)
  expect(writes).toEqual(['longer than eight'])
  take()
  await Promise.all([first, second])
  expect(writes).toEqual(['longer than eight', 'next'])
})

test('flush resolves when the system has everything', async () => {
  const { stream, writes, take } = slowStream(1000)
  const out = printer(stream, { clock: fakeClock() })
  await out.write('a')
  await out.write('b')
  let flushed = false
  const flush = out.flush().then(() => (flushed = true))
  await Promise.resolve()
  expect(flushed).toBe(false)
  take()
  await new Promise((resolve) => setImmediate(resolve))
  take()
  await flush
  expect(writes).toEqual(['a', 'b'])
})

const failures: [code: string, code: string, reason: string][] = [
  ['EPIPE', 'network', 'output_closed'],
  ['ENOSPC', 'internal', 'output_failed'],
]
for (const [systemCode, code, reason] of failures) {
  test(`${systemCode} ends the printing: later writes return at once, the reason is ${reason}`, async () => {
    const stream = new Writable({
      write(_chunk, _encoding, done) {
        done(Object.assign(new Error(systemCode), { code: systemCode }))
      },
    })
    const out = printer(stream, { clock: fakeClock() })
    const gone = new Promise((resolve) => out.gone.addEventListener('abort', resolve))
    await out.write('x')
    await gone
    expect(out.gone.reason).toMatchObject({ code, reason })
    await out.write('y')
    await out.flush()
  })
}

test('a writer who waits for a reader that goes away is let go', async () => {
  const { stream } = slowStream()
  const out = printer(stream, { clock: fakeClock() })
  const waiting = out.write('longer than eight')
  stream.destroy()
  await waiting
  expect(out.gone.reason).toMatchObject({ reason: 'output_closed' })
})

test('it knows whether a line is open', async () => {
  const { stream } = fastStream()
  const out = printer(stream, { clock: fakeClock() })
  expect(out.midLine).toBe(false)
  await out.write('a')
  expect(out.midLine).toBe(true)
  await out.write('b\n')
  expect(out.midLine).toBe(false)
})
