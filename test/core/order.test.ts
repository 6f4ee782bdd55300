import { readFileSync } from 'node:fs'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { EventType, RunEvent } from '../../src/core/event.ts'
import type { Phase } from '../../src/core/order.ts'
import { checkOrder, legalOrder, orderCheck } from '../../src/core/order.ts'
import { randomEvents, randomRun, seededRandom } from '../../src/testing/random-run.ts'
import { entriesOf, event, types } from './events.ts'

const phases: readonly Phase[] = ['new', 'run', 'turn', 'step', 'ended']

/** The shortest legal way into each phase. */
const ways: Record<Phase, readonly RunEvent[]> = {
  new: [],
  run: [event('start')],
  turn: [event('start'), event('turn.start')],
  step: [event('start'), event('turn.start'), event('step.start')],
  ended: [event('start'), event('error')],
}

describe('every event in every phase', () => {
  for (const phase of phases) {
    for (const type of types) {
      const rule: Partial<Record<Phase, Phase>> = legalOrder[type]
      const next = rule[phase]
      test(`${type} in phase "${phase}" ${next ? `leads to "${next}"` : 'is refused'}`, () => {
        const check = orderCheck()
        for (const before of ways[phase]) check.accept(before)
        expect(check.phase).toBe(phase)
        // A call must be open for the events that speak of one; a finish inside something can only be a cancel.
        if (phase === 'step' && (type === 'tool.progress' || type === 'tool.result')) check.accept(event('tool.call'))
        const candidate =
          type === 'finish' && phase !== 'run' ? event('finish', { finish_reason: 'cancelled' }) : event(type)
        if (next) {
          check.accept(candidate)
          expect(check.phase).toBe(next)
        } else {
          expect(() => check.accept(candidate)).toThrow(`event ${type} may not come here`)
          expect(check.phase).toBe(phase)
        }
      })
    }
  }
})

describe('what the table alone does not say', () => {
  const step = ways.step
  const call = event('tool.call')
  const result = event('tool.result')
  const refused: [name: string, before: readonly RunEvent[], refused: RunEvent, why: string][] = [
    ['the first turn is 1', ways.run, event('turn.start', { turn: 2 }), 'turn 1 is next, not 2'],
    ['turns do not repeat', [...ways.turn, event('turn.end')], event('turn.start'), 'turn 2 is next, not 1'],
    ['the turn that ends is the open one', ways.turn, event('turn.end', { turn: 2 }), 'turn 1 is open, not 2'],
    ['the first step is 1', ways.turn, event('step.start', { step: 3 }), 'step 1 is next, not 3'],
    ['steps do not repeat', [...step, event('step.end')], event('step.start'), 'step 2 is next, not 1'],
    ['content names the open step', step, event('text.delta', { step: 2 }), 'step 1 is open'],
    ['the end names the open step', step, event('step.end', { step: 2 }), 'step 1 is open'],
    ['a reset raises the attempt', step, event('step.reset', { attempt: 1 }), 'attempt 1 is under way'],
    ['text is never empty', step, event('text.delta', { text: '' }), 'its text is empty'],
    ['reasoning is never empty', step, event('reasoning.delta', { text: '' }), 'its text is empty'],
    ['a call is made once', [...step, call], call, 'call c1 was made before'],
    ['a call is not made again after its result', [...step, call, result], call, 'call c1 was made before'],
    ['progress needs its call', step, event('tool.progress'), 'call c1 is not open'],
    ['a result needs its call', step, result, 'call c1 is not open'],
    ['a call has one result', [...step, call, result], result, 'call c1 is not open'],
    ['no progress after the result', [...step, call, result], event('tool.progress'), 'call c1 is not open'],
    ['a reset forgets open calls', [...step, call, event('step.reset')], result, 'call c1 is not open'],
    [
      'a step waits for its calls, unless the caller runs them',
      [...step, call],
      event('step.end', { finish_reason: 'stop' }),
      '1 calls have no result',
    ],
    ['only a cancel finishes inside a step', step, event('finish', { finish_reason: 'stop' }), 'a step is open'],
    ['only a cancel finishes inside a turn', ways.turn, event('finish', { finish_reason: 'length' }), 'a turn is open'],
  ]
  for (const [name, before, last, why] of refused) {
    test(name, () => {
      const check = orderCheck()
      for (const one of before) check.accept(one)
      expect(() => check.accept(last)).toThrow(why)
    })
  }

  const accepted: [name: string, events: readonly RunEvent[]][] = [
    ['a call may come again after a reset', [...step, call, event('step.reset'), call, result, event('step.end')]],
    [
      'calls may stay open when the caller runs them',
      [...step, call, event('step.end', { finish_reason: 'tool_calls' })],
    ],
    [
      'a call id may come again in the next step',
      [...step, call, result, event('step.end'), event('step.start', { step: 2 }), event('tool.call', { step: 2 })],
    ],
    [
      'the results of parallel calls come in any order',
      [...step, call, event('tool.call', { call_id: 'c2' }), event('tool.result', { call_id: 'c2' }), result],
    ],
    ['a step may say nothing', [...step, event('step.end')]],
    ['a turn may have no step', [...ways.turn, event('turn.end')]],
    ['a call may be named __proto__', [...step, event('tool.call', { call_id: '__proto__' })]],
  ]
  for (const [name, events] of accepted) {
    test(name, () => {
      const check = orderCheck()
      for (const one of events) check.accept(one)
    })
  }
})

describe('a whole log', () => {
  test('whatever legal run chance makes is accepted, and no prefix of it passes for ended', () => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const run = randomRun(seededRandom(seed))
        checkOrder(run, { ended: true })
        checkOrder(run.slice(0, -1), { ended: false })
        expect(() => checkOrder(run.slice(0, -1), { ended: true })).toThrow('no terminal event')
      }),
    )
  })

  test('nothing may come after the end of any run, not even another end', () => {
    fc.assert(
      fc.property(fc.integer(), fc.constantFrom(...types), (seed, type) => {
        const run = entriesOf([...randomEvents(seededRandom(seed)), event(type)])
        expect(() => checkOrder(run, { ended: true })).toThrow('the run has ended')
      }),
    )
  })

  test('an entry that is missing, doubled or swapped is refused', () => {
    const run = entriesOf([...ways.step, event('text.delta'), event('step.end'), event('turn.end'), event('finish')])
    checkOrder(run, { ended: true })
    for (let i = 0; i < run.length; i++) {
      if (i < run.length - 1) expect(() => checkOrder(run.toSpliced(i, 1), { ended: true })).toThrow('carries seq')
      expect(() => checkOrder(run.toSpliced(i, 0, run[i]!), { ended: true })).toThrow('carries seq')
    }
    expect(() => checkOrder(run.toReversed(), { ended: true })).toThrow('entry 1 carries seq 7')
  })
})

test('PROTOCOL.md, section 2, says what the table says', () => {
  const section = /\n## 2\. .*?\n(.*?)\n## 3\. /s.exec(
    readFileSync(new URL('../../PROTOCOL.md', import.meta.url), 'utf8'),
  )
  const rows = [...section![1]!.matchAll(/^\| (`.*`) \| (.*) \|$/gm)]
  const said: Record<string, Record<string, string>> = {}
  for (const [, names, moves] of rows) {
    const rule = Object.fromEntries([...moves!.matchAll(/(\w+) → (\w+)/g)].map(([, from, to]) => [from, to]))
    for (const [, name] of names!.matchAll(/`([a-z.]+)`/g)) said[name!] = rule
  }
  expect(said).toEqual(legalOrder satisfies Record<EventType, unknown>)
})
