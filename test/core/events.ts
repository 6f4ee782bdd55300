/** One plain example of each event, for the tests of `core/`. */
import type { Entry, EventType, RunEvent } from '../../src/core/event.ts'

type EventOf<T extends EventType> = RunEvent & { readonly type: T }

const usage = { input_tokens: 3, output_tokens: 4, total_tokens: 7, accuracy: 'exact' } as const

/** Call `c1` of step 1 of turn 1; the reset starts attempt 2. */
const examples = {
  start: {
    type: 'start',
    trace_id: 'trace',
    request_id: 'request',
    run_id: 'run',
    session_id: 'session',
    provider: 'openai',
    model: 'test-model',
    durability: 'memory',
    capabilities: ['tools'],
  },
  'turn.start': { type: 'turn.start', turn: 1, kind: 'prompt', message: { role: 'user', content: 'Hi' } },
  'turn.end': { type: 'turn.end', turn: 1, reason: 'stop' },
  'step.start': { type: 'step.start', step: 1, attempt: 1 },
  'step.end': { type: 'step.end', step: 1, finish_reason: 'stop', usage },
  'step.reset': { type: 'step.reset', step: 1, attempt: 2, reason: 'network' },
  'text.delta': { type: 'text.delta', step: 1, text: 'Hello' },
  'reasoning.delta': { type: 'reasoning.delta', step: 1, text: 'Hm' },
  'tool.call.delta': { type: 'tool.call.delta', step: 1, call_id: 'c1', name: 'clock', json: '{' },
  'tool.call': { type: 'tool.call', step: 1, call_id: 'c1', tool_call: { name: 'clock', input: {} } },
  'tool.progress': { type: 'tool.progress', step: 1, call_id: 'c1', text: 'half' },
  'tool.result': {
    type: 'tool.result',
    step: 1,
    call_id: 'c1',
    name: 'clock',
    tool_result: 'noon',
    is_error: false,
    duration_ms: 5,
  },
  citations: { type: 'citations', step: 1, citations: [{ uri: 'https://example.org/' }] },
  safety: { type: 'safety', step: 1, safety: { category: 'violence', action: 'warn', score: 0.5 } },
  'audio.delta': { type: 'audio.delta', step: 1, audio: { chunk: 'AAAA', format: 'audio/pcm' } },
  'provider.fields': { type: 'provider.fields', step: 1, fields: { system_fingerprint: 'fp_1' } },
  status: { type: 'status', code: 'waiting', message: 'in line' },
  warning: { type: 'warning', code: 'provider_retry', message: 'again' },
  finish: { type: 'finish', usage, finish_reason: 'stop' },
  error: { type: 'error', error: { code: 'network', reason: 'reset', message: 'gone', temporary: true } },
} as const satisfies { readonly [T in EventType]: EventOf<T> }

export const types = Object.keys(examples) as EventType[]

/** The example of a type, with some of its fields changed. */
export function event<T extends EventType>(type: T, changes: Partial<EventOf<T>> = {}): EventOf<T> {
  const example: RunEvent = examples[type]
  return { ...example, ...changes } as EventOf<T>
}

/** Events as the entries of a log: seq from 1, one millisecond apart, epoch 1 on the first. */
export function entriesOf(events: readonly RunEvent[]): Entry[] {
  return events.map((one, i) => {
    const place = { seq: i + 1, ts: 1_700_000_000_000 + i }
    return i === 0 ? { ...place, epoch: 1, event: one } : { ...place, event: one }
  })
}
