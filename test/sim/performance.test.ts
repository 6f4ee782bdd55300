import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Pace, perform } from '../../src/sim/performance.ts'
import { type Ask, type Step, parseScript } from '../../src/sim/script.ts'
import { pieces, tokens } from '../../src/sim/tokens.ts'

const ask: Ask = { api: 'test', prompt: 'hi', messages: [{ role: 'user', text: 'hi' }], tools: [], think: true }
const paced: Pace = { tokenMs: 100, pauses: true, recorded: false }

describe('tokens', () => {
  const cases: [text: string, tokens: string[]][] = [
    ['', []],
    ['Hello, big world!', ['Hello,', ' big', ' world!']],
    ['  two\n\nparagraphs \n', ['  two', '\n\nparagraphs', ' \n']],
    ['Grüße 👩‍💻 日本語です', ['Grüße', ' 👩‍💻', ' 日', '本', '語', 'で', 'す']],
    ['a\u2028b', ['a', '\u2028b']],
  ]
  for (const [text, expected] of cases) test(JSON.stringify(text), () => expect(tokens(text)).toEqual(expected))

  test('joined again they are the text, whatever it is', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 200 }), fc.integer({ min: 1, max: 9 }), (text, length) => {
        expect(tokens(text).join('')).toBe(text)
        expect(pieces(text, length).join('')).toBe(text)
        expect(tokens(text).every((token) => token !== '' && token.isWellFormed())).toBe(true)
      }),
    )
  })
})

describe('a script', () => {
  const timesOf = (steps: Step[], pace = paced, asked = ask) => {
    const { beats, endsAt, finish } = perform({ steps }, asked, pace)
    return { beats: beats.map((beat) => [beat.type === 'tool_call' ? beat.name : beat.text, beat.at]), endsAt, finish }
  }

  test('says token k after k token-times, pauses added', () => {
    expect(timesOf([{ reasoning: 'hm hm' }, { pause_ms: 1000 }, { text: 'a b' }, { text: ['c d', 'e'] }])).toEqual({
      beats: [
        ['hm', 100],
        [' hm', 200],
        ['a', 1300],
        [' b', 1400],
        ['c d', 1500],
        ['e', 1600],
      ],
      endsAt: 1600,
      finish: 'stop',
    })
  })

  test('waits for nothing when asked to hurry', () => {
    const pace = { ...paced, tokenMs: 0, pauses: false }
    expect(timesOf([{ text: 'a b' }, { pause_ms: 9 }], pace)).toEqual({
      beats: [
        ['a', 0],
        [' b', 0],
      ],
      endsAt: 0,
      finish: 'stop',
    })
  })

  test('counts the pieces of a call as tokens, and ends with tool_calls', () => {
    const call: Step = { tool_call: { name: 'f', input: { a: 'bcdef' } } }
    expect(timesOf([{ text: 'x' }, call, call])).toEqual({
      beats: [
        ['x', 100],
        ['f', 200],
        ['f', 500],
      ],
      endsAt: 700,
      finish: 'tool_calls',
    })
  })

  test('gives its calls ids that no earlier result of the conversation had', () => {
    const messages = [...ask.messages, { role: 'tool', text: '1' } as const, { role: 'tool', text: '2' } as const]
    const { beats } = perform({ steps: [{ tool_call: { name: 'f', input: {} } }] }, { ...ask, messages }, paced)
    expect(beats).toEqual([
      { type: 'tool_call', index: 0, id: 'call_3', name: 'f', input: {}, fragments: ['{}'], complete: true, at: 100 },
    ])
  })

  test('ends with length at the token limit, also inside the arguments of a call', () => {
    const limited = { ...ask, maxTokens: 3 }
    const steps: Step[] = [{ text: 'a b' }, { tool_call: { name: 'f', input: { a: 'bcdef' } } }, { text: 'never' }]
    const { beats, finish, usage } = perform({ steps }, limited, paced)
    expect(finish).toBe('length')
    expect(usage).toEqual({ input_tokens: 4, output_tokens: 3, reasoning_tokens: 0 })
    expect(beats.at(-1)).toMatchObject({ name: 'f', fragments: ['{"a":"'], complete: false })
  })

  test('is not cut short by a limit that it just reaches', () => {
    expect(timesOf([{ text: 'a b' }], paced, { ...ask, maxTokens: 2 }).finish).toBe('stop')
  })

  test('ends at its finish, and may tell its own usage', () => {
    const { finish, usage, beats } = perform(
      {
        steps: [
          { text: 'a' },
          { finish: 'content_filter' },
          { text: 'b' },
          { usage: { input_tokens: 7, output_tokens: 9 } },
        ],
      },
      ask,
      paced,
    )
    expect([finish, usage, beats.length]).toEqual(['content_filter', { input_tokens: 7, output_tokens: 9 }, 1])
  })

  test('leaves its reasoning out when the request wants none', () => {
    expect(timesOf([{ reasoning: 'hm' }, { text: 'a' }], paced, { ...ask, think: false }).beats).toEqual([['a', 100]])
  })
})

describe('a script file', () => {
  test('is read as it stands', () => {
    const script = { description: 'd', tokens_per_second: 5, steps: [{ text: ['a', 'b'] }, { finish: 'length' }] }
    expect(parseScript(JSON.stringify(script), 'x.script.json')).toEqual(script)
  })

  const bad: [name: string, json: string, message: string][] = [
    ['is not JSON', '{', 'x.script.json is not a script for the simulator: it is not JSON'],
    ['has an unknown member', '{"steps":[],"pace":1}', 'at the top: Unrecognized key: "pace"'],
    ['has an unknown step', '{"steps":[{"say":"a"}]}', 'at steps.0: '],
  ]
  for (const [name, json, message] of bad) {
    test(`that ${name} is refused, with the place`, () => {
      expect(() => parseScript(json, 'x.script.json')).toThrow(
        expect.objectContaining({ reason: 'bad_script', message: expect.stringContaining(message) }),
      )
    })
  }
})
