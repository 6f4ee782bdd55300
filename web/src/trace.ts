/** The shape of an answer over its time, like a recording of a voice: where it waited, thought, spoke and used tools. */
import { svg } from './dom.ts'
import { slices, type Timing } from './timing.ts'

const BARS = 72
const HEIGHT = 28
const STEP = 4

export interface Trace {
  readonly element: SVGElement
  /** Draws the run so far; `length` is how long it has lasted. Milliseconds. */
  draw(timing: Timing, length: number): void
}

export function trace(): Trace {
  const element = svg('svg', {
    class: 'trace',
    viewBox: `0 0 ${BARS * STEP} ${HEIGHT}`,
    preserveAspectRatio: 'none',
    'aria-hidden': 'true',
  })
  const paths = (['none', 'reasoning', 'tool', 'text'] as const).map((kind) => {
    const path = svg('path', { class: 'ray', 'data-kind': kind })
    element.append(path)
    return { kind, path }
  })
  return {
    element,
    draw(timing, length) {
      const all = slices(timing, BARS, Math.max(length, timing.length))
      const most = Math.max(1, ...all.map(({ chars }) => chars))
      for (const { kind, path } of paths) {
        const lines = all.flatMap((slice, i) => {
          if (slice.kind !== kind) return []
          // A root, so that a trickle still shows beside a burst.
          const height = kind === 'none' ? 0.5 : Math.max(1.5, (Math.sqrt(slice.chars / most) * (HEIGHT - 4)) / 2)
          return [`M${i * STEP + STEP / 2} ${HEIGHT / 2 - height}v${height * 2}`]
        })
        path.setAttribute('d', lines.join(''))
      }
    },
  }
}
