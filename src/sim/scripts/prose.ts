/** Models that only write. */
import type { OwnModel } from './model.ts'

export const echo: OwnModel = {
  name: 'echo',
  description: 'repeats the prompt, word by word',
  pattern: /^echo$/,
  script: ({ prompt }) => ({ steps: [{ text: prompt }] }),
}

const DEFAULT_LENGTH = 100
/** A million tokens are 200 MB of frames; beyond that nothing new is learnt. */
const MAX_LENGTH = 1_000_000

export const lorem: OwnModel = {
  name: 'lorem-1000',
  description: 'lorem-N: N tokens of text, always the same (lorem: 100)',
  pattern: /^lorem(?:-([1-9]\d{0,6}))?$/,
  script: (_, [, length]) => ({
    steps: [{ text: loremTokens(Math.min(Number(length ?? DEFAULT_LENGTH), MAX_LENGTH)) }],
  }),
}

const words =
  'lorem ipsum dolor sit amet consectetur adipiscing elit sed do eiusmod tempor incididunt ut labore et dolore magna aliqua enim ad minim veniam quis nostrud exercitation ullamco laboris nisi aliquip ex ea commodo consequat'.split(
    ' ',
  )

/** Sentences of twelve words, paragraphs of eight sentences. Coprime to the number of words, so that they differ. */
const SENTENCE = 12
const PARAGRAPH = 8 * SENTENCE

function loremTokens(length: number): string[] {
  return Array.from({ length }, (_, i) => {
    const word = words[(i * 7) % words.length]!
    const opens = i % SENTENCE === 0
    const closes = i % SENTENCE === SENTENCE - 1 || i === length - 1
    const before = i === 0 ? '' : i % PARAGRAPH === 0 ? '\n\n' : ' '
    return before + (opens ? word[0]!.toUpperCase() + word.slice(1) : word) + (closes ? '.' : '')
  })
}

export const slow: OwnModel = {
  name: 'slow',
  description: 'two tokens a second, after two seconds of silence',
  pattern: /^slow$/,
  script: () => ({
    tokens_per_second: 2,
    steps: [
      { pause_ms: 2000 },
      { text: 'Patience. This model needs half a second for every word, so there is time to cancel it. Press Ctrl-C.' },
    ],
  }),
}

export const cutShort: OwnModel = {
  name: 'length',
  description: 'reaches its token limit in mid-sentence: ends with length',
  pattern: /^length$/,
  script: () => ({
    steps: [
      { text: 'This answer would have been longer, but its token limit comes right in the' },
      { finish: 'length' },
    ],
  }),
}

export const refusal: OwnModel = {
  name: 'refusal',
  description: 'refuses, over the refusal channel where the API has one',
  pattern: /^refusal$/,
  script: () => ({ steps: [{ refusal: 'I cannot help with that; this model refuses everything.' }] }),
}

export const filtered: OwnModel = {
  name: 'filter',
  description: 'is stopped by a content filter after a few words',
  pattern: /^filter$/,
  script: () => ({ steps: [{ text: 'Once upon a time there was' }, { finish: 'content_filter' }] }),
}

export const empty: OwnModel = {
  name: 'empty',
  description: 'ends without a word',
  pattern: /^empty$/,
  script: () => ({ steps: [] }),
}

export const reasoning: OwnModel = {
  name: 'reasoning',
  description: 'thinks first, then answers',
  pattern: /^reasoning$/,
  script: ({ prompt }) => ({
    steps: [
      {
        reasoning: `The user wrote ${JSON.stringify(Array.from(prompt).slice(0, 80).join(''))}. Counting it is harmless, and shows that reasoning and answer stay apart.`,
      },
      { reasoning: '\nA character is a code point here, not a byte.' },
      { text: `Your prompt has **${Array.from(prompt).length}** characters and ${Buffer.byteLength(prompt)} bytes.` },
    ],
  }),
}
