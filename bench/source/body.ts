/**
 * The answers that the source plays: OpenAI's Chat Completions stream, frame by frame as the hosted API sends it
 * (observed: api.openai.com, gpt-4.1-nano, 2026-02). Ids repeat in all frames of an answer; `obfuscation` differs in
 * each and pads it, so that frames of one shape do not have one length.
 */

import { MARK } from '../mark.ts'

/** What a model may say: short and long words, and what has to be escaped or takes several bytes. */
const words = [
  ' the', ' of', ' and', ' a', ' stream', ' to', ' in', ' is', ' that', ' for', ' it', ' as', ' was', ' with', ' be',
  ' by', ' on', ' not', ' he', ' ing', 's', ',', '.', ' answer', ' which', ' implementation', ' at', ' or', ' an',
  ' from', '\n\n', ' "', '"', ' naïve', ' 東京', ' 🚀', ' `code`', '\n- ', ' C:\\', ' understanding',
] // prettier-ignore

/** The text of token `index`, its mark at the end. */
export function tokenText(index: number): string {
  // A step that is prime to the number of words, so that neighbours differ and nothing repeats in a short cycle.
  return `${words[(index * 17 + Math.floor(index / words.length)) % words.length]!}${MARK}`
}

/** The whole text of an answer of that many tokens. */
export function answerText(tokens: number): string {
  let text = ''
  for (let i = 0; i < tokens; i++) text += tokenText(i)
  return text
}

/** Makes the frames of one answer, in order. */
export interface Frames {
  readonly opening: string
  /** The frame of one token. */
  token(text: string): string
  /** Finish, usage of that many tokens, end mark. */
  closing(tokens: number): string
}

export function frames(): Frames {
  const head =
    'data: {"id":"chatcmpl-D8Z5oo6uDh67AD85p73ksdT1KxhE0","object":"chat.completion.chunk","created":1770933892,' +
    '"model":"gpt-4.1-nano-2025-04-14","service_tier":"default","system_fingerprint":"fp_de604bd877",'
  let drawn = 0
  // The API pads with what is missing to a multiple; any length from 1 to 16 comes up.
  const padding = () => {
    const random = Math.imul(++drawn, 0x9e3779b1) >>> 0
    const letters = random.toString(36).padStart(7, 'q') + (Math.imul(random, 0x85ebca6b) >>> 0).toString(36)
    return letters.slice(0, 1 + (random >>> 28))
  }
  const choice = (delta: string, finish: string) =>
    `${head}"choices":[{"index":0,"delta":${delta},"logprobs":null,"finish_reason":${finish}}],"usage":null,` +
    `"obfuscation":"${padding()}"}\n\n`
  return {
    opening: choice('{"role":"assistant","content":"","refusal":null}', 'null'),
    token: (text) => choice(`{"content":${JSON.stringify(text)}}`, 'null'),
    closing: (tokens) =>
      `${choice('{}', '"stop"')}${head}"choices":[],"usage":{"prompt_tokens":12,"completion_tokens":${tokens},` +
      `"total_tokens":${tokens + 12},"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},` +
      '"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0,"accepted_prediction_tokens":0,' +
      `"rejected_prediction_tokens":0}},"obfuscation":"${padding()}"}\n\ndata: [DONE]\n\n`,
  }
}

/** All frames of an answer: one per token between the opening and the closing. */
export function answerFrames(tokens: number): string[] {
  const make = frames()
  const all = [make.opening]
  for (let i = 0; i < tokens; i++) all.push(make.token(tokenText(i)))
  all.push(make.closing(tokens))
  return all
}
