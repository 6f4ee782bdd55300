/** The server that is being measured, alone in its process, so that CPU and memory are its own. */
import { setTimeout as pause } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { answer } from '../child.ts'
import { micros } from '../clock.ts'
import type { FanoutServer, OpenStream } from '../fanouts/fanout.ts'
import { fanouts, type FanoutName } from '../fanouts/index.ts'
import { relays, type RelayName } from '../relays/index.ts'
import type { Listening, Relay, RelayOptions, RunningServer } from '../relays/relay.ts'

export interface Usage {
  /** CPU time of the process, all its threads together. Microseconds. */
  readonly cpuUs: number
  /** On the machine's clock. Microseconds. */
  readonly atUs: number
}

// As `--expose-gc` would, but a flag of the process reaches its threads, which refuse it.
setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

let server: RunningServer | undefined
let fanout: FanoutServer | undefined
let stream: OpenStream | undefined

function announce(running: RunningServer): Listening {
  server = running
  const { port, headers } = running
  return headers ? { port, headers } : { port }
}

const procedures = {
  async startRelay(name: RelayName, options: RelayOptions): Promise<Listening> {
    const relay: Relay = relays[name]
    return announce(await (await relay.load())(options))
  },

  async startFanout(name: FanoutName, folder: string): Promise<Listening> {
    fanout = await (await fanouts[name].load())(folder)
    return announce(fanout)
  },

  /** Makes a stream that is silent until `produce`. Resolves with its path. */
  async openStream(): Promise<string> {
    stream = await fanout!.open()
    return stream.path
  },

  /** Resolves with the time of the first event. */
  async produce(events: number, perBatch: number): Promise<number> {
    const begun = micros()
    await stream!.produce(events, perBatch)
    return begun
  },

  usage(): Usage {
    const { user, system } = process.cpuUsage()
    return { cpuUs: user + system, atUs: micros() }
  },

  /** Resident set after two full collections, in bytes. */
  async memory(): Promise<number> {
    for (let i = 0; i < 2; i++) {
      collect()
      await pause(20)
    }
    return process.memoryUsage.rss()
  },
}
export type HostProcedures = typeof procedures

answer(procedures, async () => server?.close?.())
