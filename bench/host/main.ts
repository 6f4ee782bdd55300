/** The server that is being measured, alone in its process, so that CPU and memory are its own. */
import { setTimeout as pause } from 'node:timers/promises'
import { answer } from '../child.ts'
import { micros } from '../clock.ts'
import { relays, type RelayName } from '../relays/index.ts'
import type { Listening, Relay, RelayOptions } from '../relays/relay.ts'

export interface Usage {
  /** CPU time of the process, all its threads together. Microseconds. */
  readonly cpuUs: number
  /** On the machine's clock. Microseconds. */
  readonly atUs: number
}

const procedures = {
  async startRelay(name: RelayName, options: RelayOptions): Promise<Listening> {
    const relay: Relay = relays[name]
    return (await relay.load())(options)
  },

  usage(): Usage {
    const { user, system } = process.cpuUsage()
    return { cpuUs: user + system, atUs: micros() }
  },

  /** Resident set after two full collections, in bytes. */
  async memory(): Promise<number> {
    for (let i = 0; i < 2; i++) {
      globalThis.gc?.()
      await pause(20)
    }
    return process.memoryUsage.rss()
  },
}
export type HostProcedures = typeof procedures

answer(procedures)
