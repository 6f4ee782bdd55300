import { expect, test } from 'vitest'
import { fakeClock } from '../../src/testing/fake-clock.ts'
import { boxTools } from '../../src/tools/index.ts'
import { call, refusal } from './tree.ts'

const tool = boxTools({ root: '.', clock: fakeClock(Date.UTC(2024, 6, 1, 22, 30)) })[3]!

test('the time is told in UTC', async () => {
  expect(await call(tool)).toBe('2024-07-01T22:30:00.000Z')
})

test('and in a time zone, in words, with the day that it is there', async () => {
  const answer = await call(tool, { time_zone: 'Europe/Berlin' })
  expect(answer).toMatch(/^2024-07-01T22:30:00\.000Z \(Tuesday.* 2 July 2024.* 00:30:00 .*, Europe\/Berlin\)$/)
})

test('a zone that does not exist is refused', async () => {
  expect(await refusal(tool, { time_zone: 'Middle/Earth' })).toBe('invalid_request bad_time_zone')
})
