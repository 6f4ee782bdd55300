import { expect, test } from 'vitest'
import { idSource } from '../../src/engine/id.ts'
import { fakeClock } from '../../src/testing/fake-clock.ts'

test('ids are version 7 UUIDs that begin with the time, and none comes twice', () => {
  const newId = idSource(fakeClock(0x0123456789ab))
  const ids = Array.from({ length: 2_000 }, newId)
  expect(new Set(ids).size).toBe(2_000)
  expect(ids.filter((id) => !/^01234567-89ab-7[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/.test(id))).toEqual([])
})

test('ids sort by time', async () => {
  const clock = fakeClock()
  const newId = idSource(clock)
  const first = newId()
  await clock.advance(1)
  expect(first < newId()).toBe(true)
})
