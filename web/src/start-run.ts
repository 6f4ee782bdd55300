import type { RunHeader } from '../../src/core/log.ts'
import { toRunletError } from '../../src/core/error.ts'
import type { Api } from './api.ts'
import type { Draft } from './composer.ts'

/** Waits between attempts to reach the server. Milliseconds. */
const WAITS_MS = [0, 500, 2_000]

/**
 * Begins a run and returns its header. When the answer gets lost it asks again with the same key: a message that was
 * sent once is answered, and paid, once.
 */
export async function startRun(api: Api, draft: Draft, session: string | undefined): Promise<RunHeader> {
  const { text, model, system, tools } = draft
  const body = {
    prompt: text,
    idempotency_key: newKey(),
    ...(model === undefined ? {} : { model }),
    ...(system === undefined ? {} : { system }),
    ...(tools.length === 0 ? {} : { tools }),
    ...(session === undefined ? {} : { session_id: session }),
  }
  for (const [i, waitMs] of WAITS_MS.entries()) {
    await new Promise((resolve) => setTimeout(resolve, waitMs))
    try {
      const { run_id } = await api.start(body)
      return await api.find(run_id)
    } catch (thrown) {
      if (toRunletError(thrown).code !== 'network' || i === WAITS_MS.length - 1) throw thrown
    }
  }
  throw new Error('unreachable')
}

/** `crypto.randomUUID` is there only where the connection is secure; this is everywhere. */
const newKey = () => `page-${Array.from(crypto.getRandomValues(new Uint32Array(4)), (n) => n.toString(36)).join('')}`
