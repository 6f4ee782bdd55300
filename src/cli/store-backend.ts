import type { RuntimeOptions } from '../engine/runtime.ts'
import { createRuntime } from '../engine/runtime.ts'
import { openLog } from '../logs/index.ts'
import type { Backend } from './backend.ts'

/** What a process that makes runs itself brings along. */
export type Powers = Omit<RuntimeOptions, 'log'>

/**
 * The store in this process. Without providers it can look and cancel. Runs whose process died are ended first, so
 * that nobody waits for them.
 */
export async function storeBackend(store: string, powers: Powers = { providers: {} }): Promise<Backend> {
  const log = await openLog(store)
  // It lives no longer than its own question: what a daemon was asked is a daemon's to go on with.
  const runtime = createRuntime({ ...powers, log, restart: false })
  try {
    await runtime.recover()
  } catch (error) {
    await runtime.close()
    throw error
  }
  return {
    async start(request) {
      const run = await runtime.start(request)
      return { run_id: run.id, session_id: run.sessionId }
    },
    async *read(run, options) {
      yield* (await runtime.find(run)).read(options)
    },
    find: async (run) => (await runtime.find(run)).header(),
    cancel: (run, options) => runtime.cancel(run, options),
    list: (query) => runtime.list(query),
    close: () => runtime.close(),
  }
}
