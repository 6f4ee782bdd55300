/** From the bytes of a provider's stream to its events, by hand, by Runlet, and by the SDKs. */
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { streamText } from 'ai'
import { StringDecoder } from 'node:string_decoder'
import type { ChatCompletionChunk } from 'openai/resources/chat/completions'
import { Stream } from 'openai/streaming'
import type { ProviderEvent } from '../../src/core/provider.ts'
import { chatStream } from '../../src/providers/openai-chat/parse.ts'
import { callIds } from '../../src/providers/shared/call-ids.ts'
import { decode } from '../../src/wire/decode.ts'
import { answerFrames, answerText } from '../source/body.ts'
import { expectSame, type Job } from './job.ts'

const TOKENS = 1000
const text = answerText(TOKENS)

/** How the bytes are cut into reads: one event each, as at reading speed; or full reads, as in a burst. */
export type Cut = 'event' | 'burst'

const BURST_BYTES = 16 * 1024

const cutBytes = {
  event: () => answerFrames(TOKENS).map((frame) => Buffer.from(frame)),
  burst() {
    const bytes = Buffer.from(answerFrames(TOKENS).join(''))
    return Array.from({ length: Math.ceil(bytes.length / BURST_BYTES) }, (_, i) =>
      bytes.subarray(i * BURST_BYTES, (i + 1) * BURST_BYTES),
    )
  },
} as const satisfies Record<Cut, () => Buffer[]>

async function* reads(chunks: readonly Buffer[]): AsyncGenerator<Buffer, void, undefined> {
  for (const chunk of chunks) yield chunk
}

/** The least that an honest parser does: decode, find the lines, `JSON.parse`, take the delta, one array per read. */
async function* parseByHand(chunks: AsyncIterable<Buffer>): AsyncGenerator<string[], void, undefined> {
  // A third of the time of `TextDecoder` in Node 20.
  const utf8 = new StringDecoder('utf8')
  let rest = ''
  for await (const chunk of chunks) {
    rest += utf8.write(chunk)
    const deltas: string[] = []
    let from = 0
    for (let to = rest.indexOf('\n'); to >= 0; to = rest.indexOf('\n', from)) {
      if (rest.startsWith('data: {', from)) {
        const delta: unknown = JSON.parse(rest.slice(from + 6, to)).choices[0]?.delta.content
        if (typeof delta === 'string' && delta !== '') deltas.push(delta)
      }
      from = to + 1
    }
    rest = rest.slice(from)
    if (deltas.length > 0) yield deltas
  }
}

export const hand =
  (cut: Cut): Job =>
  () => {
    const chunks = cutBytes[cut]()
    return async () => {
      let said = ''
      for await (const deltas of parseByHand(reads(chunks))) for (const delta of deltas) said += delta
      expectSame('the text', said, text)
      return TOKENS
    }
  }

export const runlet =
  (cut: Cut): Job =>
  () => {
    const chunks = cutBytes[cut]()
    const peer = { provider: 'openai-chat', name: 'the source', redact: (words: string) => words }
    return async () => {
      let said = ''
      let last: ProviderEvent | undefined
      const decoder = chatStream({ peer, model: 'bench', ids: callIds([]) })
      for await (const events of decode(reads(chunks), decoder)) {
        for (const event of events) if (event.type === 'text') said += event.text
        last = events.at(-1)
      }
      expectSame('the text', said, text)
      expectSame('the end', last?.type, 'done')
      return TOKENS
    }
  }

/** A web stream, as `fetch` gives it. */
function response(chunks: readonly Buffer[]): Response {
  let next = 0
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      const chunk = chunks[next++]
      if (chunk) controller.enqueue(chunk)
      else controller.close()
    },
  })
  return new Response(body, { headers: { 'content-type': 'text/event-stream' } })
}

export const openaiSdk =
  (cut: Cut): Job =>
  () => {
    const chunks = cutBytes[cut]()
    return async () => {
      let said = ''
      const stream = Stream.fromSSEResponse<ChatCompletionChunk>(response(chunks), new AbortController())
      for await (const chunk of stream) said += chunk.choices[0]?.delta.content ?? ''
      expectSame('the text', said, text)
      return TOKENS
    }
  }

export const aiSdk =
  (cut: Cut): Job =>
  () => {
    const chunks = cutBytes[cut]()
    const source = createOpenAICompatible({
      name: 'source',
      baseURL: 'http://source.invalid',
      fetch: async () => response(chunks),
    })
    return async () => {
      let said = ''
      const result = streamText({ model: source('bench'), prompt: 'Go on.', maxRetries: 0 })
      for await (const part of result.fullStream) if (part.type === 'text-delta') said += part.text
      expectSame('the text', said, text)
      return TOKENS
    }
  }
