/** What a run looks like from inside: its figures, its times drawn, its events, and all of it once more. */
import type { RunStatus } from '../../src/core/event.ts'
import { chartsOf } from './charts.ts'
import { h, iconButton } from './dom.ts'
import { eventList } from './event-list.ts'
import { replay, type Replay } from './replay.ts'
import type { RunArticle } from './run-article.ts'

export interface Inspector {
  readonly element: HTMLElement
  /** The run that is looked into; undefined while it is closed. */
  readonly article: RunArticle | undefined
  open(article: RunArticle): void
  close(): void
  /** The run has more, or has ended. */
  update(): void
}

/** A running run is drawn anew this often. Milliseconds. */
const EVERY_MS = 500

/** `keep` makes a change of the layout, and keeps what is read in its place. */
export function inspector(keep: (change: () => void) => void): Inspector {
  const body = h('div', { class: 'inspector-body' })
  const heading = h('h2', { id: 'inspector-name', tabindex: -1 }, 'Run')
  const element = h(
    'aside',
    { class: 'inspector', 'aria-labelledby': 'inspector-name', hidden: true },
    h(
      'header',
      {},
      heading,
      iconButton('close', 'Close the inspector', () => close()),
    ),
    body,
  )
  const charts = h('div', { class: 'charts' })
  const events = h('div', {})
  let article: RunArticle | undefined
  /** What had the focus before it was opened. */
  let before: Element | null = null
  let drawn: RunStatus | undefined
  let player: Replay | undefined
  let timer: ReturnType<typeof setTimeout> | undefined

  function draw(): void {
    if (!article) return
    const { header } = article
    player?.close()
    player = article.status === 'running' ? undefined : replay(article)
    drawn = article.status
    body.replaceChildren(
      h('p', { class: 'title' }, header.title),
      h('p', { class: 'id' }, h('code', {}, header.run_id)),
      ...(player ? [player.element] : []),
      charts,
      h('h3', {}, 'Events'),
      events,
      h('p', { class: 'hint' }, 'In a terminal: ', h('code', {}, `runlet follow ${header.run_id}`)),
    )
    refresh()
  }

  function refresh(): void {
    timer = undefined
    if (!article) return
    if (article.status !== drawn) return draw()
    charts.replaceChildren(...chartsOf(article.timing))
    // Whoever reads in the list is left alone.
    if (!events.querySelector('details[open]') && !events.contains(document.activeElement)) {
      events.replaceChildren(eventList(article.entries))
    }
  }

  function close(): void {
    if (element.hidden) return
    clearTimeout(timer)
    timer = undefined
    player?.close()
    player = undefined
    article = undefined
    // Whoever has gone on to another place stays there.
    const inside = element.contains(document.activeElement)
    keep(() => (element.hidden = true))
    if (inside && before instanceof HTMLElement && before.isConnected) before.focus({ preventScroll: true })
    before = null
  }

  return {
    element,
    get article() {
      return article
    },
    open(next) {
      if (!element.contains(document.activeElement)) before = document.activeElement
      article = next
      keep(() => {
        element.hidden = false
        draw()
      })
      heading.focus({ preventScroll: true })
    },
    close,
    update() {
      if (article) timer ??= setTimeout(refresh, EVERY_MS)
    },
  }
}
