import { RunletError } from '../core/error.ts'
import type { ModelRequest, Provider, ProviderEvent } from '../core/provider.ts'

/** What one call of a scripted provider does, in order. */
export type ScriptLine =
  /** Events of one network read. */
  | readonly ProviderEvent[]
  /** Breaks the stream off with this error. */
  | { readonly throw: unknown }
  /** Says nothing until the test lets go, or the call is aborted. */
  | { readonly wait: Promise<unknown> }
  /** Says nothing and does not react to an abort either: the provider that resists. */
  | 'hang'

/** What one call plays; a function writes it from the request. */
export type Script = readonly ScriptLine[] | ((request: ModelRequest) => readonly ScriptLine[])

/** A provider that can be asked afterwards what it was asked. */
export interface ScriptedProvider extends Provider {
  /** What was asked, call by call. */
  readonly requests: ModelRequest[]
  /** How many calls are being answered at the moment; 0 once every stream has ended or was let go. */
  readonly active: number
}

/**
 * A provider that says what a test wrote down: the n-th call plays the n-th script, the last one again and again.
 * It passes `provider-suite.ts` as the real ones do.
 */
export function scriptedProvider(scripts: readonly Script[]): ScriptedProvider {
  const requests: ModelRequest[] = []
  let active = 0

  async function* stream(
    request: ModelRequest,
    options: { readonly signal: AbortSignal },
  ): AsyncIterable<readonly ProviderEvent[]> {
    const script = scripts[Math.min(requests.length, scripts.length - 1)]!
    requests.push(request)
    active++
    try {
      for (const line of typeof script === 'function' ? script(request) : script) {
        options.signal.throwIfAborted()
        if (line === 'hang') await new Promise(() => {})
        else if ('throw' in line) throw line.throw
        else if ('wait' in line) await unlessAborted(line.wait, options.signal)
        else yield line
      }
    } finally {
      active--
    }
  }

  return {
    api: 'scripted',
    capabilities: ['tools', 'reasoning', 'usage'],
    stream,
    models: async () => [{ id: 'scripted' }],
    requests,
    get active() {
      return active
    },
  }
}

/** One plain answer: `start`, a piece of text per read, `done`. */
export function says(...pieces: string[]): ScriptLine[] {
  return [
    [{ type: 'start', model: 'scripted' }],
    ...pieces.map((text): ScriptLine => [{ type: 'text', text }]),
    [{ type: 'done', reason: 'stop', usage: usage(3, pieces.length) }],
  ]
}

/** Exact usage of so many tokens in and out. */
export const usage = (input_tokens: number, output_tokens: number) => ({
  input_tokens,
  output_tokens,
  total_tokens: input_tokens + output_tokens,
  accuracy: 'exact' as const,
})

/** The error of a stream that ended before its end mark. */
export const cutOff = () =>
  new RunletError('network', {
    reason: 'stream_eof_before_done',
    message: 'the scripted provider closed the stream before its end mark',
    provider: 'scripted',
  })

function unlessAborted(wait: Promise<unknown>, signal: AbortSignal): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason)
    signal.addEventListener('abort', onAbort)
    wait.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort))
  })
}
