/** Every cut of the recordings, of which the fast tests try some; of the two longest every fifth and tenth. */
import { describe, expect, test } from 'vitest'
import { providerCases, type ProviderSuite, type Recording } from '../../src/testing/provider-suite.ts'
import {
  closingChatSuite,
  ollamaSuite,
  openaiChatSuite,
  recordedChats,
  recordedClosingChats,
  recordedOllama,
} from './suites.ts'

const all: [api: string, suite: Omit<ProviderSuite, 'recordings' | 'refusals'>, recordings: readonly Recording[]][] = [
  ['openai-chat', openaiChatSuite, recordedChats],
  ['openai-chat without [DONE]', closingChatSuite, recordedClosingChats],
  ['ollama', ollamaSuite, recordedOllama],
]

for (const [api, suite, recordings] of all) {
  describe.skipIf(recordings.length === 0)(`${api}, every byte of what real servers sent`, () => {
    if (recordings.length === 0) return
    const cases = providerCases({ ...suite, recordings, refusals: [], maxWork: 1 << 30 })
    for (const { name, run } of cases) test(name, () => expect(run()).resolves.toBeUndefined())
  })
}
