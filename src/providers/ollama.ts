import { isRunletError, RunletError } from '../core/error.ts'
import { checkOptions } from '../core/options.ts'
import type { CallOptions, ModelInfo, ModelRequest, Provider, ProviderEvent } from '../core/provider.ts'
import { isRecord } from '../wire/json.ts'
import { ollamaError } from './ollama/errors.ts'
import { parseOllamaHost } from './ollama/host.ts'
import { ollamaStream } from './ollama/parse.ts'
import { ollamaRequest, ollamaWarnings } from './ollama/request.ts'
import { callIds } from './shared/call-ids.ts'
import { eventsOf, MAX_FRAME } from './shared/events.ts'
import { httpClient, type HttpAnswer, type HttpCall } from './shared/http.ts'
import { badFrame } from './shared/refusal.ts'

export interface OllamaOptions {
  /** As in `OLLAMA_HOST`: `host:port`, a port, or a URL. Default: that variable, else `127.0.0.1:11434`. */
  readonly host?: string | undefined
  /** For ollama.com and servers behind a proxy that asks for a bearer token. */
  readonly apiKey?: string | undefined
  /** Sent with every request, for servers behind a proxy that wants more. */
  readonly headers?: Readonly<Record<string, string>>
  /** Longest wait for a connection. Milliseconds. Default 10,000. Loading a model is not part of it. */
  readonly connectMs?: number
}

const API = 'ollama'

/** What comes before an answer when the server does not run. */
const unreachable: ReadonlySet<string> = new Set([
  'connection_refused',
  'host_not_found',
  'unreachable',
  'connect_timeout',
])

/** Ollama's own API. https://docs.ollama.com/api/chat */
export function ollama(options: OllamaOptions = {}): Provider {
  checkOptions('ollama', options, { host: true, apiKey: true, headers: true, connectMs: true })
  const { apiKey, connectMs, headers } = options
  const baseUrl = parseOllamaHost(options.host ?? process.env['OLLAMA_HOST'])
  const http = httpClient({
    provider: API,
    name: `Ollama at ${new URL(baseUrl).host}`,
    baseUrl,
    apiKey,
    ...(headers ? { headers } : {}),
    ...(connectMs === undefined ? {} : { connectMs }),
  })
  const { peer } = http

  /** `model` is what an error is about; empty if it is about none. */
  async function send(path: string, model: string, call: HttpCall): Promise<HttpAnswer> {
    let answer: HttpAnswer
    try {
      answer = await http.send(path, call)
    } catch (error) {
      throw isRunletError(error) && unreachable.has(error.reason) ? notRunning(baseUrl, error) : error
    }
    if (answer.status < 400) return answer
    const words = await answer.errorText()
    throw ollamaError(peer, { model, words: sentenceIn(words), status: answer.status, header: answer.header })
  }

  async function* stream(
    request: ModelRequest,
    { signal, caller }: CallOptions,
  ): AsyncGenerator<readonly ProviderEvent[], void, undefined> {
    const { model, messages } = request
    const answer = await send('/api/chat', model, {
      body: ollamaRequest(request),
      accept: 'application/x-ndjson',
      signal,
      traceparent: caller?.traceparent,
    })
    yield* eventsOf(answer, ollamaStream({ peer, model, ids: callIds(messages), warnings: ollamaWarnings(request) }))
  }

  async function models({ signal }: { readonly signal: AbortSignal }): Promise<ModelInfo[]> {
    const answer = await send('/api/tags', '', { accept: 'application/json', signal })
    const text = await answer.text(MAX_FRAME)
    let json: unknown
    try {
      json = JSON.parse(text)
    } catch (error) {
      throw badFrame(peer, 1, text, error)
    }
    const list = isRecord(json) ? json['models'] : undefined
    if (!Array.isArray(list)) throw badFrame(peer, 1, text)
    return list.filter(isRecord).flatMap(({ name, modified_at }) => {
      if (typeof name !== 'string') return []
      const created_at = typeof modified_at === 'string' ? Date.parse(modified_at) : Number.NaN
      return [Number.isNaN(created_at) ? { id: name } : { id: name, created_at }]
    })
  }

  return { api: API, capabilities: ['tools', 'reasoning', 'usage'], stream, models }
}

function notRunning(baseUrl: string, cause: RunletError): RunletError {
  return new RunletError(cause.code, {
    reason: cause.reason,
    message: `Ollama is not reachable at ${baseUrl}; start it with \`ollama serve\`, or set OLLAMA_HOST to where it runs`,
    provider: API,
    cause,
  })
}

/** `{"error":"…"}`, or whatever a proxy said. */
function sentenceIn(body: string): string {
  try {
    const json: unknown = JSON.parse(body)
    const error = isRecord(json) ? json['error'] : undefined
    return typeof error === 'string' ? error : body
  } catch {
    return body
  }
}
