/** The figures and drawings of a run, one below the other. */
import { gapChart, rateChart } from './chart.ts'
import { h } from './dom.ts'
import { figures, type Timing } from './timing.ts'
import { count, duration, rate } from './words.ts'

export function chartsOf(timing: Timing): HTMLElement[] {
  const { firstToken, perSecond, counted, deltas, gaps, length } = figures(timing)
  const { usage, attempts } = timing
  const rows: [name: string, value: string | undefined][] = [
    ['Time to first token', firstToken === undefined ? undefined : duration(firstToken)],
    [
      counted === 'tokens' ? 'Tokens per second' : 'Deltas per second',
      perSecond === undefined ? undefined : rate(perSecond),
    ],
    ['Median gap', gaps && duration(gaps.median)],
    ['Gap, 99 in 100', gaps && duration(gaps.p99)],
    ['Longest gap', gaps && duration(gaps.longest)],
    ['Whole time', duration(length)],
    ['Deltas', count(deltas)],
    ['Model calls', String(attempts)],
    ['Tokens in', usage && count(usage.input_tokens)],
    ['Tokens out', usage && `${count(usage.output_tokens)}${usage.accuracy === 'estimated' ? ' (estimated)' : ''}`],
  ]
  const known = rows.filter((row): row is [string, string] => row[1] !== undefined)
  return [
    h('dl', { class: 'sheet' }, ...known.map(([name, value]) => h('div', {}, h('dt', {}, name), h('dd', {}, value)))),
    gapChart(timing),
    rateChart(timing),
    h(
      'p',
      { class: 'legend' },
      h('span', { class: 'key', 'data-kind': 'text' }, 'text'),
      h('span', { class: 'key', 'data-kind': 'reasoning' }, 'reasoning'),
      h('span', { class: 'key', 'data-kind': 'tool' }, 'tools'),
    ),
  ]
}
