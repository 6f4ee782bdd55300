/** A finished run once more, at its own pace or faster: the same events through the same drawing. */
import { Batch } from '../../src/core/batch.ts'
import type { Entry } from '../../src/core/event.ts'
import { h, icon } from './dom.ts'
import { runArticle, type RunArticle } from './run-article.ts'
import { duration } from './words.ts'

export interface Replay {
  readonly element: HTMLElement
  /** Puts the run itself back. */
  close(): void
}

const SPEEDS = [1, 2, 4, 16] as const
/** Between two steps of a replay. Milliseconds. */
const TICK_MS = 40

export function replay(original: RunArticle): Replay {
  const { entries, header } = original
  const began = entries[0]?.ts ?? 0
  const length = original.timing.length
  let shown: RunArticle | undefined
  let given = 0
  let position = 0
  let speed: number = 1
  let timer: ReturnType<typeof setInterval> | undefined
  let ticked = 0

  const play = h('button', { type: 'button', class: 'quiet', onclick: toggle })
  const time = h('output', {})
  const slider = h('input', {
    type: 'range',
    min: 0,
    max: Math.max(1, length),
    step: 1,
    value: 0,
    'aria-label': 'Place in the run',
    oninput: () => {
      pause()
      go(Number(slider.value))
    },
  })
  const speeds = h(
    'select',
    { 'aria-label': 'Speed', onchange: () => void (speed = Number(speeds.value)) },
    ...SPEEDS.map((one) => h('option', { value: one }, `${one}×`)),
  )
  const element = h('div', { class: 'replay', role: 'group', 'aria-label': 'Replay' }, play, slider, time, speeds)

  function go(to: number): void {
    position = Math.min(length, to)
    const upTo = entriesUntil(entries, began + position)
    // Backwards is from the start again: what an event did cannot be undone.
    if (!shown || upTo < given) restart()
    if (upTo > given) shown!.accept(Batch.of(header.run_id, 1, entries.slice(given, upTo)))
    given = upTo
    slider.value = String(position)
    time.textContent = `${duration(position)} of ${duration(length)}`
    if (position >= length) pause()
  }

  function restart(): void {
    const next = runArticle(header, { retry: () => {}, inspect: () => {} })
    // Its figures are those of the events, not of the clock on the wall.
    next.close()
    next.element.classList.add('replayed')
    const before = shown?.element ?? original.element
    before.replaceWith(next.element)
    shown?.close()
    shown = next
    given = 0
  }

  function toggle(): void {
    if (timer) return pause()
    if (position >= length) go(0)
    ticked = performance.now()
    timer = setInterval(() => {
      const now = performance.now()
      go(position + (now - ticked) * speed)
      ticked = now
    }, TICK_MS)
    label('pause', 'Pause')
    go(position)
  }

  function pause(): void {
    clearInterval(timer)
    timer = undefined
    label('play', 'Replay')
  }

  function label(name: 'play' | 'pause', text: string): void {
    play.replaceChildren(icon(name), text)
  }

  pause()
  time.textContent = duration(length)
  return {
    element,
    close() {
      pause()
      shown?.element.replaceWith(original.element)
      shown?.close()
      shown = undefined
    },
  }
}

/** How many entries were there at a time. They are in order of it. */
export function entriesUntil(entries: readonly Entry[], ts: number): number {
  let low = 0
  let high = entries.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (entries[middle]!.ts <= ts) low = middle + 1
    else high = middle
  }
  return low
}
