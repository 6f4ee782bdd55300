/** When the events of a run came: what the inspector draws. Times are those of the log, by the clock of the server. */
import type { Entry, RunEvent, Usage } from '../../src/core/event.ts'

/** Events of one kind that were stored in the same millisecond. */
export interface Burst {
  /** Since the run began. Milliseconds. */
  readonly at: number
  readonly kind: 'text' | 'reasoning' | 'tool'
  /** Deltas, which are mostly tokens, and how many characters they hold. */
  deltas: number
  chars: number
}

export interface Timing {
  /** Unix time of the first event. Milliseconds. */
  began: number
  /** Of the last event so far, since `began`. */
  length: number
  bursts: Burst[]
  /** What the providers counted so far. */
  usage: Usage | undefined
  /** Output tokens of the steps that have ended. */
  tokens: number
  attempts: number
  ended: boolean
}

export const emptyTiming = (): Timing => ({
  began: 0,
  length: 0,
  bursts: [],
  usage: undefined,
  tokens: 0,
  attempts: 0,
  ended: false,
})

/** Takes some more entries in; it changes `timing`, for a run may have a million of them. */
export function addTimes(timing: Timing, entries: readonly Entry[]): void {
  for (const { ts, event } of entries) {
    if (timing.began === 0) timing.began = ts
    timing.length = Math.max(timing.length, ts - timing.began)
    const kind = kindOf(event)
    if (kind) addBurst(timing, kind, ts - timing.began, charsOf(event))
    if (event.type === 'step.start' || event.type === 'step.reset') timing.attempts++
    if (event.type === 'step.end') timing.tokens += event.usage?.output_tokens ?? 0
    if (event.type === 'finish' || event.type === 'error') {
      timing.ended = true
      timing.usage = event.usage
    }
  }
}

function addBurst({ bursts }: Timing, kind: Burst['kind'], at: number, chars: number): void {
  const last = bursts.at(-1)
  if (last?.at === at && last.kind === kind) {
    last.deltas++
    last.chars += chars
  } else {
    bursts.push({ at, kind, deltas: 1, chars })
  }
}

function kindOf(event: RunEvent): Burst['kind'] | undefined {
  switch (event.type) {
    case 'text.delta':
      return 'text'
    case 'reasoning.delta':
      return 'reasoning'
    case 'tool.call.delta':
    case 'tool.call':
    case 'tool.progress':
    case 'tool.result':
      return 'tool'
    default:
      return undefined
  }
}

const charsOf = (event: RunEvent): number =>
  'text' in event ? event.text.length : 'json' in event ? event.json.length : 0

/** The figures of a run. Undefined where there is nothing to tell yet. */
export interface Figures {
  /** From the first event of the run to the first word, of reasoning or of text. Milliseconds. */
  readonly firstToken: number | undefined
  /** From the first word to the last; by the provider's count where it told, else by deltas. */
  readonly perSecond: number | undefined
  readonly counted: 'tokens' | 'deltas'
  readonly deltas: number
  readonly gaps: Gaps | undefined
  readonly length: number
}

interface Gaps {
  readonly median: number
  readonly p99: number
  readonly longest: number
}

export function figures(timing: Timing): Figures {
  const words = timing.bursts.filter(({ kind }) => kind !== 'tool')
  const first = words[0]
  const last = words.at(-1)
  const deltas = words.reduce((sum, burst) => sum + burst.deltas, 0)
  const spread = first && last ? last.at - first.at : 0
  const exact = timing.ended && timing.tokens > 0
  const amount = exact ? timing.tokens : deltas
  return {
    firstToken: first?.at,
    perSecond: spread > 0 && amount > 1 ? ((amount - 1) * 1_000) / spread : undefined,
    counted: exact ? 'tokens' : 'deltas',
    deltas,
    gaps: gapFigures(gapsOf(timing).map(({ gap }) => gap)),
    length: timing.length,
  }
}

/** The silence before each burst of words but the first, and when it ended. Tools count: while one works, the model waits. */
export function gapsOf({
  bursts,
}: Timing): { readonly at: number; readonly gap: number; readonly kind: Burst['kind'] }[] {
  return bursts.slice(1).flatMap(({ at, kind }, i) => (kind === 'tool' ? [] : [{ at, kind, gap: at - bursts[i]!.at }]))
}

function gapFigures(gaps: readonly number[]): Gaps | undefined {
  if (gaps.length === 0) return undefined
  const sorted = gaps.toSorted((a, b) => a - b)
  const at = (part: number) => sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))]!
  return { median: at(0.5), p99: at(0.99), longest: sorted.at(-1)! }
}

/** Characters per slice of time, from the beginning to `length`: the shape of an answer. */
export function slices(timing: Timing, amount: number, length = timing.length): Slice[] {
  const all: Slice[] = Array.from({ length: amount }, () => ({ chars: 0, deltas: 0, kind: 'none' }))
  for (const { at, kind, chars, deltas } of timing.bursts) {
    const slice = all[Math.min(amount - 1, Math.floor((at / Math.max(1, length)) * amount))]!
    slice.chars += chars
    slice.deltas += deltas
    if (slice.kind !== 'text') slice.kind = kind
  }
  return all
}

export interface Slice {
  chars: number
  deltas: number
  /** What most matters of what came in it. */
  kind: Burst['kind'] | 'none'
}
