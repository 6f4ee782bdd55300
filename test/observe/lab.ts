import type { RunEvent, StartEvent } from '../../src/core/event.ts'
import type { Appended } from '../../src/engine/runtime.ts'

const startEvent: StartEvent = {
  type: 'start',
  trace_id: '0af7651916cd43dd8448eb211c80319c',
  request_id: 'req_1',
  run_id: 'run_1',
  session_id: 'ses_1',
  provider: 'lab',
  model: 'small',
  durability: 'sync',
  capabilities: [],
}

/** What a run is created with. */
export const opening: readonly RunEvent[] = [
  { type: 'turn.start', turn: 1, kind: 'prompt', message: { role: 'user', content: 'a secret prompt' } },
  { type: 'step.start', step: 1, attempt: 1 },
]

export const text = (...pieces: string[]): RunEvent[] =>
  pieces.map((piece) => ({ type: 'text.delta', step: 1, text: piece }))

export const call = (call_id: string, name: string): RunEvent => ({
  type: 'tool.call',
  step: 1,
  call_id,
  tool_call: { name, input: { path: 'a secret argument' } },
})

export const result = (call_id: string, name: string, duration_ms: number, is_error = false): RunEvent => ({
  type: 'tool.result',
  step: 1,
  call_id,
  name,
  tool_result: 'a secret result',
  is_error,
  duration_ms,
})

export const usage = (input_tokens: number, output_tokens: number, accuracy: 'exact' | 'estimated' = 'exact') => ({
  input_tokens,
  output_tokens,
  total_tokens: input_tokens + output_tokens,
  accuracy,
})

/** A run that a test writes itself, at times that it sets. */
export interface Tale {
  /** Milliseconds since the beginning; later appends happen then. */
  at(ms: number): Tale
  wrote(...events: readonly RunEvent[]): Tale
}

export interface Stage {
  readonly now: () => number
  run(start?: Partial<StartEvent>, asked?: Partial<Appended>): Tale
}

/** Hands what runs write to whoever observes them, at a time that only a test moves. */
export function stage(observe: () => (appended: Appended) => void): Stage {
  let ms = 0
  return {
    now: () => ms,
    run(given = {}, asked = {}) {
      const start = { ...startEvent, ...given }
      const tell = (events: readonly RunEvent[], appendMs: number) => observe()({ start, events, appendMs, ...asked })
      tell([start, ...opening], 0)
      const tale: Tale = {
        at(time) {
          ms = time
          return tale
        },
        wrote(...events) {
          tell(events, 2)
          return tale
        },
      }
      return tale
    },
  }
}
