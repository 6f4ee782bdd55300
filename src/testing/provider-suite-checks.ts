/** What holds for every list of provider events, and what a list comes to. */
import assert from 'node:assert/strict'
import { isRunletError, type RunletError } from '../core/error.ts'
import type { StopReason } from '../core/event.ts'
import type { ProviderEvent } from '../core/provider.ts'
import type { Decoded } from './every-split.ts'
import type { ExpectedAnswer } from './provider-suite.ts'

/**
 * `start` once and before everything but what is told while waiting, `done` last and once or, after a fault, never;
 * nothing empty, nothing half, nothing twice.
 */
export function holdOrder(all: readonly ProviderEvent[], complete: boolean): void {
  const ids = new Set<string>()
  const first = all.findIndex(({ type }) => type !== 'status' && type !== 'warning')
  const events = first < 0 ? [] : all.slice(first)
  events.forEach((event, i) => {
    const isLast = complete && i === events.length - 1
    if ((event.type === 'start') !== (i === 0) || (event.type === 'done') !== isLast) {
      assert.fail(`${event.type} at place ${i} of ${events.length}`)
    }
    if (event.type === 'text' || event.type === 'reasoning') holdText(event.text)
    if (event.type === 'tool_call_delta') holdText(event.json)
    if (event.type !== 'tool_call') return
    assert(event.call_id !== '' && !ids.has(event.call_id), `call id "${event.call_id}" is empty, or there twice`)
    assert.equal(Object.prototype.toString.call(event.input), '[object Object]', 'the input of a call is an object')
    ids.add(event.call_id)
  })
  if (complete) assert.equal(events.at(-1)?.type, 'done')
}

function holdText(text: string): void {
  if (text === '') assert.fail('a delta is empty')
  if (!text.isWellFormed()) assert.fail(`a delta holds half a character: ${JSON.stringify(text)}`)
}

export interface Sum extends Omit<ExpectedAnswer, 'calls' | 'reason'> {
  readonly calls: readonly Extract<ProviderEvent, { type: 'tool_call' }>[]
  readonly reason: StopReason | undefined
}

/** What a list of events comes to. */
export function sumOf(events: readonly ProviderEvent[]): Sum {
  const of = <Type extends ProviderEvent['type']>(type: Type) =>
    events.filter((event): event is Extract<ProviderEvent, { type: Type }> => event.type === type)
  const done = of('done')[0]
  return {
    model: of('start')[0]?.model ?? '',
    text: of('text').reduce((all, event) => all + event.text, ''),
    reasoning: of('reasoning').reduce((all, event) => all + event.text, ''),
    calls: of('tool_call'),
    citations: of('citations').flatMap((event) => event.citations),
    reason: done?.reason,
    usage: done?.usage,
  }
}

/** Events and fault as one text, which is compared a hundred times faster than the objects are. */
export function comparable({ out, fault }: Decoded<ProviderEvent>): string {
  if (fault === undefined) return JSON.stringify(out)
  const { code, reason, message, temporary } = asRunletError(fault)
  return JSON.stringify([...out, { code, reason, message, temporary }])
}

export function asRunletError(fault: unknown): RunletError {
  assert(isRunletError(fault), `it threw ${String(fault)}`)
  assert.notEqual(fault.provider, undefined, 'an error names its provider')
  return fault
}
