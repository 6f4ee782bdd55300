import { afterEach, expect, test, vi } from 'vitest'
import { stopSignals } from '../../src/cli/stop-signals.ts'

afterEach(() => vi.restoreAllMocks())

test('the first signal asks to stop, the second one leaves at once', () => {
  const exit = vi.spyOn(process, 'exit').mockReturnValue(undefined as never)
  const stop = stopSignals()
  process.emit('SIGINT')
  expect([stop.signal.aborted, exit.mock.calls]).toEqual([true, []])
  process.emit('SIGTERM')
  expect(exit.mock.calls).toEqual([[130]])
  const listeners = process.listenerCount('SIGINT')
  stop.release()
  expect(process.listenerCount('SIGINT')).toBe(listeners - 1)
})
