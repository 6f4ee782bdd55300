/** A text of a model that is shown as markdown while it grows. */
import type { Links } from 'marked'
import { smooth } from '../../src/client/smooth.ts'
import { systemClock, type CancelTimer, type Clock } from '../../src/core/clock.ts'
import { h } from './dom.ts'
import { blocksOf, render } from './markdown.ts'
import { morph } from './morph.ts'

export interface Prose {
  readonly element: HTMLElement
  /** As the model wrote it. */
  readonly text: string
  append(text: string): void
  /** Shows all of it, at once, and exactly as it would look had it come in one piece. */
  finish(): void
}

/** Between two renderings. Milliseconds; longer where a rendering takes long, so that the page stays awake. */
const EVERY_MS = 50

/**
 * Blocks that cannot change any more are rendered once; only the last one is rendered again. A block is settled when
 * another begins behind it, judged by whole lines: `#` may become a heading or not, and the next letter tells.
 */
export function prose(clock: Clock = systemClock): Prose {
  const tail = h('div', { class: 'tail' })
  const element = h('div', { class: 'prose' }, tail)
  const links: Links = {}
  const pace = smooth({ clock })
  /** All of it, and what of it is to be seen: what comes in bursts is shown evenly. */
  let text = ''
  let shown = ''
  let settled = 0
  let cancelTimer: CancelTimer | undefined
  let last = { at: 0, took: 0 }

  function update(): void {
    cancelTimer = undefined
    const began = clock.now()
    // A CR at the end waits for what follows: with an LF, the two are one line end.
    const source = shown.replace(/\r$/, '').replaceAll(/\r\n?/g, '\n')
    settle(source)
    morph(tail, render(source.slice(settled), { ...links }))
    const ended = clock.now()
    last = { at: ended, took: ended - began }
  }

  function settle(source: string): void {
    const whole = source.slice(settled, source.lastIndexOf('\n') + 1)
    if (whole === '' || whole.length > LONGEST) return
    const blocks = safeBlocks(whole, { ...links })
    const open = blocks.findLastIndex(({ type }) => type !== 'space')
    const done = blocks.slice(0, open).reduce((length, { raw }) => length + raw.length, 0)
    if (open < 1 || blocks.reduce((length, { raw }) => length + raw.length, 0) !== whole.length) return
    tail.before(render(whole.slice(0, done), links))
    settled += done
  }

  pace.subscribe((piece) => {
    shown += piece
    cancelTimer ??= clock.after(Math.max(0, last.at + Math.max(EVERY_MS, last.took * 4) - clock.now()), update)
  })

  return {
    element,
    get text() {
      return text
    },
    append(more) {
      text += more
      pace.push(more)
    },
    finish() {
      pace.close()
      cancelTimer?.()
      cancelTimer = undefined
      tail.replaceWith(...tail.childNodes)
      morph(element, render(text.replaceAll(/\r\n?/g, '\n')))
    },
  }
}

/** A block that is longer is not looked into while it grows. Characters. */
const LONGEST = 200_000

function safeBlocks(text: string, links: Links): ReturnType<typeof blocksOf> {
  try {
    return blocksOf(text, links)
  } catch {
    return []
  }
}
