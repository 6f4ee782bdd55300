import type { Provider } from '../core/provider.ts'
import { ollama } from './ollama.ts'
import type { ChatDialect } from './openai-chat/request.ts'
import { openaiChat } from './openai-chat.ts'

/** What a configuration says of a provider, its key already read from wherever it is kept. */
export interface ProviderConfig {
  /** What it is called there; it stands in messages, before the address. */
  readonly name?: string | undefined
  readonly base_url?: string | undefined
  readonly api_key?: string | undefined
  /** For `openai-chat`: what ends an answer. Default `done`. */
  readonly end_mark?: 'done' | 'finish_reason' | undefined
  /** For `openai-chat`, as the members of `ChatDialect`. Default: what is known of the host. */
  readonly max_tokens_field?: 'max_tokens' | 'max_completion_tokens' | undefined
  readonly ask_usage?: boolean | undefined
  readonly reasoning_back?: boolean | undefined
  /** Sent with every request. */
  readonly headers?: Readonly<Record<string, string>> | undefined
}

/** Every API that models are reached through, by the name that a configuration calls it. */
export const providers = {
  'openai-chat': ({ name, base_url, api_key, headers, ...dialect }) =>
    openaiChat({
      name,
      baseUrl: base_url,
      apiKey: api_key,
      ...(headers ? { headers } : {}),
      dialect: dialectIn(dialect),
    }),
  ollama: ({ base_url, api_key, headers }) =>
    ollama({ host: base_url, apiKey: api_key, ...(headers ? { headers } : {}) }),
} as const satisfies Readonly<Record<string, (config: ProviderConfig) => Provider>>

/** The name of an API in the table. */
export type ProviderApi = keyof typeof providers

/** Members that are left out leave the host's own as they are. */
function dialectIn(config: ProviderConfig): Partial<ChatDialect> {
  const { end_mark, max_tokens_field, ask_usage, reasoning_back } = config
  return {
    ...(end_mark === undefined ? {} : { endMark: end_mark }),
    ...(max_tokens_field === undefined ? {} : { maxTokensField: max_tokens_field }),
    ...(ask_usage === undefined ? {} : { askUsage: ask_usage }),
    ...(reasoning_back === undefined ? {} : { reasoningBack: reasoning_back }),
  }
}
