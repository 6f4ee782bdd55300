import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { sleep, systemClock } from '../../src/core/clock.ts'
import { fakeClock } from '../../src/testing/fake-clock.ts'

describe('sleeping', () => {
  test('lasts exactly as long as asked', async () => {
    const clock = fakeClock()
    let awake = false
    const slept = sleep(clock, 100).then(() => (awake = true))
    await clock.advance(99)
    expect(awake).toBe(false)
    await clock.advance(1)
    expect(awake).toBe(true)
    await slept
    expect(clock.pending).toBe(0)
  })

  test('ends at once when the signal aborts, with the signal’s reason and without its timer', async () => {
    const clock = fakeClock()
    const abort = new AbortController()
    const reason = { why: 'cancelled' }
    const slept = sleep(clock, 100, abort.signal)
    expect(clock.pending).toBe(1)
    abort.abort(reason)
    await expect(slept).rejects.toBe(reason)
    expect(clock.pending).toBe(0)
  })

  test('does not begin when the signal has aborted', async () => {
    const clock = fakeClock()
    await expect(sleep(clock, 100, AbortSignal.abort('gone'))).rejects.toBe('gone')
    expect(clock.pending).toBe(0)
  })

  test('leaves nothing behind on a signal that outlives it', async () => {
    const clock = fakeClock()
    const { signal } = new AbortController()
    const added = vi.spyOn(signal, 'addEventListener')
    const removed = vi.spyOn(signal, 'removeEventListener')
    const slept = sleep(clock, 1, signal)
    await clock.advance(1)
    await slept
    expect(removed.mock.calls.map(([type, listener]) => [type, listener])).toEqual(
      added.mock.calls.map(([type, listener]) => [type, listener]),
    )
  })
})

describe('the machine’s clock', () => {
  beforeEach(() => void vi.useFakeTimers({ now: 5_000 }))
  afterEach(() => void vi.useRealTimers())

  test('calls back once, not before its time', () => {
    const calls: number[] = []
    systemClock.after(10, () => calls.push(Date.now()))
    vi.advanceTimersByTime(9)
    expect(calls).toEqual([])
    vi.advanceTimersByTime(100)
    expect(calls).toEqual([5_010])
  })

  test('forgets what was called off', () => {
    const calls: string[] = []
    const cancel = systemClock.after(10, () => calls.push('late'))
    cancel()
    cancel()
    vi.advanceTimersByTime(100)
    expect(calls).toEqual([])
    expect(vi.getTimerCount()).toBe(0)
  })
})

test('the machine’s clock tells Unix time in milliseconds', () => {
  const before = Date.now()
  const now = systemClock.now()
  expect(now).toBeGreaterThanOrEqual(before)
  expect(now).toBeLessThanOrEqual(Date.now())
})
