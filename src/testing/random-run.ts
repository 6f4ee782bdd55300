/**
 * Legal runs made by chance, for properties: "whatever a run holds, …". A seed makes a run repeatable; this file
 * needs no property-testing library, and any of them can hand it seeds.
 */
import type {
  Entry,
  FinishReason,
  RunEvent,
  StartEvent,
  StepEvent,
  StopReason,
  TurnKind,
  Usage,
} from '../core/event.ts'
import type { JsonValue } from '../core/json.ts'

/** Gives numbers from 0 up to, but not including, 1. `Math.random` is one. */
export type RandomSource = () => number

/** How large a random run may grow, and whether it has ended. */
export interface RandomRunOptions {
  /** Most turns. Default 3. The run has at least one, unless it breaks off before. */
  readonly turns?: number
  /** Most steps of a turn. Default 3. */
  readonly steps?: number
  /** Most rows of content in a step. Default 6. */
  readonly rows?: number
  /** Whether the run has ended. Default true. Otherwise it is cut behind any of its events but the terminal one. */
  readonly ended?: boolean
}

/** A source that gives the same numbers for the same seed (mulberry32, 32 bits of state: for tests only). */
export function seededRandom(seed: number): RandomSource {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let x = Math.imul(state ^ (state >>> 15), 1 | state)
    x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x
    return ((x ^ (x >>> 14)) >>> 0) / 4_294_967_296
  }
}

/**
 * The events of one legal run: turns, steps, parallel tools, resets, awkward text and names, and any ending,
 * including one that breaks a step off. `start.run_id` is made from the source.
 */
export function randomEvents(random: RandomSource, options: RandomRunOptions = {}): RunEvent[] {
  const { turns = 3, steps = 3, rows = 6, ended = true } = options
  const pick = picker(random)
  const events: RunEvent[] = [startEvent(pick)]
  let step = 0
  let reason: FinishReason = 'stop'
  const count = pick.upTo(turns)
  for (let turn = 1; turn <= count; turn++) {
    notices(pick, events)
    events.push(turnStart(pick, turn))
    const last = step + pick.upTo(steps)
    while (step < last) {
      step++
      // Nothing follows calls that wait for the caller.
      const place = step < last ? 'middle' : turn < count ? 'end of turn' : 'end of run'
      reason = oneStep(pick, events, { step, rows, place })
    }
    const steered = turn < count && reason === 'tool_calls'
    events.push({ type: 'turn.end', turn, reason: steered ? 'steered' : reason })
  }
  notices(pick, events)
  events.push({ type: 'finish', usage: usageOf(pick), finish_reason: reason })
  if (!ended) return events.slice(0, 1 + Math.floor(random() * (events.length - 1)))
  return pick.chance(0.4) ? brokenOff(pick, events) : events
}

/**
 * The same as entries: seq 1, 2, 3 …, times that never go back, epoch 1 on the first; an `owner_lost` ending is
 * written by epoch 2.
 */
export function randomRun(random: RandomSource, options: RandomRunOptions = {}): Entry[] {
  let ts = 1_700_000_000_000
  return randomEvents(random, options).map((event, i) => {
    const seq = i + 1
    ts += Math.floor(random() * 50)
    if (i === 0) return { seq, ts, epoch: 1, event }
    if (event.type === 'error' && event.error.reason === 'owner_lost') return { seq, ts, epoch: 2, event }
    return { seq, ts, event }
  })
}

type Picker = ReturnType<typeof picker>

function picker(random: RandomSource) {
  return {
    chance: (probability: number) => random() < probability,
    /** 1 to `most`. */
    upTo: (most: number) => 1 + Math.floor(random() * most),
    of: <T>(choices: readonly T[]): T => choices[Math.floor(random() * choices.length)]!,
    id: (prefix: string) => prefix + Math.floor(random() * 0x1_0000_0000).toString(36),
  }
}

