import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import type { Provider, ProviderEvent } from '../../src/core/provider.ts'
import type { Log } from '../../src/core/log.ts'
import { createRuntime } from '../../src/engine/runtime.ts'
import { sqliteLog } from '../../src/logs/sqlite.ts'
import { memoryLog } from '../../src/logs/memory.ts'
import { createHttpServer } from '../../src/servers/http/server.ts'
import { forgetful } from '../relays/forgetful.ts'
import { EVENT_TEXT, type FanoutServer } from './fanout.ts'

/** A run per stream: its model says what `produce` asks for, and its readers follow the log. */
async function startRunlet(log: Log): Promise<FanoutServer> {
  const models = new Map<string, Model>()
  const runtime = createRuntime({ providers: { bench: provider(models) }, log })
  const token = randomBytes(32).toString('base64url')
  const { port } = await createHttpServer({ runtime, token, port: 0 }).listen()
  return {
    port,
    headers: { authorization: `Bearer ${token}`, accept: 'text/event-stream' },
    close: () => runtime.close(),
    async open() {
      const name = `model-${models.size}`
      const model = silentModel()
      models.set(name, model)
      const run = await runtime.start({ model: `bench/${name}`, prompt: 'Go on.' })
      return {
        path: `/v1/runs/${run.id}/events`,
        async produce(events, perBatch) {
          model.speak({ events, perBatch })
          await run.result()
        },
      }
    },
  }
}

export const startInMemory = () => startRunlet(forgetful(memoryLog()))

export const startDurable = async (folder: string) => startRunlet(await sqliteLog(join(folder, 'runs.db')))

interface Speech {
  readonly events: number
  readonly perBatch: number
}

/** A model that says nothing until it is told what. */
interface Model {
  readonly told: Promise<Speech>
  speak(speech: Speech): void
}

function silentModel(): Model {
  let speak!: (speech: Speech) => void
  const told = new Promise<Speech>((resolve) => {
    speak = resolve
  })
  return { told, speak }
}

function provider(models: ReadonlyMap<string, Model>): Provider {
  return {
    api: 'bench',
    capabilities: [],
    async *stream({ model }) {
      yield [{ type: 'start', model }]
      const { events, perBatch } = await models.get(model)!.told
      const event: ProviderEvent = { type: 'text', text: EVENT_TEXT }
      for (let made = 0; made < events; made += perBatch) {
        await new Promise((resolve) => setImmediate(resolve))
        yield Array.from({ length: Math.min(perBatch, events - made) }, () => event)
      }
      yield [{ type: 'done', reason: 'stop' }]
    },
    models: async () => [],
  }
}
