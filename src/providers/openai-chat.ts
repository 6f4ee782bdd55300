import { RunletError } from '../core/error.ts'
import { checkOptions } from '../core/options.ts'
import type { CallOptions, ModelInfo, ModelRequest, Provider, ProviderEvent } from '../core/provider.ts'
import { isRecord } from '../wire/json.ts'
import { chatError, errorIn } from './openai-chat/errors.ts'
import { chatBody, chatStream } from './openai-chat/parse.ts'
import { chatRequest, dialectOf, type ChatDialect } from './openai-chat/request.ts'
import { callIds } from './shared/call-ids.ts'
import { eventsOf, MAX_FRAME } from './shared/events.ts'
import { httpClient, type HttpAnswer } from './shared/http.ts'
import { limitsIn } from './shared/limits.ts'
import type { Peer } from './shared/peer.ts'
import { badFrame } from './shared/refusal.ts'

export interface OpenaiChatOptions {
  /**
   * Sent as a bearer token, to the origin of `baseUrl` only. Leave it out for servers that ask for none; calls of
   * api.openai.com without it fail with `unauthorized` (`key_missing`) before anything is sent.
   */
  readonly apiKey?: string | undefined
  /** How messages call this server, before its address. Default: its address alone. */
  readonly name?: string | undefined
  /** Default `https://api.openai.com/v1`. A URL without a path gets `/v1`. */
  readonly baseUrl?: string | undefined
  /** Sent with every request, for servers that want more: Azure's `api-key`, OpenRouter's `http-referer`. */
  readonly headers?: Readonly<Record<string, string>>
  /** What this server accepts, where it differs from what its host name lets us expect. */
  readonly dialect?: Partial<ChatDialect>
  /** Longest wait for a connection. Milliseconds. Default 10,000. */
  readonly connectMs?: number
}

const API = 'openai-chat'

const known = { apiKey: true, name: true, baseUrl: true, headers: true, dialect: true, connectMs: true } as const
const knownDialect = { maxTokensField: true, askUsage: true, reasoningBack: true, endMark: true } as const

/**
 * OpenAI's Chat Completions, and everyone who speaks it: Azure, OpenRouter, Groq, Mistral, DeepSeek, xAI, vLLM,
 * llama.cpp, LM Studio. https://platform.openai.com/docs/api-reference/chat
 *
 * Throws `invalid_request` with reason `unknown_option`, `bad_base_url` or `bad_header`.
 */
export function openaiChat(options: OpenaiChatOptions = {}): Provider {
  checkOptions('openaiChat', options, known)
  checkOptions('the dialect of openaiChat', options.dialect ?? {}, knownDialect)
  const { apiKey, headers, connectMs, name } = options
  const baseUrl = withVersion(options.baseUrl ?? 'https://api.openai.com/v1')
  const http = httpClient({
    provider: API,
    ...(name === undefined ? {} : { name: nameAt(name, baseUrl) }),
    baseUrl,
    apiKey,
    ...(headers ? { headers } : {}),
    ...(connectMs === undefined ? {} : { connectMs }),
  })
  const { peer } = http
  const { hostname } = new URL(baseUrl)
  const dialect = { ...dialectOf(hostname), ...options.dialect }
  const needsKey = hostname === 'api.openai.com' && !apiKey && !authorizes(headers)

  async function* stream(
    request: ModelRequest,
    { signal, caller, onLimits }: CallOptions,
  ): AsyncGenerator<readonly ProviderEvent[], void, undefined> {
    if (needsKey) throw keyMissing(hostname)
    const body = chatRequest(request, dialect)
    const answer = await http.send('/chat/completions', {
      body,
      accept: 'text/event-stream',
      signal,
      traceparent: caller?.traceparent,
    })
    const limits = onLimits && limitsIn(answer.header)
    if (limits) onLimits(limits)
    const { model, messages, options: asked } = request
    if (answer.status >= 400) throw await refusalOf(peer, answer, model)
    const about = { peer, model, ids: callIds(messages), endMark: dialect.endMark, keepFields: asked.keep_fields }
    const streamed = answer.mediaType === 'text/event-stream'
    yield* eventsOf(answer, streamed ? chatStream(about) : chatBody(about))
  }

  async function models({ signal }: { readonly signal: AbortSignal }): Promise<ModelInfo[]> {
    if (needsKey) throw keyMissing(hostname)
    const answer = await http.send('/models', { accept: 'application/json', signal })
    if (answer.status >= 400) throw await refusalOf(peer, answer)
    return modelsIn(peer, await answer.text(MAX_FRAME))
  }

  return { api: API, capabilities: ['tools', 'reasoning', 'usage'], stream, models }
}

const authorizes = (headers: Readonly<Record<string, string>> = {}) =>
  Object.keys(headers).some((name) => name.toLowerCase() === 'authorization')

const keyMissing = (hostname: string) =>
  new RunletError('unauthorized', {
    reason: 'key_missing',
    message: `${API} needs a key for ${hostname}: set apiKey`,
    provider: API,
  })

/** `local (127.0.0.1:8080)`; the client of it refuses what is no URL. */
const nameAt = (name: string, baseUrl: string) => (URL.canParse(baseUrl) ? `${name} (${new URL(baseUrl).host})` : name)

function withVersion(baseUrl: string): string {
  return URL.canParse(baseUrl) && new URL(baseUrl).pathname === '/' ? new URL('/v1', baseUrl).href : baseUrl
}

async function refusalOf(peer: Peer, answer: HttpAnswer, model?: string) {
  const words = await answer.errorText()
  let json: unknown
  try {
    json = JSON.parse(words)
  } catch {
    // A proxy's page: the status has to say it all.
  }
  const error = errorIn(json) ?? (isRecord(json) ? json : {})
  return chatError(peer, error, {
    status: answer.status,
    header: answer.header,
    words,
    ...(model === undefined ? {} : { model }),
  })
}

/** `{"data":[{"id","created"}]}`; Together and others send the list alone. */
function modelsIn(peer: Peer, text: string): ModelInfo[] {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (error) {
    throw badFrame(peer, 1, text, error)
  }
  const list = isRecord(json) ? json['data'] : json
  if (!Array.isArray(list)) throw badFrame(peer, 1, text)
  return list.filter(isRecord).flatMap(({ id, created }) => {
    if (typeof id !== 'string') return []
    return [typeof created === 'number' && created > 0 ? { id, created_at: created * 1000 } : { id }]
  })
}
