import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import type { ProviderEvent } from '../../src/core/provider.ts'
import { cutOff, scriptedProvider, type ScriptLine } from '../../src/testing/scripted-provider.ts'
import { safe, type SafetyOptions, type SafetyRule } from '../../src/wrappers/safe.ts'
import { done, heard, start, text, textIn } from './lab.ts'

const email: SafetyRule = { category: 'email', pattern: '[\\w.+-]+@[\\w-]+(?:\\.[\\w-]+)+', action: 'redact' }
const secret: SafetyRule = { category: 'secret', words: ['top secret'], action: 'stop' }
const name: SafetyRule = { category: 'name', words: ['Bob'], action: 'redact', replacement: 'B.', caseSensitive: true }
const gone: SafetyRule = { category: 'gone', words: ['gone'], action: 'redact', replacement: '' }

const options: SafetyOptions = { rules: [email, secret, name, gone] }
const redact = (category: string): ProviderEvent => ({ type: 'safety', category, action: 'redact' })
const reasoning = (words: string): ProviderEvent => ({ type: 'reasoning', text: words })

/** What is heard of an answer that comes in these arrays; neighbouring deltas of one kind joined. */
async function through(lines: readonly ScriptLine[], more: Partial<SafetyOptions> = {}) {
  const provider = scriptedProvider([lines])
  const { events, error } = await heard(safe({ ...options, ...more })(provider))
  const joined: ProviderEvent[] = []
  for (const event of events) {
    const last = joined.at(-1)
    const same = (event.type === 'text' || event.type === 'reasoning') && last?.type === event.type
    if (same) joined[joined.length - 1] = { ...event, text: last.text + event.text }
    else joined.push(event)
  }
  expect(provider.active).toBe(0)
  return error === undefined ? joined : [...joined, error]
}

const answers: [name: string, words: string, heard: unknown[]][] = [
  ['nothing forbidden', 'Plain text, bob.', [text('Plain text, bob.')]],
  [
    'something to redact',
    'Ask me@example.org or Bob!',
    [text('Ask '), redact('email'), text('[redacted] or '), redact('name'), text('B.!')],
  ],
  ['something to leave out', 'it is gone, gone', [text('it is '), redact('gone'), text(', '), redact('gone')]],
  [
    'something to stop at',
    'It is Top Secret: 42',
    [text('It is '), { type: 'safety', category: 'secret', action: 'block' }, 'content_filtered safety_rule'],
  ],
  [
    'something to stop at, at the very end',
    'top secret',
    [{ type: 'safety', category: 'secret', action: 'block' }, 'content_filtered safety_rule'],
  ],
  ['what looks like the begin of something', 'top secre', [text('top secre')]],
]

for (const [what, words, expected] of answers) {
  test(`safe: ${what}, however the deltas are cut`, async () => {
    const end = typeof expected.at(-1) === 'string' ? [] : [done]
    const cuts = [
      [words],
      Array.from(words),
      ...Array.from({ length: words.length }, (_, at) => [words.slice(0, at), words.slice(at)]),
    ]
    for (const pieces of cuts) {
      const deltas = pieces.filter((piece) => piece !== '').map((piece) => [text(piece)])
      expect(await through([[start], ...deltas, [done]])).toEqual([start, ...expected, ...end])
      expect(await through([[start, ...deltas.flat(), done]])).toEqual([start, ...expected, ...end])
    }
  })
}

test('safe: the same result for any text and any cuts, and never a forbidden one', async () => {
  const word = fc.constantFrom(
    'a',
    ' ',
    'Bob',
    'bo',
    'gone',
    'me@',
    'x.org',
    '@',
    '.',
    'top',
    'top secret',
    '💖',
    'secret',
    '\n',
  )
  await fc.assert(
    fc.asyncProperty(
      fc.array(word, { maxLength: 20 }),
      fc.array(fc.integer({ min: 1, max: 5 })),
      async (words, sizes) => {
        const characters = Array.from(words.join(''))
        const deltas: ProviderEvent[][] = []
        for (let at = 0, i = 0; at < characters.length; i++) {
          const size = sizes.length > 0 ? sizes[i % sizes.length]! : 3
          deltas.push([text(characters.slice(at, at + size).join(''))])
          at += size
        }
        const whole = characters.length > 0 ? [[text(characters.join(''))]] : []
        const result = await through([[start], ...deltas, [done]])
        expect(result).toEqual(await through([[start], ...whole, [done]]))
        const shown = textIn(result.filter((one): one is ProviderEvent => typeof one === 'object'))
        expect(shown).not.toMatch(/\btop secret\b|\bBob\b|[\w.+-]+@[\w-]+\.[\w-]+/u)
      },
    ),
    { numRuns: 300 },
  )
})

