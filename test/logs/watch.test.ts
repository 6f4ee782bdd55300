import { utimesSync, writeFileSync } from 'node:fs'
import { expect, test, vi } from 'vitest'
import { Watch } from '../../src/logs/sqlite/watch.ts'
import { testStores } from './stores.ts'

const { place } = testStores()

test('a file that is touched is looked at', async () => {
  const path = place()
  writeFileSync(path, '')
  let changed: (() => void) | undefined
  const watch = new Watch(path, () => changed?.())
  watch.start()
  for (let n = 0; n < 3; n++) {
    const change = new Promise<void>((resolve) => (changed = resolve))
    utimesSync(path, n, n)
    await expect(change).resolves.toBe(undefined)
  }
  watch.close()
})

test('where the system reports nothing, a slow timer looks, only while somebody waits', () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
  try {
    let changes = 0
    // There is nothing to watch: as on a system that has no watches left.
    const watch = new Watch(place(), () => changes++)
    watch.start()
    vi.advanceTimersByTime(5000)
    expect(changes).toBe(0)
    watch.urgent = true
    watch.urgent = true
    vi.advanceTimersByTime(5000)
    expect(changes).toBe(5)
    watch.urgent = false
    vi.advanceTimersByTime(5000)
    expect(changes).toBe(5)
    watch.urgent = true
    watch.close()
    expect(vi.getTimerCount()).toBe(0)
  } finally {
    vi.useRealTimers()
  }
})
