/** Ollama's `/api/chat`, from bytes to events: a state machine that knows nothing of HTTP. */
import type { StopReason, Usage } from '../../core/event.ts'
import type { JsonObject } from '../../core/json.ts'
import type { ProviderEvent } from '../../core/provider.ts'
import { pipe, type Decoder } from '../../wire/decode.ts'
import { boundedJson, isRecord, parseJsonObject, type JsonRecord } from '../../wire/json.ts'
import { ndjsonDecoder } from '../../wire/ndjson.ts'
import { ollamaError } from './errors.ts'
import { badCall, checkedName } from '../shared/bad-call.ts'
import type { CallIds } from '../shared/call-ids.ts'
import { countOf, sumOf } from '../shared/count.ts'
import { blaming, MAX_FRAME } from '../shared/events.ts'
import type { Peer } from '../shared/peer.ts'
import { cutOff } from '../shared/refusal.ts'
import { wholeText } from '../shared/whole-text.ts'

export interface OllamaAnswerOptions {
  readonly peer: Peer
  /** The model that was asked for. */
  readonly model: string
  readonly ids: CallIds
  /** What is to be told of the request, once it is accepted. Default nothing. */
  readonly warnings?: readonly ProviderEvent[]
}

/** `load` and `unload` answer a request without messages, which has no other end. Old servers give no reason at all. */
const stopReasons: ReadonlyMap<unknown, StopReason> = new Map([
  ['stop', 'stop'],
  ['length', 'length'],
  ['load', 'stop'],
  ['unload', 'stop'],
  [undefined, 'stop'],
])

type ToolCallEvent = Extract<ProviderEvent, { type: 'tool_call' }>

/** The events of an answer, from its bytes. The end mark is `done:true`; an end of the bytes without it is an error. */
export function ollamaStream(options: OllamaAnswerOptions): Decoder<ProviderEvent> {
  return blaming(options.peer, pipe(ndjsonDecoder({ maxBytes: MAX_FRAME }), ollamaLines(options)))
}

function ollamaLines({ peer, model, ids, warnings = [] }: OllamaAnswerOptions): Decoder<ProviderEvent, JsonRecord> {
  const text = wholeText()
  const thinking = wholeText()
  /** Held until `done`: what a broken stream asked for is never run. */
  const calls: { readonly index: number; readonly event: ToolCallEvent }[] = []
  let started = false
  let ended = false

  function addCall(call: unknown, out: ProviderEvent[]): void {
    const body = isRecord(call) ? call['function'] : undefined
    if (!isRecord(call) || !isRecord(body)) return
    const { index } = body
    const name = checkedName(peer, body['name'])
    const input = inputOf(peer, body['arguments'])
    const call_id = ids.take(typeof call['id'] === 'string' ? call['id'] : '')
    out.push({ type: 'tool_call_delta', call_id, name, json: JSON.stringify(input) })
    const place = typeof index === 'number' ? index : (calls.at(-1)?.index ?? 0)
    calls.push({ index: place, event: { type: 'tool_call', call_id, name, input } })
  }

  function addMessage(message: JsonRecord, out: ProviderEvent[]): void {
    const { thinking: thought, content, tool_calls } = message
    if (typeof thought === 'string' && thought !== '') {
      const shown = thinking.push(thought)
      if (shown !== '') out.push({ type: 'reasoning', text: shown })
    }
    if (typeof content === 'string' && content !== '') {
      const shown = text.push(content)
      if (shown !== '') out.push({ type: 'text', text: shown })
    }
    if (Array.isArray(tool_calls)) for (const call of tool_calls) addCall(call, out)
  }

  function finish(line: JsonRecord, out: ProviderEvent[]): void {
    const thoughtEnd = thinking.end()
    if (thoughtEnd !== '') out.push({ type: 'reasoning', text: thoughtEnd })
    const textEnd = text.end()
    if (textEnd !== '') out.push({ type: 'text', text: textEnd })
    let reason = stopReasons.get(line['done_reason']) ?? 'unknown'
    // Ollama calls it `stop` when the model waits for tools. After `length` no call is sure to be what was meant.
    if (calls.length > 0 && reason !== 'length') {
      reason = 'tool_calls'
      out.push(...calls.toSorted((a, b) => a.index - b.index).map(({ event }) => event))
    }
    const timing = timingOf(line)
    if (timing !== '') out.push({ type: 'status', code: 'model_timing', message: timing })
    const usage = usageOf(line)
    out.push({ type: 'done', reason, ...(usage ? { usage } : {}) })
    ended = true
  }

  return {
    get ended() {
      return ended
    },
    push(line, out) {
      const { error, message } = line
      if (error) {
        const words = typeof error === 'string' ? error : JSON.stringify(error)
        throw ollamaError(peer, { model, words, status: statusIn(line) })
      }
      if (!started) {
        started = true
        const named = line['model']
        out.push({ type: 'start', model: typeof named === 'string' && named !== '' ? named : model }, ...warnings)
      }
      if (isRecord(message)) addMessage(message, out)
      if (line['done'] === true) finish(line, out)
    },
    end() {
      throw cutOff(peer, 'done:true')
    },
  }
}

function inputOf(peer: Peer, value: unknown): JsonObject {
  if (value === undefined || value === null || value === '') return {}
  try {
    if (typeof value === 'string') return parseJsonObject(value, { maxBytes: MAX_FRAME })
    if (isRecord(value)) return boundedJson(value) as JsonObject
  } catch (error) {
    throw badCall(peer, 'bad_tool_arguments', 'tool arguments that are not a JSON object', error)
  }
  throw badCall(peer, 'bad_tool_arguments', 'tool arguments that are not a JSON object')
}

/** Counts are missing where the prompt was cached (old servers) or the model is remote. */
function usageOf(line: JsonRecord): Usage | undefined {
  const input = countOf(line['prompt_eval_count'])
  const output = countOf(line['eval_count'])
  if (input === undefined && output === undefined) return undefined
  const cached = countOf(line['prompt_eval_cached_count'])
  return {
    input_tokens: input ?? 0,
    output_tokens: output ?? 0,
    total_tokens: sumOf(input ?? 0, output ?? 0),
    ...(cached === undefined ? {} : { cached_tokens: cached }),
    accuracy: input === undefined || output === undefined ? 'estimated' : 'exact',
  }
}

/** `total_ms=34180 load_ms=41 prompt_ms=25 answer_ms=7902`, as far as the server tells; it counts nanoseconds. */
function timingOf(line: JsonRecord): string {
  const durations = {
    total_ms: line['total_duration'],
    load_ms: line['load_duration'],
    prompt_ms: line['prompt_eval_duration'],
    answer_ms: line['eval_duration'],
  }
  return Object.entries(durations)
    .flatMap(([name, ns]) => (typeof ns === 'number' ? [`${name}=${Math.round(ns / 1e6)}`] : []))
    .join(' ')
}

/** Newer servers put the status that would have been sent into the error line. */
function statusIn(line: JsonRecord): number | undefined {
  return [line['status_code'], line['status']].find(
    (value): value is number => typeof value === 'number' && value >= 400 && value < 600,
  )
}
