import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Entry, RunEvent } from '../../src/core/event.ts'
import type { RunView } from '../../src/core/fold.ts'
import { emptyView, fold, lastAnswer, outputText } from '../../src/core/fold.ts'
import type { AssistantPart, Message } from '../../src/core/message.ts'
import { randomRun, seededRandom } from '../../src/testing/random-run.ts'
import { entriesOf, event } from './events.ts'

const opening = [event('start'), event('turn.start'), event('step.start')]
const foldEvents = (...events: RunEvent[]): RunView => fold(emptyView, entriesOf([...opening, ...events]))
const says = (text: string, step = 1) => event('text.delta', { text, step })
const answer = (...parts: AssistantPart[]): Message => ({ role: 'assistant', parts })
const user: Message = { role: 'user', content: 'Hi' }

describe('messages', () => {
  const result: Message = { role: 'tool', call_id: 'c1', name: 'clock', content: 'noon', is_error: false }
  const call: AssistantPart = { type: 'tool_call', call_id: 'c1', name: 'clock', input: {} }
  const cases: [name: string, events: RunEvent[], messages: Message[]][] = [
    ['a turn begins with its user message', [], [user]],
    ['text deltas are one part', [says('a'), says(' '), says('b')], [user, answer({ type: 'text', text: 'a b' })]],
    [
      'a notice between two deltas does not part them',
      [says('a'), event('warning'), says('b')],
      [user, answer({ type: 'text', text: 'ab' })],
    ],
    [
      'reasoning and text are parts in the order they came',
      [event('reasoning.delta'), says('a'), event('reasoning.delta', { text: '!' })],
      [user, answer({ type: 'reasoning', text: 'Hm' }, { type: 'text', text: 'a' }, { type: 'reasoning', text: '!' })],
    ],
    [
      'fragments and progress of a tool are no content',
      [event('tool.call.delta'), event('tool.call'), event('tool.progress')],
      [user, answer(call)],
    ],
    [
      'a result is a message of its own, and text after it stays in the step',
      [says('a'), event('tool.call'), event('tool.result'), says('b')],
      [user, answer({ type: 'text', text: 'a' }, call, { type: 'text', text: 'b' }), result],
    ],
    [
      'each step is a message',
      [says('a'), event('step.end'), event('step.start', { step: 2 }), says('b', 2)],
      [user, answer({ type: 'text', text: 'a' }), answer({ type: 'text', text: 'b' })],
    ],
    ['a step that said nothing is no message', [event('step.end')], [user]],
    [
      'a reset voids the step: its text, its calls and their results',
      [says('a'), event('tool.call'), event('tool.result'), event('step.reset'), says('b')],
      [user, answer({ type: 'text', text: 'b' })],
    ],
    [
      'a reset leaves the steps before it',
      [
        says('a'),
        event('step.end'),
        event('step.start', { step: 2 }),
        says('b', 2),
        event('step.reset', { step: 2 }),
        event('step.reset', { step: 2, attempt: 3 }),
      ],
      [user, answer({ type: 'text', text: 'a' })],
    ],
    [
      'a second turn adds its user message',
      [
        says('a'),
        event('step.end'),
        event('turn.end'),
        event('turn.start', { turn: 2, kind: 'steer', message: { role: 'user', content: 'No' } }),
      ],
      [user, answer({ type: 'text', text: 'a' }), { role: 'user', content: 'No' }],
    ],
    [
      'names and keys of Object.prototype are names and keys',
      [
        event('tool.call', {
          call_id: '__proto__',
          tool_call: { name: 'constructor', input: JSON.parse('{"__proto__":{"polluted":true}}') },
        }),
        event('tool.result', { call_id: '__proto__', name: 'constructor', tool_result: JSON.parse('{"__proto__":1}') }),
      ],
      [
        user,
        answer({
          type: 'tool_call',
          call_id: '__proto__',
          name: 'constructor',
          input: JSON.parse('{"__proto__":{"polluted":true}}'),
        }),
        {
          role: 'tool',
          call_id: '__proto__',
          name: 'constructor',
          content: JSON.parse('{"__proto__":1}'),
          is_error: false,
        },
      ],
    ],
  ]
  for (const [name, events, messages] of cases) {
    test(name, () => {
      // As JSON too: `toEqual` does not look at an own `__proto__`.
      const view = foldEvents(...events)
      expect(view.messages).toEqual(messages)
      expect(JSON.stringify(view.messages)).toBe(JSON.stringify(messages))
      expect(Object.hasOwn(Object.prototype, 'polluted')).toBe(false)
    })
  }
})

