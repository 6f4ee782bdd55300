import type { Citation, StopReason } from '../../core/event.ts'
import type { ProviderEvent } from '../../core/provider.ts'
import { isRecord, type JsonRecord } from '../../wire/json.ts'
import { toolCalls } from './calls.ts'
import { fieldKeeper } from './fields.ts'
import { annotationsOf, citationsOf, filterFindings, promptFindings, type SafetyEvent } from './findings.ts'
import type { ChatDialect } from './request.ts'
import { chatUsage } from './usage.ts'
import type { CallIds } from '../shared/call-ids.ts'
import type { Peer } from '../shared/peer.ts'
import { refusalError } from '../shared/refusal.ts'
import { wholeText } from '../shared/whole-text.ts'

export interface ChatAnswerOptions {
  readonly peer: Peer
  /** The model that was asked for: what `start` says where the server names none. */
  readonly model: string
  readonly ids: CallIds
  /** What ends an answer. Default `done`. */
  readonly endMark?: ChatDialect['endMark']
  /** Tell the fields that have no event of their own, too. Default false. */
  readonly keepFields?: boolean | undefined
}

/** One answer, put together from its chunks. */
export interface ChatAnswer {
  /** True once `finish` has said `done`. */
  readonly ended: boolean
  /** A `finish_reason` and the usage have come, which is the last that a server says before its end mark. */
  readonly finished: boolean
  /** Whether the end of the bytes would be the end of the answer. */
  readonly complete: boolean
  /** One chunk, its members unchecked. Adds the events in it to `out`. */
  add(chunk: JsonRecord, out: ProviderEvent[]): void
  /** The provider has closed the answer: adds the tool calls and `done`, or throws. */
  finish(out: ProviderEvent[]): void
}

/** What servers call the end of an answer. Anything else is `unknown`. */
const stopReasons: ReadonlyMap<string, StopReason> = new Map([
  ['stop', 'stop'],
  ['eos', 'stop'],
  ['eos_token', 'stop'], // TGI
  ['stop_sequence', 'stop'],
  ['end_turn', 'stop'],
  ['length', 'length'],
  ['max_tokens', 'length'],
  ['model_length', 'length'], // Mistral
  ['tool_calls', 'tool_calls'],
  ['function_call', 'tool_calls'],
  ['tool_use', 'tool_calls'],
  ['content_filter', 'content_filter'],
])

/** What looks like an end and is a failure: Mistral and OpenRouter, DeepSeek, vLLM. */
const failures: ReadonlySet<string> = new Set(['error', 'insufficient_system_resource', 'abort'])

