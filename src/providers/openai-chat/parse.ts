/** Chat Completions, from bytes to events. What a chunk means is in `answer.ts`. */
import type { ProviderEvent } from '../../core/provider.ts'
import { pipe, type Decoder } from '../../wire/decode.ts'
import { isCutJson, isRecord } from '../../wire/json.ts'
import { sseDecoder, type SseDecoder, type SseFrame } from '../../wire/sse.ts'
import { utf8Decoder } from '../../wire/utf8.ts'
import { chatAnswer, type ChatAnswer, type ChatAnswerOptions } from './answer.ts'
import { chatError, errorIn } from './errors.ts'
import { blaming, MAX_FRAME } from '../shared/events.ts'
import type { Peer } from '../shared/peer.ts'
import { answerTooLong, badFrame, cutOff } from '../shared/refusal.ts'

/** An answer that comes as an event stream. */
export function chatStream(options: ChatAnswerOptions): Decoder<ProviderEvent> {
  const frames = sseDecoder({ maxChars: MAX_FRAME, fieldsAsEvents: ['error'] })
  return blaming(options.peer, pipe(frames, chatFrames(frames, options)))
}

/** An answer that comes as one JSON body, from servers that do not stream. */
export function chatBody(options: ChatAnswerOptions): Decoder<ProviderEvent> {
  const { peer } = options
  const answer = chatAnswer(options)
  const utf8 = utf8Decoder()
  let text = ''
  return {
    get ended() {
      return answer.ended
    },
    push(chunk) {
      text += utf8.push(chunk)
      if (text.length <= MAX_FRAME) return
      throw answerTooLong(peer, `an answer longer than the ${MAX_FRAME} characters that are accepted`)
    },
    end(out) {
      text += utf8.end()
      addWhole(answer, { peer, text }, out)
    },
  }
}

/**
 * The end mark is `[DONE]`; without any `finish_reason` before it (Snowflake) it is an end for an unknown reason. For
 * servers that never send it, see `ChatDialect.endMark`. Every other end of the bytes is `stream_eof_before_done`.
 */
function chatFrames(tail: SseDecoder, options: ChatAnswerOptions): Decoder<ProviderEvent, SseFrame> {
  const { peer } = options
  const answer = chatAnswer(options)
  let number = 0

  return {
    get ended() {
      return answer.ended
    },
    push({ event, data }, out) {
      number++
      if (data === '') return
      if (isDone(data)) return answer.finish(out)
      let chunk: unknown
      try {
        chunk = JSON.parse(data)
      } catch (error) {
        if (event === 'error') throw chatError(peer, {}, { words: data })
        throw badFrame(peer, number, data, error)
      }
      // llama.cpp and Groq name the frame; what is in it may or may not be wrapped once more.
      const error = errorIn(chunk) ?? (event === 'error' && isRecord(chunk) ? chunk : undefined)
      if (error) throw chatError(peer, error, { words: data })
      if (!isRecord(chunk)) throw badFrame(peer, number, data)
      answer.add(chunk, out)
    },
    end(out) {
      // A proxy that drops the last, blank line leaves the mark itself unfinished.
      if (answer.complete || (tail.cut && isDone(tail.cut.data))) return answer.finish(out)
      const text = tail.prelude.trim()
      if (number === 0 && text.startsWith('{')) return addWhole(answer, { peer, text }, out)
      const known = answer.finished
        ? '[DONE] (if this server never sends it, set end_mark = "finish_reason" for it)'
        : '[DONE]'
      throw cutOff(peer, known)
    },
  }
}

const isDone = (data: string): boolean => data.charCodeAt(0) === 0x5b && data.trim() === '[DONE]'

/** A body that is the answer or an error; proxies send the latter also where an event stream was announced. */
function addWhole(
  answer: ChatAnswer,
  { peer, text }: { readonly peer: Peer; readonly text: string },
  out: ProviderEvent[],
): void {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (error) {
    throw isCutJson(text, error) ? cutOff(peer, 'its JSON was whole', error) : badFrame(peer, 1, text, error)
  }
  const error = errorIn(json)
  if (error) throw chatError(peer, error, { words: text })
  const choices = isRecord(json) ? json['choices'] : undefined
  if (!isRecord(json) || !Array.isArray(choices) || choices.length === 0) throw badFrame(peer, 1, text)
  answer.add({ ...json, choices: choices.map(asDelta) }, out)
  answer.finish(out)
}

/** A whole choice in the shape of a streamed one. Its calls are numbered by their place: none is a continuation. */
function asDelta(choice: unknown): unknown {
  if (!isRecord(choice) || !isRecord(choice['message'])) return choice
  const { message } = choice
  const calls = message['tool_calls']
  const numbered = Array.isArray(calls)
    ? calls.map((call: unknown, index) => (isRecord(call) ? { ...call, index } : call))
    : calls
  return { ...choice, delta: { ...message, tool_calls: numbered } }
}
