/** What the suite is run with: each provider, and what was recorded of the servers that speak its API. */
import { chatBody, chatStream } from '../../src/providers/openai-chat/parse.ts'
import { openaiChat } from '../../src/providers/openai-chat.ts'
import { ollamaStream } from '../../src/providers/ollama/parse.ts'
import { ollama } from '../../src/providers/ollama.ts'
import { callIds } from '../../src/providers/shared/call-ids.ts'
import type { ProviderSuite, Recording } from '../../src/testing/provider-suite.ts'
import { chatCompleteAt, ndjsonCompleteAt, rawChat, rawOllama, reframed, sharedFixtures } from './recordings.ts'

export const SSE = 'text/event-stream'
export const NDJSON = 'application/x-ndjson'

type Suite = Omit<ProviderSuite, 'recordings' | 'refusals'>

const about = (provider: string) => ({
  peer: { provider, name: 'the suite', redact: (text: string) => text },
  model: 'suite-model',
  ids: callIds([]),
})

export const openaiChatSuite = {
  make: (baseUrl) => openaiChat({ baseUrl }),
  decoder: (mediaType) => (mediaType === SSE ? chatStream : chatBody)(about('openai-chat')),
  models: {
    body: JSON.stringify({ object: 'list', data: [{ id: 'a', created: 1_700_000_000 }, { id: 'b' }, { name: 'c' }] }),
    expected: [{ id: 'a', created_at: 1_700_000_000_000 }, { id: 'b' }],
  },
} satisfies Suite

/** The same API from a server that never sends `[DONE]`, and is known for it. */
export const closingChatSuite = {
  ...openaiChatSuite,
  make: (baseUrl) => openaiChat({ baseUrl, dialect: { endMark: 'finish_reason' } }),
  decoder: (mediaType) =>
    (mediaType === SSE ? chatStream : chatBody)({ ...about('openai-chat'), endMark: 'finish_reason' }),
} satisfies Suite

/** Recordings that fail, as the server meant them to. */
const failedChats: Readonly<Record<string, Recording['expected']>> = {
  'openrouter-error-midstream.sse': { code: 'invalid_request', reason: 'http_400', text: '' },
}

const allChats: readonly Recording[] = ['openai-chat', 'openai-compat']
  .flatMap(sharedFixtures)
  // The older text completions are another API.
  .filter(({ name }) => !name.includes('completion'))
  .map(({ name, bytes: stored }) => {
    const bytes = name.endsWith('.chunks.txt') ? reframed(stored) : stored
    const expected = failedChats[name] ?? rawChat(bytes)
    return { name, mediaType: SSE, bytes, expected, completeAt: chatCompleteAt(bytes) }
  })

const marked = ({ bytes }: Recording) => Buffer.from(bytes).includes('data: [DONE]')

export const recordedChats = allChats.filter(marked)

/** Whole answers that end without `[DONE]`: for `closingChatSuite`. */
export const recordedClosingChats = allChats.filter((recording) => !marked(recording))

export const ollamaSuite = {
  make: (host) => ollama({ host }),
  decoder: () => ollamaStream(about('ollama')),
  models: {
    body: JSON.stringify({
      models: [{ name: 'a:latest', modified_at: '2025-05-10T08:06:48.639712648-07:00' }, { name: 'b' }],
    }),
    expected: [{ id: 'a:latest', created_at: Date.parse('2025-05-10T15:06:48.639Z') }, { id: 'b' }],
  },
} satisfies Suite

/** The recordings of `/api/chat` that are whole answers; the others are of other endpoints, or single lines. */
const wholeOllama = new Set([
  'chat-stream.ndjson',
  'chat-tool-calls.nonstream.json',
  'constructed-thinking-tools.ndjson',
  'docs-chat-tools-stream.ndjson',
])

export const recordedOllama: readonly Recording[] = sharedFixtures('ollama').flatMap(({ name, bytes }): Recording[] => {
  const recording = { name, mediaType: NDJSON, bytes }
  if (wholeOllama.has(name)) {
    return [{ ...recording, expected: rawOllama(bytes), completeAt: ndjsonCompleteAt(bytes) }]
  }
  if (name !== 'error-midstream.ndjson') return []
  return [{ ...recording, expected: { code: 'internal', reason: 'provider_error', text: '' } }]
})