/** Whole code points only, as the contract says; everything else that has broken a framer, a terminal or an object key. */
const texts: readonly string[] = [
  'Hello',
  ' ',
  '\n',
  '\r\n',
  '\r',
  '\t',
  'data: x\n\nevent: done\n\n',
  'ünïcödé',
  '漢字かな',
  '👩‍👩‍👧‍👦',
  '\u2028\u2029\u0085',
  '\0',
  '\u001b]8;;http://example.org\u0007',
  '\uFEFF',
  '"\\"',
  '</script><!--',
  '{"type":"finish"}',
  '[DONE]',
  '<|end|>',
  '__proto__',
]

const names: readonly string[] = ['current_time', 'read_file', '__proto__', 'constructor', 'toString', 'a-b_c']

/** Parsed, so that `__proto__` is a key of its own and not the prototype. */
const inputs: readonly string[] = [
  '{}',
  '{"path":"a/b"}',
  '{"__proto__":{"polluted":true}}',
  '{"constructor":{"prototype":null},"n":-0.5e-3}',
  '{"deep":[[[{"x":[null,true,"\\u2028"]}]]]}',
]

const outcomes: readonly JsonValue[] = ['done', '', ' ', 0, null, false, [], ['a', 1], { ok: true, text: 'ä\u0000' }]

function startEvent(pick: Picker): StartEvent {
  const run_id = pick.id('run_')
  return {
    type: 'start',
    trace_id: pick.id('trace_'),
    request_id: pick.id('req_'),
    run_id,
    session_id: pick.id('ses_'),
    provider: pick.of(['openai', 'ollama', 'sim']),
    model: pick.of(['test-model', 'vendor/name:tag', 'ünï "quoted"']),
    durability: pick.of(['sync', 'os', 'memory']),
    capabilities: pick.of([[], ['tools'], ['tools', 'reasoning', 'usage']]),
  }
}

function notices(pick: Picker, events: RunEvent[]): void {
  if (pick.chance(0.2)) {
    events.push({ type: pick.of(['status', 'warning']), code: 'provider_retry', message: pick.of(texts) })
  }
}

function turnStart(pick: Picker, turn: number): RunEvent {
  if (turn === 1 && pick.chance(0.2)) {
    const call = { call_id: pick.id('call_'), name: pick.of(names) }
    const message = { role: 'tool', ...call, content: pick.of(outcomes), is_error: pick.chance(0.2) } as const
    return { type: 'turn.start', turn, kind: 'tool_result', message }
  }
  const kind: TurnKind = turn === 1 ? 'prompt' : pick.of(['steer', 'follow_up'])
  return { type: 'turn.start', turn, kind, message: { role: 'user', content: pick.of(texts) } }
}

type StepReason = Exclude<StopReason, 'unknown'>

interface StepPlace {
  readonly step: number
  readonly rows: number
  readonly place: 'middle' | 'end of turn' | 'end of run'
}

/** Appends one step and gives the reason its turn would have if it ended there. */
function oneStep(pick: Picker, events: RunEvent[], { step, rows, place }: StepPlace): StepReason {
  let attempt = pick.upTo(2)
  events.push({ type: 'step.start', step, attempt })
  let calls = content(pick, events, step, rows)
  while (pick.chance(0.2)) {
    attempt += pick.upTo(2)
    events.push({ type: 'step.reset', step, attempt, reason: 'network' })
    calls = content(pick, events, step, rows)
  }
  // The caller runs its own tools: the calls of the last step may stay open.
  const finish_reason: StepReason =
    place === 'middle' ? 'tool_calls' : pick.of(['stop', 'length', 'content_filter', 'tool_calls'])
  if (finish_reason !== 'tool_calls' || place !== 'end of run' || pick.chance(0.3)) results(pick, events, step, calls)
  const usage = pick.chance(0.8) ? { usage: usageOf(pick) } : {}
  events.push({ type: 'step.end', step, finish_reason, ...usage })
  return finish_reason
}

interface Call {
  readonly call_id: string
  readonly name: string
}

