import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import type { Durability } from '../../src/core/event.ts'
import type { Log } from '../../src/core/log.ts'
import { createRuntime } from '../../src/engine/runtime.ts'
import { memoryLog } from '../../src/logs/memory.ts'
import { sqliteLog } from '../../src/logs/sqlite.ts'
import { openaiChat } from '../../src/providers/openai-chat.ts'
import { createHttpServer } from '../../src/servers/http/server.ts'
import type { RelayOptions, RunningServer } from './relay.ts'

const KEEP_MS = 1_000

/** The whole of it: provider, engine, log, format, HTTP server with its guard. */
export function startRunlet(durability: Durability): (options: RelayOptions) => Promise<RunningServer> {
  return async ({ sourceUrl, folder }) => {
    const log = durability === 'memory' ? memoryLog() : await sqliteLog(join(folder, 'runs.db'))
    const runtime = createRuntime({ providers: { source: openaiChat({ baseUrl: sourceUrl }) }, log, durability })
    if (durability === 'memory') forgetOldRuns(log)
    const token = randomBytes(32).toString('base64url')
    const server = createHttpServer({ runtime, token, port: 0 })
    const { port } = await server.listen()
    return { port, headers: { authorization: `Bearer ${token}` }, close: () => runtime.close() }
  }
}

/** A flood makes gigabytes of log; what a retention policy does in days has to be done in seconds. */
function forgetOldRuns(log: Log): void {
  setInterval(() => void log.prune({ maxAgeMs: KEEP_MS }), KEEP_MS)
}
