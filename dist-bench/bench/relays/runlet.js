import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { createRuntime } from '../../src/engine/runtime.js';
import { memoryLog } from '../../src/logs/memory.js';
import { sqliteLog } from '../../src/logs/sqlite.js';
import { openaiChat } from '../../src/providers/openai-chat.js';
import { createHttpServer } from '../../src/servers/http/server.js';
const KEEP_MS = 1_000;
/** The whole of it: provider, engine, log, format, HTTP server with its guard. */
export function startRunlet(durability) {
    return async ({ sourceUrl, folder }) => {
        const log = durability === 'memory' ? memoryLog() : await sqliteLog(join(folder, 'runs.db'));
        const runtime = createRuntime({ providers: { source: openaiChat({ baseUrl: sourceUrl }) }, log, durability });
        if (durability === 'memory')
            forgetOldRuns(log);
        const token = randomBytes(32).toString('base64url');
        const server = createHttpServer({ runtime, token, port: 0 });
        const { port } = await server.listen();
        return { port, headers: { authorization: `Bearer ${token}` } };
    };
}
/** A flood makes gigabytes of log; what a retention policy does in days has to be done in seconds. */
function forgetOldRuns(log) {
    setInterval(() => void log.prune({ maxAgeMs: KEEP_MS }), KEEP_MS);
}
