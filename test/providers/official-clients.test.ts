/** What the official clients make of the recordings: a third reading, taken down once, where those clients get it right. */
import { describe, expect, test } from 'vitest'
import type { ProviderEvent } from '../../src/core/provider.ts'
import { decodeAll } from '../../src/testing/every-split.ts'
import { officialClients } from './recordings.ts'
import { ollamaSuite, openaiChatSuite, recordedChats, recordedOllama } from './suites.ts'

/** Where the official accumulator misleads without an error: a call is lost, parts become "[object Object]", n is 2. */
const misled = new Set(['mistral-tool-call.chunks.txt', 'mistral-reasoning.chunks.txt'])

const of = <Type extends ProviderEvent['type']>(events: readonly ProviderEvent[], type: Type) =>
  events.filter((event): event is Extract<ProviderEvent, { type: Type }> => event.type === type)
const textOf = (events: readonly ProviderEvent[]) => of(events, 'text').reduce((all, { text }) => all + text, '')

const chats = recordedChats.flatMap(({ name, mediaType, bytes }) => {
  const folder = ['openai-chat', 'openai-compat'].find((one) => officialClients[`${one}/${name} (accumulator)`])
  const official = officialClients[`${folder}/${name} (accumulator)`]
  return official && !official.error && !misled.has(name) ? [{ name, mediaType, bytes, official }] : []
})

describe.skipIf(chats.length === 0)('read as the official clients do', () => {
  for (const { name, mediaType, bytes, official } of chats) {
    test(`openai-chat reads ${name} as the official client does`, () => {
      const { out } = decodeAll(openaiChatSuite.decoder(mediaType), [bytes])
      const { content = '', tools = [], fin = [] } = official
      // It was taken down as text, cut after 40 characters.
      expect(textOf(out).slice(0, 40) || 'null').toBe(content || 'null')
      expect(of(out, 'tool_call').map(({ call_id, name: tool, input }) => [call_id, tool, input])).toEqual(
        tools.map(([id, tool, json]) => [id, tool, JSON.parse(json || '{}')]),
      )
      expect(of(out, 'done').map(({ reason }) => reason)).toEqual(fin)
    })
  }

  for (const { name, bytes } of recordedOllama) {
    const text = officialClients[`ollama/${name}`]?.text
    test.skipIf(text === undefined)(`ollama reads ${name} as the official client does`, () => {
      const { out } = decodeAll(ollamaSuite.decoder(), [bytes])
      expect(textOf(out).slice(0, 60)).toBe(text)
    })
  }
})
