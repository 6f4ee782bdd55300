import { RunletError } from '../core/error.ts'
import { checkOptions } from '../core/options.ts'
import type { Provider, ProviderEvent } from '../core/provider.ts'
import { matcher, type Matcher } from './safety/matcher.ts'
import { badPattern, parsePattern, wordPattern, type Pattern } from './safety/pattern.ts'
import { compile } from './safety/program.ts'
import { withStream, type Wrapper } from './wrapper.ts'

/** What must not be in an answer, and what happens where it is. */
export interface SafetyRule {
  /** What it is called in `safety` events and errors, for example `email`. */
  readonly category: string
  /** Words or phrases, each as it stands, not inside other words. */
  readonly words?: readonly string[]
  /** A regular expression without references, looking around and ends; docs/wrappers.md has its syntax. */
  readonly pattern?: string
  /** Default false. */
  readonly caseSensitive?: boolean
  /** End the answer there, or put `replacement` in the place of what matches. */
  readonly action: 'stop' | 'redact'
  /** Default `[redacted]`. */
  readonly replacement?: string
}

export interface SafetyOptions {
  readonly rules: readonly SafetyRule[]
  /** Look at reasoning, too. Default false. */
  readonly reasoning?: boolean
  /** Longest match, and most text that is held back, in UTF-16 units: 1 to 65,536; of what is longer, an end may be found. Default 256. */
  readonly window?: number
}

/**
 * Stops an answer at text that a rule forbids, or redacts it, wherever the provider cuts the text. From where a match
 * may still begin, text is held back until that is decided; all else goes on at once. Each match is told as a `safety`
 * event, `redact` or `block`, in its place; a stop throws `content_filtered` with reason `safety_rule`.
 *
 * Text is looked at as a whole, whatever stands between its pieces; reasoning up to the next text. Arguments of tool
 * calls are not looked at. Throws `invalid_request` with reason `bad_pattern` for a rule that cannot
 * be used.
 */
export function safe(options: SafetyOptions): Wrapper {
  checkOptions('safe', options, { rules: true, reasoning: true, window: true })
  const { rules, reasoning = false, window = 256 } = options
  for (const rule of rules) checkOptions('a rule of safe', rule, knownOfRule)
  if (!Number.isInteger(window) || window < 1 || window > MAX_WINDOW) {
    throw badPattern(`the window is not a whole number from 1 to ${MAX_WINDOW}`)
  }
  const found: SafetyRule[] = []
  const patterns = rules.flatMap((rule) => {
    const own = patternsOf(rule, window)
    found.push(...own.map(() => rule))
    return own
  })
  const program = compile(patterns)
  const newMatcher = () => matcher(program, { maxLength: window })
  return (provider) =>
    withStream(provider, async function* (request, call) {
      const channels: Partial<Record<Channel, Matcher>> = {
        text: newMatcher(),
        ...(reasoning ? { reasoning: newMatcher() } : {}),
      }
      const filter = filterOf(channels, found, provider)
      try {
        for await (const events of provider.stream(request, call)) {
          const { out, stopped } = filter.take(events)
          if (out.length > 0) yield out
          if (stopped) throw stopped
        }
      } catch (error) {
        call.signal.throwIfAborted()
        const rest = filter.breakOff()
        if (rest.length > 0) yield rest
        throw error
      }
    })
}

const MAX_WINDOW = 65_536

const knownOfRule = {
  category: true,
  words: true,
  pattern: true,
  caseSensitive: true,
  action: true,
  replacement: true,
} as const

function patternsOf({ words = [], pattern, category, caseSensitive = false }: SafetyRule, window: number): Pattern[] {
  if (words.length === 0 && pattern === undefined) {
    throw badPattern(`the rule "${category}" has neither words nor a pattern`)
  }
  const long = words.find((word) => word.length > window)
  if (long !== undefined) throw badPattern(`"${long.slice(0, 40)}…" is longer than the window of ${window}`)
  return [
    ...words.map((word) => wordPattern(word, { caseSensitive })),
    ...(pattern === undefined ? [] : [parsePattern(pattern, { caseSensitive })]),
  ]
}

type Channel = 'text' | 'reasoning'

interface Filtered {
  readonly out: readonly ProviderEvent[]
  /** The answer ends with `out`. */
  readonly stopped?: RunletError
}

interface Filter {
  take(events: readonly ProviderEvent[]): Filtered
  /** The answer broke off: the text that was held back and is no match, unless nothing was shown and all may be asked again. */
  breakOff(): readonly ProviderEvent[]
}

function filterOf(
  channels: Partial<Record<Channel, Matcher>>,
  rules: readonly SafetyRule[],
  { api }: Provider,
): Filter {
  let shown = false
  let stopped: RunletError | undefined

  /** Spells what a channel's matcher found. True if the answer ends there. */
  function spell(type: Channel, pieces: ReturnType<Matcher['push']>, out: ProviderEvent[]): boolean {
    for (const piece of pieces) {
      if (piece.type === 'text') {
        out.push({ type, text: piece.text })
        continue
      }
      const { category, action, replacement = '[redacted]' } = rules[piece.pattern]!
      out.push({ type: 'safety', category, action: action === 'stop' ? 'block' : 'redact' })
      if (action === 'stop') {
        stopped = blocked(category, api)
        return true
      }
      if (replacement !== '') out.push({ type, text: replacement })
    }
    return false
  }

  function flush(out: ProviderEvent[]): boolean {
    return (['reasoning', 'text'] as const).some((type) => spell(type, channels[type]?.end() ?? [], out))
  }

  return {
    take(events) {
      const out: ProviderEvent[] = []
      for (const event of events) {
        const looking = event.type === 'text' || event.type === 'reasoning' ? channels[event.type] : undefined
        if (looking && (event.type === 'text' || event.type === 'reasoning')) {
          // Reasoning is over where text begins, and its last words belong before it.
          if (event.type === 'text' && spell('reasoning', channels.reasoning?.end() ?? [], out)) break
          const pieces = looking.push(event.text)
          const [only] = pieces
          if (pieces.length === 1 && only?.type === 'text' && only.text === event.text) out.push(event)
          else if (spell(event.type, pieces, out)) break
          continue
        }
        // What may still become a match stands at the end of the answer: nothing but that decides it.
        if (event.type === 'done' && flush(out)) break
        out.push(event)
      }
      shown ||= out.some(({ type }) => type === 'text' || type === 'reasoning' || type === 'safety')
      return stopped ? { out, stopped } : { out }
    },
    breakOff() {
      const out: ProviderEvent[] = []
      if (shown && !stopped) flush(out)
      return out
    },
  }
}

const blocked = (category: string, api: string) =>
  new RunletError('content_filtered', {
    reason: 'safety_rule',
    message: `the answer was stopped by the safety rule "${category}"`,
    provider: api,
  })