/** Rows of content; gives the calls that wait for a result. */
function content(pick: Picker, events: RunEvent[], step: number, rows: number): Call[] {
  const calls: Call[] = []
  let made = 0
  for (let row = pick.upTo(rows + 1) - 1; row > 0; row--) {
    notices(pick, events)
    const kind = pick.of(['text', 'text', 'text', 'reasoning', 'call', 'other'] as const)
    if (kind === 'text' || kind === 'reasoning') {
      for (let n = pick.upTo(8); n > 0; n--) events.push({ type: `${kind}.delta`, step, text: pick.of(texts) })
    } else if (kind === 'call') {
      const call: Call = { call_id: `${pick.of(['call_', '__proto__'])}${++made}`, name: pick.of(names) }
      const json = pick.of(inputs)
      for (const part of [json.slice(0, 3), json.slice(3)]) {
        if (part) events.push({ type: 'tool.call.delta', step, ...call, json: part })
      }
      events.push({
        type: 'tool.call',
        step,
        call_id: call.call_id,
        tool_call: { name: call.name, input: JSON.parse(json) },
      })
      calls.push(call)
    } else {
      events.push(otherContent(pick, step))
    }
    if (pick.chance(0.3)) results(pick, events, step, calls.splice(0, pick.upTo(2)))
  }
  return calls
}

function otherContent(pick: Picker, step: number): StepEvent {
  return pick.of<() => StepEvent>([
    () => ({
      type: 'citations',
      step,
      citations: [{ uri: 'https://example.org/', title: pick.of(texts), start: 0, end: 1 }],
    }),
    () => ({ type: 'safety', step, safety: { category: 'violence', action: 'warn', score: 0.25 } }),
    () => ({ type: 'audio.delta', step, audio: { chunk: 'AAAA', format: 'audio/pcm' } }),
    () => ({ type: 'provider.fields', step, fields: { system_fingerprint: pick.of(texts) } }),
  ])()
}

/** Progress of all calls mixed, as tools that run at once give it; then their results in call order. */
function results(pick: Picker, events: RunEvent[], step: number, calls: readonly Call[]): void {
  for (let n = calls.length > 0 ? pick.upTo(4) - 1 : 0; n > 0; n--) {
    events.push({ type: 'tool.progress', step, call_id: pick.of(calls).call_id, text: pick.of(texts) })
  }
  for (const { call_id, name } of calls) {
    const is_error = pick.chance(0.2)
    events.push({
      type: 'tool.result',
      step,
      call_id,
      name,
      tool_result: pick.of(outcomes),
      is_error,
      duration_ms: pick.upTo(900),
    })
  }
}

function usageOf(pick: Picker): Usage {
  const input_tokens = pick.upTo(1_000)
  const output_tokens = pick.upTo(1_000)
  return {
    input_tokens,
    output_tokens,
    total_tokens: input_tokens + output_tokens,
    ...(pick.chance(0.3) ? { reasoning_tokens: 1, cached_tokens: 1 } : {}),
    accuracy: pick.of(['exact', 'estimated']),
  }
}

/** The run up to any place behind `start`, ended there by a cancel, an error, or the death of its owner. */
function brokenOff(pick: Picker, events: readonly RunEvent[]): RunEvent[] {
  const head = events.slice(0, pick.upTo(events.length - 1))
  const cause = pick.of(['cancelled', 'network', 'owner_lost'] as const)
  if (cause === 'cancelled') return [...head, { type: 'finish', usage: usageOf(pick), finish_reason: cause }]
  const error =
    cause === 'network'
      ? ({ code: 'network', reason: 'stream_eof_before_done', temporary: true, retry_after_ms: 5_000 } as const)
      : ({ code: 'internal', reason: 'owner_lost', temporary: true } as const)
  const body = { ...error, message: pick.of(texts) }
  return [...head, { type: 'error', error: body, ...(pick.chance(0.5) ? { usage: usageOf(pick) } : {}) }]
}
