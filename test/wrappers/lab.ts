/** What the tests of the wrappers share. */
import { isRunletError } from '../../src/core/error.ts'
import type { CallOptions, ModelRequest, Provider, ProviderEvent } from '../../src/core/provider.ts'
import { RunletError, type ErrorCode } from '../../src/core/error.ts'
import type { ScriptLine } from '../../src/testing/scripted-provider.ts'

export const request = (more: Partial<ModelRequest> = {}): ModelRequest => ({
  model: 'scripted',
  messages: [{ role: 'user', content: 'Hello' }],
  tools: [],
  options: {},
  ...more,
})

export const caller = (sessionId: string, runId = `run of ${sessionId}`) => ({ sessionId, runId, requestId: 'r' })

export interface Heard {
  readonly events: ProviderEvent[]
  /** Code and reason of what was thrown; the thrown value itself if it is no error of ours. */
  readonly error?: unknown
}

/** Everything that a call says, and how it failed. */
export async function heard(
  provider: Provider,
  asked: Partial<ModelRequest> = {},
  options: Partial<CallOptions> = {},
): Promise<Heard> {
  const events: ProviderEvent[] = []
  try {
    for await (const batch of provider.stream(request(asked), { signal: new AbortController().signal, ...options })) {
      if (batch.length === 0) throw new Error('an array of events is empty')
      events.push(...batch)
    }
    return { events }
  } catch (error) {
    return { events, error: isRunletError(error) ? `${error.code} ${error.reason}` : error }
  }
}

/** The joined text of a list of events. */
export const textIn = (events: readonly ProviderEvent[], type: 'text' | 'reasoning' = 'text'): string =>
  events.map((event) => (event.type === type ? event.text : '')).join('')

/** A script that fails at once. */
export const fails = (
  code: ErrorCode,
  more: { readonly retryAfterMs?: number; readonly temporary?: boolean } = {},
): ScriptLine[] => [{ throw: new RunletError(code, { message: 'no', provider: 'scripted', ...more }) }]

export const start: ProviderEvent = { type: 'start', model: 'scripted' }
export const done: ProviderEvent = { type: 'done', reason: 'stop' }
export const text = (words: string): ProviderEvent => ({ type: 'text', text: words })