export function chatAnswer({ peer, model, ids, endMark, keepFields }: ChatAnswerOptions): ChatAnswer {
  const calls = toolCalls(peer, ids)
  const text = wholeText()
  const reasoning = wholeText()
  const found = new Set<string>()
  const fields = keepFields ? fieldKeeper() : undefined
  /** What Azure finds in the prompt, before it says which model answers. */
  let early: readonly SafetyEvent[] = []
  const earlyFields: ProviderEvent[] = []
  let started = false
  let cited = false
  let refused = false
  let finishReason = ''
  let usage: unknown
  let ended = false

  function start(named: unknown, out: ProviderEvent[]): void {
    if (started) return
    started = true
    out.push({ type: 'start', model: typeof named === 'string' && named !== '' ? named : model })
    addFindings(early, out)
    out.push(...earlyFields)
  }

  function addChoice(choice: JsonRecord, out: ProviderEvent[]): void {
    const { delta, finish_reason } = choice
    if (isRecord(delta)) addDelta(delta, out)
    if (typeof finish_reason === 'string' && finish_reason !== '') finishReason = finish_reason
    if (choice['content_filter_results']) addFindings(filterFindings(choice['content_filter_results']), out)
    if (choice['usage']) usage = choice['usage'] // Moonshot
  }

  function addDelta(delta: JsonRecord, out: ProviderEvent[]): void {
    const { content, tool_calls, refusal } = delta
    const thought = delta['reasoning_content'] || delta['reasoning']
    if (typeof thought === 'string' && thought !== '') addReasoning(thought, out)
    if (typeof content === 'string') {
      if (content !== '') addText(content, out)
    } else if (Array.isArray(content)) {
      for (const part of content) addPart(part, out)
    }
    if (Array.isArray(tool_calls)) for (const fragment of tool_calls) calls.add(fragment, out)
    if (isRecord(delta['function_call'])) calls.add({ index: 0, function: delta['function_call'] }, out)
    if (typeof refusal === 'string' && refusal !== '') addRefusal(refusal, out)
    if (delta['annotations']) addCitations(annotationsOf(delta['annotations']), out)
  }

  function addText(piece: string, out: ProviderEvent[]): void {
    const shown = text.push(piece)
    if (shown !== '') out.push({ type: 'text', text: shown })
  }

  function addReasoning(piece: string, out: ProviderEvent[]): void {
    const shown = reasoning.push(piece)
    if (shown !== '') out.push({ type: 'reasoning', text: shown })
  }

  /** Mistral: `[{"type":"thinking","thinking":[{"type":"text","text":"…"}]},{"type":"text","text":"…"}]`. */
  function addPart(part: unknown, out: ProviderEvent[]): void {
    if (!isRecord(part)) return
    const { type, text: piece, thinking } = part
    if (type === 'text' && typeof piece === 'string') addText(piece, out)
    if (type !== 'thinking') return
    for (const thought of Array.isArray(thinking) ? thinking : [{ text: thinking }]) {
      if (isRecord(thought) && typeof thought['text'] === 'string') addReasoning(thought['text'], out)
    }
  }

  /** A refusal is text that the user shall read; the answer then ends as `content_filter`, not as a plain stop. */
  function addRefusal(piece: string, out: ProviderEvent[]): void {
    if (!refused) out.push({ type: 'safety', category: 'refusal', action: 'block' })
    refused = true
    addText(piece, out)
  }

  function addFindings(findings: readonly SafetyEvent[], out: ProviderEvent[]): void {
    for (const finding of findings) {
      const key = `${finding.category} ${finding.action}`
      if (found.has(key)) continue
      found.add(key)
      out.push(finding)
    }
  }

  function stopReason(): StopReason {
    const reason = stopReasons.get(finishReason) ?? 'unknown'
    if (reason === 'length' || reason === 'content_filter') return reason
    if (refused) return 'content_filter'
    if (calls.any) return 'tool_calls'
    return reason === 'tool_calls' ? 'unknown' : reason
  }

  return {
    get ended() {
      return ended
    },
    get finished() {
      return finishReason !== '' && usage !== undefined
    },
    get complete() {
      return endMark === 'finish_reason' && this.finished
    },
    add(chunk, out) {
      const { choices, usage: counted } = chunk
      // Azure's first chunk has neither a choice nor a model.
      if (!started && (chunk['model'] || (Array.isArray(choices) && choices.length > 0))) start(chunk['model'], out)
      if (chunk['prompt_filter_results']) {
        const findings = promptFindings(chunk['prompt_filter_results'])
        if (started) addFindings(findings, out)
        else early = findings
      }
      if (!cited && (chunk['citations'] || chunk['search_results'])) {
        const citations = citationsOf(chunk)
        cited = citations.length > 0
        addCitations(citations, out)
      }
      if (Array.isArray(choices)) {
        // With n > 1 the choices take turns; one answer was asked for, and the first is it.
        for (const choice of choices) if (isRecord(choice) && (choice['index'] ?? 0) === 0) addChoice(choice, out)
      }
      if (counted) usage = counted
      const groq = chunk['x_groq']
      if (isRecord(groq) && groq['usage']) usage = groq['usage']
      const kept = fields?.take(chunk)
      if (kept) (started ? out : earlyFields).push({ type: 'fields', fields: kept })
    },
    finish(out) {
      if (ended) return
      if (failures.has(finishReason)) {
        const overloaded = finishReason === 'insufficient_system_resource'
        throw refusalError(peer, {
          code: overloaded ? 'overloaded' : 'provider_unavailable',
          reason: `finish_${finishReason}`,
          words: `finish_reason ${finishReason}`,
        })
      }
      start('', out)
      const thoughtEnd = reasoning.end()
      if (thoughtEnd !== '') out.push({ type: 'reasoning', text: thoughtEnd })
      const textEnd = text.end()
      if (textEnd !== '') out.push({ type: 'text', text: textEnd })
      const reason = stopReason()
      // After `length` the last call is cut, even where what there is of it happens to parse.
      if (reason === 'tool_calls') calls.close(out)
      const counted = chatUsage(usage)
      out.push({ type: 'done', reason, ...(counted ? { usage: counted } : {}) })
      ended = true
    },
  }
}

function addCitations(citations: readonly Citation[], out: ProviderEvent[]): void {
  if (citations.length > 0) out.push({ type: 'citations', citations })
}
