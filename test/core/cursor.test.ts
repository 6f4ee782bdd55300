import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Cursor, Extent } from '../../src/core/cursor.ts'
import { ANY_EPOCH, START, checkCursor, epochAt, formatCursor, parseCursor } from '../../src/core/cursor.ts'
import { isRunletError } from '../../src/core/error.ts'

describe('reading a cursor', () => {
  const good: [text: string, cursor: Cursor][] = [
    ['1-42', { epoch: 1, seq: 42 }],
    ['1-0', { epoch: 1, seq: 0 }],
    ['12-999999999999999', { epoch: 12, seq: 999_999_999_999_999 }],
    ['42', { epoch: ANY_EPOCH, seq: 42 }],
    ['0', START],
  ]
  for (const [text, cursor] of good) {
    test(`"${text}" is a place`, () => expect(parseCursor(text)).toEqual(cursor))
  }

  const bad = [
    '',
    ' ',
    '-',
    '-1',
    '1-',
    '0-1',
    '01-1',
    '1-01',
    '1--1',
    '1-1-1',
    '1-1 ',
    ' 1-1',
    '1-1\n',
    '+1',
    '1.5',
    '1e3',
    '0x10',
    'NaN',
    'null',
    '１-１',
    '1-9999999999999999',
    '9999999999-1',
    '__proto__',
    'x'.repeat(1_000_000),
  ]
  for (const text of bad) {
    test(`${JSON.stringify(text.slice(0, 20))} is refused, never repaired`, () => {
      const error = thrown(() => parseCursor(text))
      expect(error).toMatchObject({ code: 'invalid_request', reason: 'cursor_malformed', status: 400 })
      expect(error.message.length).toBeLessThan(250)
    })
  }

  test('what is formatted is read back', () => {
    const cursors = fc.record({
      epoch: fc.integer({ min: 1, max: 999_999_999 }),
      seq: fc.integer({ min: 0, max: 999_999_999_999_999 }),
    })
    fc.assert(
      fc.property(cursors, (cursor) => {
        expect(parseCursor(formatCursor(cursor))).toEqual(cursor)
      }),
    )
  })
})

/** One owner, entries 1 to 10. */
const one: Extent = { epochs: [{ epoch: 1, from: 1 }], last: 10 }
/** Epoch 1 wrote 1 to 5, epoch 2 wrote 6 to 8, epoch 4 wrote 9 and 10. */
const three: Extent = {
  epochs: [
    { epoch: 1, from: 1 },
    { epoch: 2, from: 6 },
    { epoch: 4, from: 9 },
  ],
  last: 10,
}
const pruned: Extent = { ...one, oldest: 4 }
const empty: Extent = { epochs: [], last: 0 }

describe('the epoch of an entry', () => {
  const cases: [extent: Extent, seq: number, epoch: number][] = [
    [one, 0, 1],
    [one, 10, 1],
    [three, 0, 1],
    [three, 5, 1],
    [three, 6, 2],
    [three, 8, 2],
    [three, 9, 4],
    [empty, 0, 1],
  ]
  for (const [extent, seq, epoch] of cases) {
    test(`entry ${seq} of a run with ${extent.epochs.length} owners was written by epoch ${epoch}`, () => {
      expect(epochAt(extent, seq)).toBe(epoch)
    })
  }
})

describe('judging a cursor', () => {
  const good: [name: string, text: string, extent: Extent][] = [
    ['the start', '0', one],
    ['the start of a run with several owners', '0', three],
    ['the start, epoch named', '1-0', three],
    ['the middle', '1-5', one],
    ['the end', '1-10', one],
    ['a bare seq in a run with one owner', '10', one],
    ['the last of an older epoch', '1-5', three],
    ['the first of a newer epoch', '2-6', three],
    ['an epoch that skipped a number', '4-9', three],
    ['the last place before the oldest entry', '1-3', pruned],
    ['the start of a run without entries', '0', empty],
  ]
  for (const [name, text, extent] of good) {
    test(`${name} (${text}) can be continued`, () => checkCursor(parseCursor(text), extent))
  }

  const future = { code: 'invalid_request', reason: 'cursor_future', status: 409 }
  const foreign = { code: 'invalid_request', reason: 'cursor_foreign', status: 409 }
  const bare = { code: 'invalid_request', reason: 'cursor_epoch_required', status: 400 }
  const expired = { code: 'not_found', reason: 'cursor_expired', status: 410 }
  const bad: [name: string, text: string, extent: Extent, error: object][] = [
    ['a seq that is not written yet', '1-11', one, future],
    ['a bare seq that is not written yet', '11', one, future],
    ['an epoch that never was', '2-5', one, future],
    ['a place in a run without entries', '1-1', empty, future],
    ['an epoch that had not begun there', '2-5', three, foreign],
    ['an epoch that had ended there', '1-6', three, foreign],
    ['an epoch that wrote nothing', '3-8', three, foreign],
    ['an epoch that did not write the first entries', '2-0', three, foreign],
    ['a bare seq in a run with several owners', '5', three, bare],
    ['a place before the oldest entry', '1-2', pruned, expired],
    ['the start of a run whose head is gone', '0', pruned, expired],
    ['the start of a run whose entries are all gone', '0', { ...one, oldest: 11 }, expired],
  ]
  for (const [name, text, extent, error] of bad) {
    test(`${name} (${text}) is ${(error as typeof future).reason}`, () => {
      expect(thrown(() => checkCursor(parseCursor(text), extent))).toMatchObject(error)
    })
  }

  test('a refusal names the cursor as it was given, and never proposes what was just refused', () => {
    expect(thrown(() => checkCursor(parseCursor('11'), one)).message).toBe(
      'cursor 11 is ahead of this run, which is at 1-10. Leave the cursor out to read from the start',
    )
    expect(thrown(() => checkCursor(START, pruned)).message).toBe(
      'events up to 3 are no longer stored, so reading cannot begin after 0. Read after 1-3 for what remains',
    )
    expect(thrown(() => checkCursor({ epoch: 1, seq: 9 }, { ...one, oldest: 11 })).message).toBe(
      'events up to 10 are no longer stored, so reading cannot begin after 1-9. Only the summary of the run remains',
    )
  })
})

function thrown(action: () => unknown): Error {
  try {
    action()
  } catch (error) {
    if (isRunletError(error)) return error
    throw error
  }
  throw new Error('nothing was thrown')
}
