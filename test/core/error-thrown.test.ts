/** Whatever is thrown becomes exactly one of the thirteen codes, and can be logged and sent. */
import * as fc from 'fast-check'
import { createContext, runInContext } from 'node:vm'
import { describe, expect, test } from 'vitest'
import {
  RunletError,
  codeOfStatus,
  errorBody,
  errorCodeOf,
  errorCodes,
  errorFromBody,
  errorFromStatus,
  isErrorCode,
  isRunletError,
  isTransient,
  retryAfterMs,
  toRunletError,
  type ErrorCode,
} from '../../src/core/error.ts'

/** Holds for the typed error of any thrown value. */
function holds(thrown: unknown): RunletError {
  const error = toRunletError(thrown)
  expect(isRunletError(error)).toBe(true)
  const body = errorBody(error)
  expect(JSON.parse(JSON.stringify(body))).toStrictEqual(body)
  expect(Object.keys(errorCodes).filter((code) => code === body.code)).toEqual([body.code])
  expect([typeof body.reason, typeof body.message, typeof body.temporary]).toEqual(['string', 'string', 'boolean'])
  expect(errorBody(errorFromBody(body))).toStrictEqual(body)
  if (!isRunletError(thrown)) expect(Object.is(error.cause, thrown)).toBe(true)
  return error
}

const circular = new Error('round')
circular.cause = new Error('and round', { cause: circular })
const hostile = {
  get: () => {
    throw new Error('touched')
  },
  getPrototypeOf: () => {
    throw new Error('touched')
  },
}
const errno = (code: string) => Object.assign(new Error(`connect ${code} with sk-secret`), { code })
const foreign: unknown = runInContext(
  'Object.assign(new Error("other realm"), { code: "ECONNREFUSED" })',
  createContext(),
)

const thrown: [name: string, value: unknown, code: ErrorCode, reason: string][] = [
  ['nothing', undefined, 'internal', 'unexpected'],
  ['a symbol', Symbol('x'), 'internal', 'unexpected'],
  ['a bigint', 1n, 'internal', 'unexpected'],
  ['a function', () => {}, 'internal', 'unexpected'],
  ['an object without a prototype', Object.create(null), 'internal', 'unexpected'],
  ['a frozen error', Object.freeze(new TypeError('x')), 'internal', 'unexpected'],
  ['an error whose causes go round', circular, 'internal', 'unexpected'],
  ['a proxy that throws when it is touched', new Proxy(new Error('x'), hostile), 'internal', 'unexpected'],
  [
    'a proxy that was revoked',
    (() => {
      const { proxy, revoke } = Proxy.revocable(new Error('x'), {})
      revoke()
      return proxy
    })(),
    'internal',
    'unexpected',
  ],
  [
    'an error whose members throw',
    Object.defineProperty(new Error('x'), 'name', {
      get: () => {
        throw new Error('y')
      },
    }),
    'internal',
    'unexpected',
  ],
  ['an abort', new DOMException('off', 'AbortError'), 'internal', 'unexpected'],
  ['a timeout of the platform', new DOMException('late', 'TimeoutError'), 'timeout', 'timed_out'],
  ['a refused connection', errno('ECONNREFUSED'), 'network', 'connection_failed'],
  ['a refused connection of another realm', foreign, 'network', 'connection_failed'],
  ['a connection that took too long', errno('ETIMEDOUT'), 'timeout', 'timed_out'],
  ['what fetch throws', new TypeError('fetch failed', { cause: errno('ENOTFOUND') }), 'network', 'connection_failed'],
  ['an error of the file system', errno('ENOENT'), 'internal', 'unexpected'],
  [
    'an error that calls itself ours',
    Object.assign(new Error('x'), { name: 'RunletError', code: 'network' }),
    'internal',
    'unexpected',
  ],
  [
    'an error of ours with a code that is none',
    Object.assign(new RunletError('network', { message: 'x' }), { code: 'oops' }),
    'internal',
    'unexpected',
  ],
  [
    'a frozen error of ours',
    Object.freeze(new RunletError('overloaded', { message: 'x' })),
    'overloaded',
    'overloaded',
  ],
]

describe('toRunletError', () => {
  for (const [name, value, code, reason] of thrown) {
    test(`takes ${name} for ${code} (${reason}), and keeps its text out of the message`, () => {
      const error = holds(value)
      expect([error.code, error.reason, error.message.includes('secret')]).toEqual([code, reason, false])
    })
  }

  test('takes anything at all', () => {
    const anything = fc.anything({
      withBigInt: true,
      withDate: true,
      withMap: true,
      withNullPrototype: true,
      withObjectString: true,
      withTypedArray: true,
    })
    const classes = [Error, TypeError, RangeError, AggregateError, class Own extends Error {}] as const
    const errors = fc
      .tuple(
        fc.constantFrom(...classes),
        fc.record(
          { name: fc.anything(), code: fc.anything(), cause: fc.anything(), message: fc.anything() },
          { requiredKeys: [] },
        ),
      )
      .map(([Made, members]) => {
        const error = Made === AggregateError ? new AggregateError([]) : new (Made as ErrorConstructor)('x')
        for (const [key, value] of Object.entries(members)) Object.defineProperty(error, key, { value })
        return error
      })
    const codes = fc.constantFrom(...(Object.keys(errorCodes) as ErrorCode[]))
    const ours = fc
      .record(
        { code: codes, reason: fc.string(), temporary: fc.boolean(), retryAfterMs: fc.nat() },
        { requiredKeys: ['code'] },
      )
      .map(({ code, ...options }) => new RunletError(code, { message: 'x', ...options }))
    fc.assert(
      fc.property(fc.oneof(anything, errors, ours), (value) => void holds(value)),
      { numRuns: 2000 },
    )
  })
})

test('a code in the words of others is one of ours, or none', () => {
  const names: unknown[] = ['safety_blocked', 'content_filtered', 'network', 'nope', 'toString', '__proto__', 1, null]
  expect(names.map(errorCodeOf)).toEqual([
    'content_filtered',
    'content_filtered',
    'network',
    undefined,
    undefined,
    undefined,
    undefined,
    undefined,
  ])
  expect(isErrorCode('safety_blocked')).toBe(false)
  const body = (code: string) => ({ code, reason: 'r', message: 'm', temporary: false })
  expect(['safety_blocked', 'of_tomorrow'].map((code) => errorFromBody(body(code)).code)).toEqual([
    'content_filtered',
    'internal',
  ])
})

test('an error for a status alone has its code, its status as the reason, and what is said besides', () => {
  for (let status = 300; status < 620; status++) {
    const error = errorFromStatus(status)
    expect([error.code, error.reason]).toEqual([codeOfStatus(status), `http_${status}`])
    holds(error)
  }
  expect(errorFromStatus(429, { message: 'm', provider: 'own', retryAfterMs: 5 })).toMatchObject({
    code: 'rate_limited',
    message: 'm',
    provider: 'own',
    retryAfterMs: 5,
  })
})

test('the wait before another try is what was asked for, else the hint of the code, and none where waiting is no use', () => {
  const of = (code: ErrorCode, more: object = {}) => retryAfterMs(new RunletError(code, { message: 'x', ...more }))
  expect([
    of('rate_limited'),
    of('rate_limited', { retryAfterMs: 7 }),
    of('rate_limited', { temporary: false }),
    of('forbidden'),
    of('internal'),
  ]).toEqual([60_000, 7, undefined, undefined, undefined])
  expect(isTransient(errorFromStatus(503))).toBe(true)
})
