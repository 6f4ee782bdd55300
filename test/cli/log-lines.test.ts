import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { logLines, type LogLevel, type LogRecord } from '../../src/cli/log-lines.ts'
import { redactor } from '../../src/cli/redact.ts'

const NOW = Date.UTC(2025, 0, 2, 3, 4, 5, 6)

/** What is written of some records. */
function written(
  records: readonly LogRecord[],
  options: { level?: LogLevel; secrets?: readonly string[] } = {},
): string[] {
  const lines: string[] = []
  const log = logLines({ ...options, now: () => NOW, write: (line) => lines.push(line) })
  for (const record of records) log(record)
  return lines
}

test('a line is one JSON object with its time, level, code, message and ids', () => {
  const record: LogRecord = {
    level: 'warning',
    code: 'slow_consumer',
    message: 'a reader took nothing',
    run_id: 'run_1',
    request_id: 'req_1',
    trace_id: 'trace_1',
  }
  expect(written([record, { level: 'info', code: 'x', message: 'y' }])).toEqual([
    '{"ts":"2025-01-02T03:04:05.006Z","level":"warning","code":"slow_consumer","message":"a reader took nothing","run_id":"run_1","request_id":"req_1","trace_id":"trace_1"}\n',
    '{"ts":"2025-01-02T03:04:05.006Z","level":"info","code":"x","message":"y"}\n',
  ])
})

test('the level decides what is told', () => {
  const records = (['debug', 'info', 'warning', 'error'] as const).map((level) => ({ level, code: level, message: '' }))
  const told = (level?: LogLevel) => written(records, level ? { level } : {}).map((line) => JSON.parse(line).level)
  expect([told(), told('debug'), told('warning'), told('error')]).toEqual([
    ['info', 'warning', 'error'],
    ['debug', 'info', 'warning', 'error'],
    ['warning', 'error'],
    ['error'],
  ])
})

test('whatever the texts hold, a line is one line, one object, and nothing that a terminal obeys', () => {
  const nasty = fc.string({
    unit: fc.oneof(
      fc.constantFrom(
        '\r\n',
        '\n',
        '\u001b[2J',
        '\u009b31m',
        '\u0085',
        '\u2028',
        '\u202e',
        '\u0000',
        '"',
        '\\',
        '\ud800',
        '\u007f',
      ),
      fc.string({ unit: 'binary' }),
    ),
    maxLength: 90,
  })
  fc.assert(
    fc.property(
      nasty,
      nasty.filter((id) => id.length <= 128),
      nasty,
      (message, id, cause) => {
        const [line, ...more] = written([{ level: 'error', code: id, message, run_id: id, cause: new Error(cause) }])
        expect(more).toEqual([])
        expect(line).toMatch(/^\{[^\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]*\}\n$/u)
        expect(JSON.parse(line!)).toMatchObject({ message: message.slice(0, 1_000), run_id: id.slice(0, 128) })
      },
    ),
  )
})

test('a text that is too long is cut, and says so', () => {
  const [line] = written([
    { level: 'error', code: 'x', message: 'm'.repeat(5_000), cause: 'c'.repeat(50_000), run_id: 'r'.repeat(500) },
  ])
  const { message, cause, run_id } = JSON.parse(line!)
  expect([message.length, message.at(-1), cause.length, run_id.length]).toEqual([1_001, '…', 8_001, 129])
})

describe('causes', () => {
  const causeOf = (cause: unknown) => JSON.parse(written([{ level: 'error', code: 'x', message: '', cause }])[0]!).cause

  test('are told as far down as they go', () => {
    const cause = causeOf(new Error('outer', { cause: new TypeError('inner', { cause: 'the root' }) }))
    expect(cause).toMatch(/^Error: outer\n {4}at [^]+\nbecause: TypeError: inner\n[^]+\nbecause: the root$/)
  })

  test('that go in a circle come to an end', () => {
    const error = new Error('round')
    error.cause = error
    expect(causeOf(error).match(/because/g)).toHaveLength(7)
  })

  test('that are no errors are shown as they are', () => {
    expect(causeOf({ a: [1] })).toBe('{ a: [ 1 ] }')
    expect(causeOf(null)).toBe('null')
  })
})

describe('secrets', () => {
  const secret = 'sk-cänary/+"7 9f3b2c1d'
  const bytes = Buffer.from(secret)
  const spellings: [name: string, text: string][] = [
    ['as they are', secret],
    ['twice', `${secret}${secret}`],
    ['in a URL', `https://host/?key=${encodeURIComponent(secret)}&x=1`],
    ['in JSON', JSON.stringify({ key: secret })],
    ['in JSON in JSON', JSON.stringify(JSON.stringify({ key: secret }))],
    ['in hexadecimal', bytes.toString('hex')],
    ['in base64', bytes.toString('base64')],
    ['in base64 behind one byte', Buffer.from(`:${secret}`).toString('base64')],
    ['in base64 of Basic authentication', Buffer.from(`us:${secret}:more`).toString('base64')],
    ['in base64url', Buffer.from(`user:${secret}`).toString('base64url')],
    ['where the text is cut', `${'x'.repeat(990)}${secret}`],
  ]
  const leaks = /c.?nary|sk-c|7(?: |%20)9f3b|9f3b2c1d/i

  for (const [name, text] of spellings) {
    test(`are never told: ${name}`, () => {
      const [line] = written(
        [{ level: 'error', code: 'x', message: text, run_id: text, cause: new Error(text, { cause: text }) }],
        {
          secrets: [secret],
        },
      )
      expect(line).toContain('[redacted]')
      expect(line).not.toMatch(leaks)
      for (const shift of [0, 1, 2]) {
        const part = Buffer.concat([Buffer.alloc(shift), bytes])
          .toString('base64')
          .slice(4, 20)
        expect(line).not.toContain(part)
      }
      // Without the list it is there: the check can fail.
      expect(written([{ level: 'error', code: 'x', message: text }]).join('')).not.toContain('[redacted]')
    })
  }

  test('of a few letters are words, and stay', () => {
    expect(redactor(['key', ''])('a key')).toBe('a key')
  })

  test('are taken whole where one is part of another', () => {
    expect(redactor(['abcdefgh', 'abcdefgh-ijkl'])('x abcdefgh-ijkl y')).toBe('x [redacted] y')
  })
})
