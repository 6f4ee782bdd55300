import { isRunletError, RunletError } from '../core/error.ts'
import type { Provider } from '../core/provider.ts'
import { openaiChat } from '../providers/openai-chat.ts'
import type { Sim } from '../sim/sim.ts'
import { isRecord } from '../wire/json.ts'

/** The simulator as a provider: `sim/MODEL`. It is started when it is asked for the first time, on a free port. */
export interface SimProvider extends Provider {
  close(): Promise<void>
}

interface Started {
  readonly sim: Sim
  readonly provider: Provider
}

export function simProvider(): SimProvider {
  let started: Promise<Started> | undefined
  const start = () => (started ??= startSim())
  return {
    api: 'openai-chat',
    capabilities: ['tools', 'reasoning', 'usage'],
    async *stream(request, options) {
      const { sim, provider } = await start()
      try {
        yield* provider.stream(request, options)
      } catch (thrown) {
        throw isRunletError(thrown) ? inItsWords(thrown, sim) : thrown
      }
    },
    async models() {
      // Its first model has its own name.
      return (await start()).sim.models.map(({ name }) => ({ id: name === 'sim' ? 'hello' : name }))
    },
    async close() {
      await (await started)?.sim.close()
    },
  }
}

/** It speaks real HTTP to a real provider: what is tried with it is what happens with a model. */
async function startSim(): Promise<Started> {
  const { createSim } = await import('../sim/sim.ts')
  const sim = await createSim()
  return { sim, provider: openaiChat({ baseUrl: `${sim.url}/v1` }) }
}

/** The error, naming `sim` and not a port that nobody chose. What the simulator says of a request is ours, and safe to tell. */
function inItsWords(error: RunletError, { url }: Sim): RunletError {
  const { code, reason, status, temporary, retryAfterMs, provider, cause } = error
  const message = error.message.replaceAll(new URL(url).host, 'sim')
  const own = code === 'invalid_request' && cause instanceof Error ? complaintIn(cause.message) : undefined
  return new RunletError(code, {
    reason,
    message: own === undefined ? message : own.replace(/^(?:the simulator )?/, (by) => (by === '' ? 'sim: ' : 'sim ')),
    status,
    temporary,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    ...(provider === undefined ? {} : { provider }),
    cause,
  })
}

/** The message of `{"error":{"code","message"}}`, unless it is a refusal that was ordered as a fault. */
function complaintIn(words: string): string | undefined {
  try {
    // A request's id may stand before it.
    const json: unknown = JSON.parse(words.slice(words.indexOf('{')))
    const error = isRecord(json) && isRecord(json['error']) ? json['error'] : {}
    return typeof error['message'] === 'string' && error['code'] !== 'sim_status' ? error['message'] : undefined
  } catch {
    return undefined
  }
}
