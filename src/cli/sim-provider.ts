import type { Provider } from '../core/provider.ts'
import { openaiChat } from '../providers/openai-chat.ts'
import type { Sim } from '../sim/sim.ts'

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
      const { provider } = await start()
      yield* provider.stream(request, options)
    },
    async models() {
      return (await start()).sim.models.map(({ name }) => ({ id: name }))
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
