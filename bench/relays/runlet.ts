import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import type { Durability } from '../../src/core/event.ts'
import { createRuntime } from '../../src/engine/runtime.ts'
import { memoryLog } from '../../src/logs/memory.ts'
import { sqliteLog } from '../../src/logs/sqlite.ts'
import { openaiChat } from '../../src/providers/openai-chat.ts'
import { createHttpServer } from '../../src/servers/http/server.ts'
import { forgetful } from './forgetful.ts'
import type { RelayOptions, RunningServer } from './relay.ts'

/** The whole of it: provider, engine, log, format, HTTP server with its guard. */
export function startRunlet(durability: Durability): (options: RelayOptions) => Promise<RunningServer> {
  return async ({ sourceUrl, folder }) => {
    const log = durability === 'memory' ? forgetful(memoryLog()) : await sqliteLog(join(folder, 'runs.db'))
    const runtime = createRuntime({ providers: { source: openaiChat({ baseUrl: sourceUrl }) }, log, durability })
    const token = randomBytes(32).toString('base64url')
    const server = createHttpServer({ runtime, token, port: 0 })
    const { port } = await server.listen()
    return { port, headers: { authorization: `Bearer ${token}` }, close: () => runtime.close() }
  }
}
