import { describe, expect, test } from 'vitest'
import type { ErrorBody, ErrorCode } from '../../src/core/error.ts'
import {
  RunletError,
  errorBody,
  errorCodes,
  errorFromBody,
  isAuth,
  isBadRequest,
  isContentFiltered,
  isErrorCode,
  isNetwork,
  isNotFound,
  isOverloaded,
  isRateLimited,
  isRunletError,
  isTimeout,
  isTransient,
  toRunletError,
} from '../../src/core/error.ts'

/** The published taxonomy, in its order, with what each code means to a caller. */
const table: [code: ErrorCode, status: number, exit: number, temporary: boolean, retryAfterMs?: number][] = [
  ['invalid_request', 400, 2, false],
  ['unauthorized', 401, 1, false],
  ['forbidden', 403, 1, false],
  ['not_found', 404, 1, false],
  ['rate_limited', 429, 1, true, 60_000],
  ['overloaded', 503, 1, true, 10_000],
  ['timeout', 504, 1, true, 5_000],
  ['network', 502, 1, true, 5_000],
  ['provider_unavailable', 503, 1, true, 30_000],
  ['context_length_exceeded', 413, 1, false],
  ['content_filtered', 422, 3, false],
  ['unsupported', 501, 1, false],
  ['internal', 500, 1, true],
]
const codes = table.map(([code]) => code)
const plain = (code: ErrorCode) => new RunletError(code, { message: 'x' })

test('the codes are exactly the thirteen published strings', () => {
  expect(Object.keys(errorCodes)).toEqual(codes)
})

describe('each code', () => {
  for (const [code, status, exit, temporary, retryAfterMs] of table) {
    test(`${code} is ${status}, exits ${exit}, and is ${temporary ? '' : 'not '}temporary`, () => {
      const hint = retryAfterMs === undefined ? {} : { retryAfterMs }
      expect(errorCodes[code]).toEqual({ status, exit, temporary, ...hint })
      expect(plain(code)).toMatchObject({ code, reason: code, status, temporary, message: 'x', name: 'RunletError' })
      const retry = retryAfterMs === undefined ? {} : { retry_after_ms: retryAfterMs }
      expect(errorBody(plain(code))).toStrictEqual({ code, reason: code, message: 'x', temporary, ...retry })
      expect(isErrorCode(code)).toBe(true)
    })
  }

  for (const name of ['', 'INTERNAL', 'safety_blocked', '__proto__', 'constructor', 'toString', 13, null, undefined]) {
    test(`${String(name)} is no code`, () => expect(isErrorCode(name)).toBe(false))
  }
})

const helpers: [name: string, is: (error: RunletError) => boolean, codes: ErrorCode[]][] = [
  ['isRateLimited', isRateLimited, ['rate_limited']],
  ['isOverloaded', isOverloaded, ['overloaded']],
  ['isTimeout', isTimeout, ['timeout']],
  ['isNotFound', isNotFound, ['not_found']],
  ['isContentFiltered', isContentFiltered, ['content_filtered']],
  ['isAuth', isAuth, ['unauthorized', 'forbidden']],
  ['isNetwork', isNetwork, ['network', 'provider_unavailable']],
  ['isBadRequest', isBadRequest, ['invalid_request', 'context_length_exceeded', 'unsupported']],
  [
    'isTransient',
    isTransient,
    ['rate_limited', 'overloaded', 'timeout', 'network', 'provider_unavailable', 'internal'],
  ],
]
describe('each helper is true for its codes and no others', () => {
  for (const [name, is, its] of helpers) {
    test(name, () => expect(codes.filter((code) => is(plain(code)))).toEqual(its))
  }

  test('isTransient believes the error, not its code', () => {
    expect(isTransient(new RunletError('internal', { message: 'x', temporary: false }))).toBe(false)
    expect(isTransient(new RunletError('invalid_request', { message: 'x', temporary: true }))).toBe(true)
  })
})

describe('a body', () => {
  test('has the key order of the wire', () => {
    expect(Object.keys(errorBody(plain('network')))).toEqual([
      'code',
      'reason',
      'message',
      'temporary',
      'retry_after_ms',
    ])
  })

  const bodies: [name: string, error: RunletError, body: ErrorBody][] = [
    [
      'carries what the provider asked for',
      new RunletError('rate_limited', { message: 'x', reason: 'tokens', retryAfterMs: 0, provider: 'openai' }),
      { code: 'rate_limited', reason: 'tokens', message: 'x', temporary: true, retry_after_ms: 0 },
    ],
    [
      'gives no hint when trying again is useless',
      new RunletError('network', { message: 'x', temporary: false }),
      { code: 'network', reason: 'network', message: 'x', temporary: false },
    ],
    [
      'leaks neither cause nor provider nor stack',
      new RunletError('unauthorized', { message: 'x', provider: 'openai', cause: new Error('sk-secret') }),
      { code: 'unauthorized', reason: 'unauthorized', message: 'x', temporary: false },
    ],
  ]
  for (const [name, error, body] of bodies) {
    test(name, () => {
      expect(errorBody(error)).toStrictEqual(body)
      expect(errorBody(errorFromBody(body))).toStrictEqual(body)
    })
  }
})

describe('recognising an error', () => {
  test('of another copy of the package', async () => {
    const copy = '../../src/core/error.ts?copy'
    const other: { RunletError: typeof RunletError } = await import(copy)
    const foreign = new other.RunletError('timeout', { message: 'x' })
    expect(foreign).not.toBeInstanceOf(RunletError)
    expect(isRunletError(foreign)).toBe(true)
    expect(toRunletError(foreign)).toBe(foreign)
  })

  const others: [name: string, value: unknown][] = [
    ['an Error', new Error('x')],
    ['a plain object that looks like one', { name: 'RunletError', code: 'internal', message: 'x' }],
    [
      'an error of that name with a code we do not have',
      Object.assign(new Error('x'), { name: 'RunletError', code: 'x' }),
    ],
    ['a Node error of the file system', Object.assign(new Error('x'), { code: 'ENOSPC' })],
    ['an abort', new DOMException('x', 'AbortError')],
    ['a string', 'internal'],
    ['null', null],
    ['undefined', undefined],
  ]
  for (const [name, value] of others) {
    test(`${name} is none; it becomes internal, with its text in the cause alone`, () => {
      expect(isRunletError(value)).toBe(false)
      const typed = toRunletError(value)
      expect(typed).toMatchObject({ code: 'internal', reason: 'unexpected', status: 500 })
      expect(typed.cause).toBe(value)
      expect(typed.message).toBe(
        'something inside Runlet failed; the details are in the log of the process that ran this',
      )
    })
  }

  test('an error as thrown is an Error with a stack and its cause', () => {
    const cause = new Error('reset')
    const error = new RunletError('network', { message: 'gone', cause, status: 599 })
    expect(error).toBeInstanceOf(Error)
    expect(error.stack).toContain('RunletError: gone')
    expect(error.cause).toBe(cause)
    expect(error.status).toBe(599)
    expect('cause' in plain('network')).toBe(false)
  })
})
