/** The suite must see what it is there to see: providers that are broken on purpose, and the case that has to fail. */
import { expect, test } from 'vitest'
import type { ProviderEvent } from '../../src/core/provider.ts'
import { providerCases } from '../../src/testing/provider-suite.ts'
import type { Decoder } from '../../src/wire/decode.ts'
import { ownFixture, ndjsonCompleteAt } from './recordings.ts'
import { NDJSON, ollamaSuite } from './suites.ts'

const expected = {
  'text.ndjson': { text: 'Hello \n  x\u2028Gr\u00fc\u00dfe \u{1f496}!', reasoning: '', calls: [], reason: 'stop' },
  'tools.ndjson': {
    text: 'One moment.',
    reasoning: '',
    reason: 'tool_calls',
    calls: [
      { name: 'get_weather', input: { city: 'K\u00f6ln \u{1f496}', days: 3 } },
      { name: 'get_weather', input: { city: 'Paris' } },
      { name: 'get_time', input: {} },
    ],
  },
} as const

type Broken = (sound: Decoder<ProviderEvent>) => Decoder<ProviderEvent>

/** The names of the byte cases that fail for a decoder that is broken this way. */
async function failing(file: keyof typeof expected, broken: Broken): Promise<string[]> {
  const bytes = ownFixture(`ollama/${file}`)
  const recording = {
    name: file,
    mediaType: NDJSON,
    bytes,
    expected: expected[file],
    completeAt: ndjsonCompleteAt(bytes),
  }
  const decoder = () => broken(ollamaSuite.decoder())
  const cases = providerCases({ ...ollamaSuite, decoder, recordings: [recording], refusals: [] }).slice(0, 3)
  const results = await Promise.allSettled(cases.map(({ run }) => run()))
  return cases.flatMap(({ name }, i) => (results[i]!.status === 'rejected' ? [name.replace(`${file}: `, '')] : []))
}

const says = 'says what was recorded, in legal order'
const splits = 'says the same however the bytes are cut'
const cuts = 'no beginning of it passes for an answer'

/** A decoder whose events go through `change` on their way out. */
const changing =
  (change: (event: ProviderEvent) => readonly ProviderEvent[]): Broken =>
  (sound) => {
    const changed = (work: (events: ProviderEvent[]) => void, out: ProviderEvent[]) => {
      const events: ProviderEvent[] = []
      try {
        work(events)
      } finally {
        out.push(...events.flatMap(change))
      }
    }
    return {
      get ended() {
        return sound.ended ?? false
      },
      push: (chunk, out) => changed((events) => sound.push(chunk, events), out),
      end: (out) => changed((events) => sound.end(events), out),
    }
  }

const controls: [name: string, file: keyof typeof expected, broken: Broken, cases: string[]][] = [
  ['nothing', 'text.ndjson', (sound) => sound, []],
  ['nothing', 'tools.ndjson', (sound) => sound, []],
  [
    'the end of the bytes taken for the end of the answer',
    'text.ndjson',
    (sound) => ({
      get ended() {
        return sound.ended ?? false
      },
      push: (chunk, out) => sound.push(chunk, out),
      end: (out) => out.push({ type: 'done', reason: 'stop' }),
    }),
    [cuts],
  ],
  [
    'a decoder that forgets what a chunk cuts',
    'text.ndjson',
    (sound) => ({
      get ended() {
        return sound.ended ?? false
      },
      push: (chunk, out) => sound.push(chunk.subarray(0, chunk.lastIndexOf(10) + 1), out),
      end: (out) => sound.end(out),
    }),
    [splits],
  ],
  [
    'deltas of white space dropped',
    'text.ndjson',
    changing((event) => (event.type === 'text' && event.text.trim() === '' ? [] : [event])),
    [says],
  ],
  [
    'text cut without regard to characters',
    'text.ndjson',
    changing((event) =>
      event.type === 'text' ? event.text.split('').map((text) => ({ type: 'text', text })) : [event],
    ),
    [says, cuts],
  ],
  [
    'one id for all calls',
    'tools.ndjson',
    changing((event) => [event.type === 'tool_call' ? { ...event, call_id: 'call_0' } : event]),
    [says, cuts],
  ],
  ['two ends', 'text.ndjson', changing((event) => (event.type === 'done' ? [event, event] : [event])), [says, cuts]],
  ['no start', 'text.ndjson', changing((event) => (event.type === 'start' ? [] : [event])), [says, cuts]],
]

for (const [name, file, broken, cases] of controls) {
  test(`the provider suite sees ${name} in ${file}`, async () => {
    expect(await failing(file, broken)).toEqual(cases)
  })
}
