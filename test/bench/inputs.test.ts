import { createParser } from 'eventsource-parser'
import type { ChatCompletionChunk } from 'openai/resources/chat/completions'
import { Stream } from 'openai/streaming'
import { describe, expect, test } from 'vitest'
import { MARK, countMarks, stampReader, stampText } from '../../bench/mark.ts'
import { answerFrames, answerText, tokenText } from '../../bench/source/body.ts'

const TOKENS = 500

const texts = Array.from({ length: TOKENS }, (_, i) => tokenText(i))
const body = answerFrames(TOKENS).join('')

const parsers: Record<string, (body: string) => Promise<string[]>> = {
  'eventsource-parser and JSON.parse': async (bytes) => {
    const found: string[] = []
    const parser = createParser({
      onEvent({ data }) {
        if (data === '[DONE]') return
        const text: unknown = JSON.parse(data).choices[0]?.delta.content
        if (typeof text === 'string' && text !== '') found.push(text)
      },
    })
    parser.feed(bytes)
    return found
  },
  "OpenAI's SDK": async (bytes) => {
    const found: string[] = []
    const response = new Response(bytes, { headers: { 'content-type': 'text/event-stream' } })
    for await (const chunk of Stream.fromSSEResponse<ChatCompletionChunk>(response, new AbortController())) {
      const text = chunk.choices[0]?.delta.content
      if (text) found.push(text)
    }
    return found
  },
}

describe('what the benchmarks feed', () => {
  for (const [name, parse] of Object.entries(parsers)) {
    test(`the prepared body holds exactly its tokens: ${name}`, async () => {
      expect(await parse(body)).toEqual(texts)
    })
  }

  test('the whole text is the tokens in order', () => {
    expect(answerText(TOKENS)).toBe(texts.join(''))
  })

  test('there is one frame per token, an opening and a closing', () => {
    expect(answerFrames(TOKENS)).toHaveLength(TOKENS + 2)
  })

  test('frames of the same token differ, as the padding of the API does', () => {
    const [, first, ...rest] = answerFrames(TOKENS)
    const again = rest.filter((frame) => frame.includes(JSON.stringify(tokenText(0))))
    expect(again.length).toBeGreaterThan(5)
    expect(again.filter((frame) => frame === first)).toEqual([])
    expect(new Set(again.map((frame) => frame.length)).size).toBeGreaterThan(1)
  })
})

describe('marks', () => {
  test('every token holds one, and nothing else in the body does', () => {
    expect(countMarks(Buffer.from(body))).toBe(TOKENS)
    expect(texts.filter((text) => text.split(MARK).length !== 2)).toEqual([])
  })

  test('stamps are read back wherever the bytes are cut', () => {
    const stamps = [0, 1_234_567.8, 987_654_321_012_345]
    const bytes = Buffer.from(stamps.map((us) => `data: {"text":"${stampText(us)}"}\n\n`).join(''))
    for (let cut = 0; cut <= bytes.length; cut++) {
      const reader = stampReader()
      const found: number[] = []
      for (const chunk of [bytes.subarray(0, cut), bytes.subarray(cut)]) reader.push(chunk, (us) => found.push(us))
      expect(found).toEqual(stamps.map(Math.round))
    }
  })
})
