/** Drawings of a run's times: the silence before each word, and how many came in each moment. */
import { h, svg } from './dom.ts'
import { gapsOf, slices, type Timing } from './timing.ts'
import { duration } from './words.ts'

const WIDTH = 640
const HEIGHT = 132
const LEFT = 46
const BOTTOM = 18
/** What came within this time came in one moment. Milliseconds. */
const MOMENT_MS = 50

/** Gaps over time, by their logarithm: 1 ms and 10 s both have something to say. `until` cuts the drawing off there. */
export function gapChart(timing: Timing): HTMLElement {
  const gaps = gapsOf(timing).filter(({ gap }) => gap > 0)
  const longest = Math.max(100, ...gaps.map(({ gap }) => gap))
  const decades = Math.ceil(Math.log10(longest))
  const y = (gap: number) => (HEIGHT - BOTTOM) * (1 - Math.log10(Math.max(1, gap)) / decades) + 4
  // One mark for each place: of those that would cover each other, the longest gap stands.
  const marks = new Map<number, (typeof gaps)[number]>()
  for (const gap of gaps) {
    const place = Math.round(x(gap.at, timing.length))
    if ((marks.get(place)?.gap ?? 0) < gap.gap) marks.set(place, gap)
  }
  const lines = (kind: string) =>
    [...marks].flatMap(([place, gap]) =>
      gap.kind === kind ? [`M${place} ${HEIGHT - BOTTOM + 4}V${y(gap.gap).toFixed(1)}`] : [],
    )
  const levels = Array.from({ length: decades + 1 }, (_, i) => 10 ** i).flatMap((level) => [
    svg('path', { class: 'rule', d: `M${LEFT} ${y(level)}H${WIDTH}` }),
    svg('text', { x: LEFT - 6, y: y(level) + 3, 'text-anchor': 'end' }, duration(level)),
  ])
  return figure('Silence before each word', summary(gaps, timing), [
    ...levels,
    svg('path', { class: 'ray', 'data-kind': 'reasoning', d: lines('reasoning').join('') }),
    svg('path', { class: 'ray', 'data-kind': 'text', d: lines('text').join('') }),
    ...times(timing),
  ])
}

/** Deltas per second in sixty slices of the run. */
export function rateChart(timing: Timing): HTMLElement {
  const amount = 60
  const all = slices(timing, amount)
  const perSecond = (deltas: number) => (deltas * 1_000 * amount) / Math.max(1, timing.length)
  const most = Math.max(1, ...all.map(({ deltas }) => perSecond(deltas)))
  const width = (WIDTH - LEFT) / amount
  const bars = (kind: string) =>
    all.flatMap((slice, i) => {
      if (slice.kind !== kind) return []
      const height = Math.max(1, (perSecond(slice.deltas) / most) * (HEIGHT - BOTTOM - 4))
      return [
        `M${(LEFT + i * width + 1).toFixed(1)} ${HEIGHT - BOTTOM + 4}v${(-height).toFixed(1)}h${(width - 2).toFixed(1)}v${height.toFixed(1)}z`,
      ]
    })
  const told = !atOnce(timing)
  return figure('Events per second', told ? `at most ${Math.round(most)} per second` : '', [
    svg('path', { class: 'rule', d: `M${LEFT} 8H${WIDTH}M${LEFT} ${HEIGHT - BOTTOM + 4}H${WIDTH}` }),
    ...(told ? [svg('text', { x: LEFT - 6, y: 11, 'text-anchor': 'end' }, `${Math.round(most)}/s`)] : []),
    svg('path', { class: 'area', 'data-kind': 'tool', d: bars('tool').join('') }),
    svg('path', { class: 'area', 'data-kind': 'reasoning', d: bars('reasoning').join('') }),
    svg('path', { class: 'area', 'data-kind': 'text', d: bars('text').join('') }),
    ...times(timing),
  ])
}

const x = (at: number, length: number) => LEFT + (at / Math.max(1, length)) * (WIDTH - LEFT - 2)

/** The scale below: the beginning, the middle, the end. */
const times = ({ length }: Timing): Node[] =>
  [0, length / 2, length].map((at, i) =>
    svg(
      'text',
      { x: x(at, length), y: HEIGHT, 'text-anchor': (['start', 'middle', 'end'] as const)[i] },
      i === 0 ? '0' : duration(at),
    ),
  )

function summary(gaps: readonly { readonly gap: number }[], { bursts, ended }: Timing): string {
  if (gaps.length > 0) return `longest ${duration(gaps.reduce((most, { gap }) => Math.max(most, gap), 0))}`
  if (!ended) return 'nothing yet'
  return bursts.some(({ kind }) => kind !== 'tool') ? 'all words came at once' : 'no words came'
}

/** Whether so little time passed from the first delta to the last that a rate per second says nothing. */
function atOnce({ bursts }: Timing): boolean {
  return (bursts.at(-1)?.at ?? 0) - (bursts[0]?.at ?? 0) < MOMENT_MS
}

function figure(name: string, text: string, content: readonly Node[]): HTMLElement {
  const drawing = svg(
    'svg',
    { viewBox: `0 0 ${WIDTH} ${HEIGHT + 4}`, role: 'img', 'aria-label': text === '' ? name : `${name}: ${text}` },
    ...content,
  )
  return h('figure', {}, h('figcaption', {}, name, h('span', {}, text)), drawing)
}
