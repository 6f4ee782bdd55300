/** Every API that the simulator serves: one row each. */
import type { Api } from './api.ts'
import { ollamaChat, ollamaGenerate } from './ollama.ts'
import { openaiChat } from './openai-chat.ts'
import { anthropicMessages, llamacppCompletion, openaiCompletions, openaiResponses } from './recorded.ts'

export const apis: readonly Api[] = [
  openaiChat,
  openaiCompletions,
  openaiResponses,
  anthropicMessages,
  llamacppCompletion,
  ollamaChat,
  ollamaGenerate,
]