describe('the state of the run', () => {
  const { type: _, ...start } = event('start')
  const usage = event('finish').usage

  test('nothing folded is a running run at 0', () => {
    expect(fold(emptyView, [])).toEqual({ seq: 0, status: 'running', messages: [] })
  })

  test('within a step it knows where a reset would go back to', () => {
    expect(foldEvents(says('a'))).toEqual({
      seq: 4,
      status: 'running',
      start,
      messages: [user, answer({ type: 'text', text: 'a' })],
      step: { step: 1, attempt: 1, base: 1 },
    })
  })

  test('usage adds up over the steps; the ending has the last word', () => {
    const steps = [event('step.end'), event('step.start', { step: 2 }), event('step.end', { step: 2 })]
    const twice = { input_tokens: 6, output_tokens: 8, total_tokens: 14, accuracy: 'exact' }
    expect(foldEvents(...steps).usage).toEqual(twice)
    expect(foldEvents(...steps, event('turn.end'), event('finish')).usage).toEqual(usage)
    expect(foldEvents(...steps, event('turn.end'), event('error')).usage).toEqual(twice)
  })

  const endings: [name: string, last: RunEvent, state: Partial<RunView>][] = [
    ['finish', event('finish'), { status: 'completed', finish_reason: 'stop', usage }],
    ['length', event('finish', { finish_reason: 'length' }), { status: 'completed', finish_reason: 'length', usage }],
    [
      'cancel',
      event('finish', { finish_reason: 'cancelled' }),
      { status: 'cancelled', finish_reason: 'cancelled', usage },
    ],
    ['error', event('error'), { status: 'failed', error: event('error').error }],
    ['error with usage', event('error', { usage }), { status: 'failed', error: event('error').error, usage }],
  ]
  for (const [name, last, state] of endings) {
    test(`a run broken off by ${name} keeps what was said`, () => {
      const messages = [user, answer({ type: 'text', text: 'a' })]
      expect(foldEvents(says('a'), last)).toEqual({ seq: 5, start, messages, ...state })
    })
  }

  test('the visible answer is the text alone, over all steps', () => {
    const view = foldEvents(
      event('reasoning.delta'),
      says('a'),
      event('tool.call'),
      event('tool.result'),
      event('step.end'),
      event('step.start', { step: 2 }),
      says('b', 2),
    )
    expect(outputText(view)).toBe('ab')
    expect(lastAnswer(view)).toEqual(answer({ type: 'text', text: 'b' }))
    expect(outputText(emptyView)).toBe('')
    expect(lastAnswer(emptyView)).toBeUndefined()
  })
})

describe('any run', () => {
  const seeds = fc.integer()
  const cuts = fc.array(fc.nat({ max: 200 }), { maxLength: 12 })

  test('folded in any pieces is the run folded at once', () => {
    fc.assert(
      fc.property(seeds, cuts, (seed, at) => {
        const run = randomRun(seededRandom(seed))
        let view = emptyView
        for (const piece of pieces(run, at)) view = fold(view, piece)
        expect(view).toEqual(fold(emptyView, run))
      }),
      { numRuns: 300 },
    )
  })

  test('folded entry by entry is the run folded at once', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const run = randomRun(seededRandom(seed), { ended: false })
        expect(run.reduce((view, entry) => fold(view, [entry]), emptyView)).toEqual(fold(emptyView, run))
      }),
    )
  })

  test('entries that come twice change nothing', () => {
    fc.assert(
      fc.property(seeds, cuts, (seed, at) => {
        const run = randomRun(seededRandom(seed))
        let view = emptyView
        let seen = 0
        for (const piece of pieces(run, at)) {
          seen += piece.length
          view = fold(view, run.slice(Math.max(0, seen - piece.length - 3), seen))
        }
        expect(view).toEqual(fold(emptyView, run))
      }),
    )
  })

  test('is folded without changing a view or an entry', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const run = deepFreeze(randomRun(seededRandom(seed)))
        let view = deepFreeze(structuredClone(emptyView))
        for (const entry of run) view = deepFreeze(fold(view, [entry]))
        expect(view.seq).toBe(run.length)
      }),
    )
  })

  test('survives as JSON: a view that was stored goes on like one that was not', () => {
    fc.assert(
      fc.property(seeds, fc.nat({ max: 200 }), (seed, cut) => {
        const run = randomRun(seededRandom(seed))
        const stored: RunView = JSON.parse(JSON.stringify(fold(emptyView, run.slice(0, cut))))
        expect(JSON.stringify(fold(stored, run))).toBe(JSON.stringify(fold(emptyView, run)))
      }),
    )
  })
})

/** The run, cut at some places; a place beyond it counts from the start again. */
function pieces(run: readonly Entry[], at: readonly number[]): Entry[][] {
  const borders = [0, ...at.map((place) => place % (run.length + 1)).toSorted((a, b) => a - b), run.length]
  return borders.slice(1).map((end, i) => run.slice(borders[i], end))
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value)
    Object.values(value).forEach(deepFreeze)
  }
  return value
}