test('safe: reasoning is looked at where it is asked for, and ends where text begins', async () => {
  const lines = [[start, reasoning('Bo'), reasoning('b thinks'), text('Bo')], [text('b says')], [done]]
  const says = [redact('name'), text('B. says'), done]
  expect(await through(lines)).toEqual([start, reasoning('Bob thinks'), ...says])
  expect(await through(lines, { reasoning: true })).toEqual([start, redact('name'), reasoning('B. thinks'), ...says])
})

test('safe: what stands between two pieces of text does not hide what they make together', async () => {
  const call: ProviderEvent = { type: 'tool_call_delta', call_id: 'c', name: 'n', json: '{' }
  const fields: ProviderEvent = { type: 'fields', fields: {} }
  expect(await through([[start, text('top ')], [call], [fields, text('secret')], [done]])).toEqual([
    start,
    call,
    fields,
    { type: 'safety', category: 'secret', action: 'block' },
    'content_filtered safety_rule',
  ])
})

test('safe: an answer that breaks off keeps the text that was held back', async () => {
  expect(await through([[start, text('See top')], { throw: cutOff() }])).toEqual([
    start,
    text('See top'),
    'network stream_eof_before_done',
  ])
})

test('safe: an answer that breaks off before anything was shown shows nothing, so that it can be asked for again', async () => {
  expect(await through([[start, text('top')], { throw: cutOff() }])).toEqual([start, 'network stream_eof_before_done'])
})

test('safe: arrays in which nothing is found are handed on with their events as they are', async () => {
  const batch = [text('one '), text('two, ')]
  const out: (readonly ProviderEvent[])[] = []
  const wrapped = safe(options)(scriptedProvider([[[start], batch, [done]]]))
  for await (const events of wrapped.stream(
    { model: '', messages: [], tools: [], options: {} },
    { signal: new AbortController().signal },
  )) {
    out.push(events)
  }
  expect(out[1]).toEqual(batch)
})

test('safe: an abort is told as it is, at once', async () => {
  const abort = new AbortController()
  const wrapped = safe(options)(scriptedProvider([[[start, text('a top')], { wait: new Promise(() => {}) }]]))
  const reason = new Error('off')
  setImmediate(() => abort.abort(reason))
  expect(await heard(wrapped, {}, { signal: abort.signal })).toEqual({ events: [start, text('a ')], error: reason })
})

const faulty: [why: string, options: Partial<SafetyOptions>][] = [
  ['the rule "x" has neither words nor a pattern', { rules: [{ category: 'x', action: 'stop' }] }],
  ['a word is empty', { rules: [{ category: 'x', words: [''], action: 'stop' }] }],
  ['"a", at character', { rules: [{ category: 'x', pattern: 'a(?!b)', action: 'stop' }] }],
  [
    '"long…" is longer than the window of 3',
    { rules: [{ category: 'x', words: ['long'], action: 'stop' }], window: 3 },
  ],
  ['the window is not a whole number from 1 to 65536', { window: 0 }],
]
for (const [why, wrong] of faulty) {
  test(`safe refuses a rule that cannot be used: ${why}`, () => {
    expect(() => safe({ ...options, ...wrong })).toThrow(
      expect.objectContaining({
        code: 'invalid_request',
        reason: 'bad_pattern',
        message: expect.stringContaining(why.replace('"a"', '"a(?!b)"')) as string,
      }),
    )
  })
}
