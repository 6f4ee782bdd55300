import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterEach } from 'vitest'
import { type Sim, type SimOptions, createSim } from '../../src/sim/sim.ts'
import type { SimRequest } from '../../src/sim/journal.ts'

export const ownFixtures = fileURLToPath(new URL('../fixtures/sim', import.meta.url))
export const sharedFixtures = fileURLToPath(new URL('../../../shared/fixtures', import.meta.url))
export const haveShared = existsSync(sharedFixtures)

export interface Stage {
  /** Starts a simulator that is closed after the test. */
  readonly start: (options?: SimOptions) => Promise<Sim & { readonly next: () => Promise<SimRequest> }>
}

/** `next()` resolves with the next request that the simulator is done with, in order. */
export function stage(): Stage {
  const open: Sim[] = []
  afterEach(async () => {
    await Promise.all(open.splice(0).map((sim) => sim.close()))
  })
  return {
    async start(options = {}) {
      const done: SimRequest[] = []
      const waiting: ((request: SimRequest) => void)[] = []
      const sim = await createSim({
        ...options,
        onEnd(request) {
          const waiter = waiting.shift()
          if (waiter) waiter(request)
          else done.push(request)
          options.onEnd?.(request)
        },
      })
      open.push(sim)
      const next = () => {
        const ready = done.shift()
        return ready ? Promise.resolve(ready) : new Promise<SimRequest>((resolve) => waiting.push(resolve))
      }
      return { ...sim, next }
    },
  }
}
