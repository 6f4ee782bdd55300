import { describe, expect, test } from 'vitest'
import { type Faults, faultCounter, faultTerms, parseFaults, splitModel } from '../../src/sim/faults.ts'

const cases: [text: string, faults: Faults][] = [
  ['', {}],
  ['cut=500', { cut: 500 }],
  ['cut=0&rst', { cut: 0, rst: true }],
  ['cut=500:rst', { cut: 500, rst: true }],
  ['end=12', { end: 12 }],
  ['stall', { stall: 'headers' }],
  ['stall=0', { stall: 0 }],
  ['drip=1,every=20', { drip: 1, every: 20 }],
  ['status=429:retry-after=2', { status: 429, retryAfter: '2' }],
  [
    'status=503,retry-after=Wed%2C%2021%20Oct%202026%2007%3A28%3A00%20GMT',
    { status: 503, retryAfter: 'Wed, 21 Oct 2026 07:28:00 GMT' },
  ],
  ['malformed=3', { malformed: 3 }],
  ['content-type=text/html; charset=utf-8', { contentType: 'text/html; charset=utf-8' }],
  ['error=0', { error: 0 }],
  ['no-done', { noDone: true }],
  ['slow-headers=2000', { slowHeaders: 2000 }],
  ['fail-first=2', { failFirst: 2 }],
  ['tps=12.5', { tokensPerSecond: 12.5 }],
  ['tps=max', { tokensPerSecond: Number.POSITIVE_INFINITY }],
  [' cut=1 , cut=2 ,', { cut: 2 }],
]
for (const [text, faults] of cases) {
  test(`"${text}" is read`, () => expect(parseFaults(text)).toEqual(faults))
}

test('every term of the table is read by some case above', () => {
  const read = new Set(cases.flatMap(([text]) => text.split(/[&,:]/).map((term) => term.trim().split('=')[0])))
  expect(Object.keys(faultTerms).filter((name) => !read.has(name))).toEqual([])
})

test('an unknown fault is named, and the known ones are listed', () => {
  expect(() => parseFaults('cut=5,explode=3')).toThrow(
    expect.objectContaining({
      code: 'invalid_request',
      reason: 'fault_unknown',
      message:
        'the simulator knows no fault "explode"; it knows cut, rst, end, stall, drip, every, status, retry-after, malformed, content-type, error, no-done, slow-headers, fail-first, tps',
    }),
  )
})

test('names of Object.prototype are not faults', () => {
  expect(() => parseFaults('constructor')).toThrow(expect.objectContaining({ reason: 'fault_unknown' }))
})

const bad = [
  'cut',
  'cut=',
  'cut=-1',
  'cut=1.5',
  'cut=ten',
  'cut=1e3',
  'cut=9999999999',
  'rst=1',
  'stall=',
  'drip=0',
  'every=0',
  'status=200',
  'status=600',
  'malformed=0',
  'no-done=yes',
  'retry-after=',
  'retry-after=a%0D%0Ab',
  'content-type=%0A',
  'tps=0',
  'tps=fast',
  'fail-first=0',
]
for (const text of bad) {
  test(`"${text}" is refused, with the right way to write it`, () => {
    const name = text.split('=')[0]!
    expect(() => parseFaults(text)).toThrow(
      expect.objectContaining({ reason: 'fault_value', message: expect.stringContaining(`; write ${name}`) }),
    )
  })
}

test('a model is split at its first question mark', () => {
  expect(splitModel('echo')).toEqual({ name: 'echo', suffix: '' })
  expect(splitModel('a/b?cut=1&rst?')).toEqual({ name: 'a/b', suffix: 'cut=1&rst?' })
})

describe('fail-first', () => {
  test('holds its faults for the first requests only', () => {
    const counter = faultCounter()
    const faults = parseFaults('cut=10,fail-first=2')
    expect([1, 2, 3].map(() => counter.next('a', faults))).toEqual([{ cut: 10 }, { cut: 10 }, {}])
  })

  test('alone means 503, and leaves the pace as it is', () => {
    const counter = faultCounter()
    const faults = parseFaults('fail-first=1,tps=5')
    expect([1, 2].map(() => counter.next('a', faults))).toEqual([
      { status: 503, tokensPerSecond: 5 },
      { tokensPerSecond: 5 },
    ])
  })

  test('counts each origin by itself', () => {
    const counter = faultCounter()
    const faults = parseFaults('status=500,fail-first=1')
    expect(['a', 'b', 'a'].map((origin) => counter.next(origin, faults))).toEqual([
      { status: 500 },
      { status: 500 },
      {},
    ])
  })
})
