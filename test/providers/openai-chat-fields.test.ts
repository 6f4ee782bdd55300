import { describe, expect, test } from 'vitest'
import type { ProviderEvent } from '../../src/core/provider.ts'
import { chatStream } from '../../src/providers/openai-chat/parse.ts'
import { callIds } from '../../src/providers/shared/call-ids.ts'
import { decodeAll } from '../../src/testing/every-split.ts'
import { reframed, sharedFixtures } from './recordings.ts'

const peer = { provider: 'openai-chat', name: 'the test', redact: (text: string) => text }
const decoded = (bytes: Uint8Array, keepFields: boolean): readonly ProviderEvent[] =>
  decodeAll(chatStream({ peer, model: 'asked-for', ids: callIds([]), keepFields }), [bytes]).out
const from = (chunks: readonly object[], keepFields = true) =>
  decoded(
    Buffer.from(`${chunks.map((chunk) => `data: ${JSON.stringify(chunk)}\n\n`).join('')}data: [DONE]\n\n`),
    keepFields,
  )
const fieldsIn = (events: readonly ProviderEvent[]) =>
  events.flatMap((event) => (event.type === 'fields' ? [event.fields] : []))

describe('openai-chat: fields that have no event', () => {
  const head = { id: 'x', object: 'chat.completion.chunk', created: 1, model: 'm', obfuscation: 'abc' }
  const choice = (delta: object, more: object = {}) => ({ ...head, choices: [{ index: 0, delta, ...more }] })
  const logprobs = { content: [{ token: 'a', logprob: -1 }], refusal: null }
  const chunks = [
    { ...choice({ role: 'assistant', content: '', refusal: null }), system_fingerprint: 'fp_1', service_tier: null },
    { ...choice({ content: 'a' }, { logprobs, finish_reason: null }), system_fingerprint: 'fp_1' },
    { ...choice({ content: 'a' }, { logprobs }), system_fingerprint: 'fp_2', service_tier: 'flex' },
    choice({ refusal: 'No' }, { content_filter_results: {} }),
    choice({ reasoning_details: [{ type: 'reasoning.encrypted', data: 'x' }] }, { stop_reason: 7 }),
    { ...choice({}, { finish_reason: 'stop', stop_reason: 7 }), usage: { prompt_tokens: 1, completion_tokens: 1 } },
    { ...head, choices: [], moderation: { flagged: false } },
  ]

  test('are told in order, in the shape of a chunk, and again only where they change or are a piece', () => {
    expect(from(chunks)).toEqual([
      { type: 'start', model: 'm' },
      { type: 'fields', fields: { system_fingerprint: 'fp_1' } },
      { type: 'text', text: 'a' },
      { type: 'fields', fields: { choices: [{ index: 0, logprobs }] } },
      { type: 'text', text: 'a' },
      {
        type: 'fields',
        fields: { system_fingerprint: 'fp_2', service_tier: 'flex', choices: [{ index: 0, logprobs }] },
      },
      { type: 'safety', category: 'refusal', action: 'block' },
      { type: 'text', text: 'No' },
      { type: 'fields', fields: { choices: [{ index: 0, delta: { refusal: 'No' } }] } },
      {
        type: 'fields',
        fields: {
          choices: [
            {
              index: 0,
              delta: { reasoning_details: [{ type: 'reasoning.encrypted', data: 'x' }] },
              stop_reason: 7,
            },
          ],
        },
      },
      { type: 'fields', fields: { moderation: { flagged: false } } },
      {
        type: 'done',
        reason: 'content_filter',
        usage: { input_tokens: 1, output_tokens: 1, total_tokens: 2, accuracy: 'exact' },
      },
    ])
  })

  test('are not told where nobody asked; all other events are the same', () => {
    expect(from(chunks, false)).toEqual(from(chunks).filter(({ type }) => type !== 'fields'))
  })

  test('come behind the start, whatever comes first', () => {
    const early = { id: '', model: '', choices: [], prompt_filter_results: [{ prompt_index: 0 }] }
    expect(from([early, choice({ content: 'a' }, { finish_reason: 'stop' })]).map(({ type }) => type)).toEqual([
      'start',
      'fields',
      'text',
      'done',
    ])
  })

  test('of another choice are not taken', () => {
    expect(fieldsIn(from([{ ...head, choices: [{ index: 1, delta: { refusal: 'x' } }] }]))).toEqual([])
  })

  let deep: unknown = 1
  for (let i = 0; i < 70; i++) deep = [deep]
  const many = Array.from({ length: 100_001 }, () => 0)
  for (const [what, value] of [
    ['nested too deeply', deep],
    ['with too many members', many],
  ] as const) {
    test(`${what} are left out, and cost neither the answer nor their neighbours`, () => {
      const details = { content: 'a', reasoning_details: value, refusal: 'b' }
      const more = { logprobs: value, stop_reason: value, native_finish_reason: 'end', finish_reason: 'stop' }
      expect(from([{ ...choice(details, more), moderation: value, provider: 'p' }])).toEqual([
        { type: 'start', model: 'm' },
        { type: 'text', text: 'a' },
        { type: 'safety', category: 'refusal', action: 'block' },
        { type: 'text', text: 'b' },
        {
          type: 'fields',
          fields: { provider: 'p', choices: [{ index: 0, delta: { refusal: 'b' }, native_finish_reason: 'end' }] },
        },
        { type: 'done', reason: 'content_filter' },
      ])
    })
  }

  const recorded = ['openai-chat', 'openai-compat'].flatMap(sharedFixtures)
  test.skipIf(recorded.length === 0)('of recorded answers are those that clients read', () => {
    const told = recorded
      .filter(({ name }) => !name.includes('completion') && !name.endsWith('.json'))
      .map(({ name, bytes }) => {
        const fields = fieldsIn(decoded(name.endsWith('.chunks.txt') ? reframed(bytes) : bytes, true))
        const names = fields.flatMap((one) => [
          ...Object.keys(one).filter((member) => member !== 'choices'),
          ...(Array.isArray(one['choices']) ? Object.keys(one['choices'][0] as object) : []),
        ])
        return [name, [...new Set(names)].filter((member) => member !== 'index').toSorted((a, b) => (a < b ? -1 : 1))]
      })
    expect(Object.fromEntries(told)).toMatchInlineSnapshot(`
      {
        "alibaba-tool-call.chunks.txt": [],
        "anthropic-fallback-tool-call.sse": [],
        "azure-model-router.1.chunks.txt": [
          "content_filter_results",
          "prompt_filter_results",
        ],
        "azure-prompt-filter-results.sse": [
          "content_filter_results",
          "prompt_filter_results",
        ],
        "deepseek-tool-call.chunks.txt": [
          "system_fingerprint",
        ],
        "groq-tool-call.chunks.txt": [
          "system_fingerprint",
          "x_groq",
        ],
        "mistral-reasoning.chunks.txt": [],
        "mistral-tool-call.chunks.txt": [],
        "openai-text.chunks.txt": [
          "service_tier",
          "system_fingerprint",
        ],
        "openrouter-error-midstream.sse": [
          "delta",
          "native_finish_reason",
          "provider",
        ],
        "openrouter-reasoning-comments.sse": [
          "delta",
          "native_finish_reason",
          "provider",
        ],
        "parallel-tools-two.sse": [
          "service_tier",
          "system_fingerprint",
        ],
        "perplexity-text.chunks.txt": [
          "citations",
        ],
        "vllm-chat.sse": [],
        "writer-multiple-choices.sse": [
          "system_fingerprint",
        ],
        "xai-tool-call.chunks.txt": [
          "system_fingerprint",
        ],
      }
    `)
  })
})
