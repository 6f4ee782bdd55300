import type { JsonObject } from '../core/json.ts'
import type { Ask, Script, ScriptFinish, ScriptUsage } from './script.ts'
import { pieces, tokens } from './tokens.ts'

/** How fast an answer is given. */
export interface Pace {
  /** Time of one token. 0: as fast as the socket takes them. */
  readonly tokenMs: number
  /** Whether pauses of a script, and the times of a recording that has its own, are kept. */
  readonly pauses: boolean
  readonly recorded: boolean
}

/** One thing that is said, and when, in milliseconds after the start of the answer. */
export type Beat =
  | { readonly type: 'text' | 'reasoning' | 'refusal'; readonly text: string; readonly at: number }
  | {
      readonly type: 'tool_call'
      /** 0, 1, 2 … among the calls of the answer. */
      readonly index: number
      readonly id: string
      readonly name: string
      readonly input: JsonObject
      /** The arguments as JSON, in pieces, for APIs that stream them; each is a token. */
      readonly fragments: readonly string[]
      /** False if the token limit cut the arguments short. */
      readonly complete: boolean
      readonly at: number
    }

/** A script as one request hears it. */
export interface Performance {
  readonly beats: readonly Beat[]
  readonly finish: ScriptFinish
  readonly usage: ScriptUsage
  readonly tokenMs: number
  readonly endsAt: number
}

/** Tokens that a message costs besides its text. */
const MESSAGE_TOKENS = 3
const FRAGMENT_CHARACTERS = 6

/** Times a script: token k is due k token-times after the start, pauses added, so that lateness never adds up. */
export function perform(script: Script, ask: Ask, pace: Pace): Performance {
  const left = { tokens: ask.maxTokens ?? Number.POSITIVE_INFINITY }
  const beats: Beat[] = []
  let spoken = 0
  let reasoned = 0
  let paused = 0
  let calls = 0
  let finish: ScriptFinish | undefined
  const earlierCalls = ask.messages.filter(({ role }) => role === 'tool').length

  const take = <T>(list: readonly T[]): readonly T[] => {
    const taken = list.length <= left.tokens ? list : list.slice(0, left.tokens)
    left.tokens -= taken.length
    if (taken.length < list.length) finish = 'length'
    return taken
  }
  const due = () => paused + spoken * pace.tokenMs
  const say = (type: 'text' | 'reasoning' | 'refusal', text: string | readonly string[]) => {
    for (const token of take(typeof text === 'string' ? tokens(text) : text)) {
      spoken++
      if (type === 'reasoning') reasoned++
      beats.push({ type, text: token, at: due() })
    }
  }

  for (const step of script.steps) {
    if (finish) break
    if ('text' in step) say('text', step.text)
    else if ('refusal' in step) say('refusal', step.refusal)
    else if ('reasoning' in step) {
      if (ask.think) say('reasoning', step.reasoning)
    } else if ('pause_ms' in step) {
      if (pace.pauses) paused += step.pause_ms
    } else if ('finish' in step) finish = step.finish
    else if ('tool_call' in step) {
      const { name, input, id } = step.tool_call
      const whole = pieces(JSON.stringify(input), FRAGMENT_CHARACTERS)
      const fragments = take(whole)
      const index = calls++
      const at = due() + pace.tokenMs
      spoken += fragments.length
      beats.push({
        type: 'tool_call',
        index,
        id: id ?? `call_${earlierCalls + index + 1}`,
        name,
        input,
        fragments,
        complete: fragments.length === whole.length,
        at,
      })
    }
  }
  return {
    beats,
    finish: finish ?? (calls > 0 ? 'tool_calls' : 'stop'),
    usage: script.steps.find((step) => 'usage' in step)?.usage ?? {
      input_tokens: inputTokens(ask),
      output_tokens: spoken,
      reasoning_tokens: reasoned,
    },
    tokenMs: pace.tokenMs,
    endsAt: due(),
  }
}

function inputTokens(ask: Ask): number {
  return ask.messages.reduce((sum, { text }) => sum + tokens(text).length + MESSAGE_TOKENS, 0)
}

/** The visible text of an answer, joined. */
export function said(performance: Performance, type: 'text' | 'reasoning' | 'refusal'): string {
  return performance.beats.reduce((all, beat) => (beat.type === type ? all + beat.text : all), '')
}
