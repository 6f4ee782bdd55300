import type { Provider } from '../core/provider.ts'
import { ollama } from './ollama.ts'
import { openaiChat } from './openai-chat.ts'

/** What a configuration says of a provider, its key already read from wherever it is kept. */
export interface ProviderConfig {
  readonly base_url?: string | undefined
  readonly api_key?: string | undefined
  /** For `openai-chat`: what ends an answer. Default `done`. */
  readonly end_mark?: 'done' | 'finish_reason' | undefined
}

/** Every API that models are reached through, by the name that a configuration calls it. */
export const providers = {
  'openai-chat': ({ base_url, api_key, end_mark }) =>
    openaiChat({ baseUrl: base_url, apiKey: api_key, ...(end_mark ? { dialect: { endMark: end_mark } } : {}) }),
  ollama: ({ base_url, api_key }) => ollama({ host: base_url, apiKey: api_key }),
} as const satisfies Readonly<Record<string, (config: ProviderConfig) => Provider>>

/** The name of an API in the table. */
export type ProviderApi = keyof typeof providers
