/** The conversations there are, newest first; those in which something goes on carry a lamp. */
import type { RunHeader } from '../../src/core/log.ts'
import { h } from './dom.ts'
import { ago, counted } from './words.ts'

export interface RunList {
  readonly element: HTMLElement
  /** Runs that were found, or have changed; those that are known are kept. */
  update(headers: readonly RunHeader[]): void
  /** Marks the conversation that is shown. */
  mark(session: string | undefined): void
  /** The run to open to get to the next or the previous conversation. */
  neighbour(step: 1 | -1): string | undefined
}

export function runList(onOpen: (run: string) => void): RunList {
  const list = h('ol', {})
  const empty = h('p', { class: 'empty' }, 'Nothing was asked yet.')
  const element = h('nav', { class: 'runs', 'aria-label': 'Conversations' }, empty, list)
  const runs = new Map<string, RunHeader>()
  const items = new Map<string, HTMLElement>()
  let current: string | undefined

  function draw(): void {
    empty.hidden = runs.size > 0
    const shown = sessions()
    const wanted = shown.map(([session, all]) => {
      const item = items.get(session) ?? h('li', {})
      items.set(session, item)
      fill(item, session, all)
      return item
    })
    // Only what has moved is moved: the list keeps its place and its focus.
    for (const [i, item] of wanted.entries())
      if (list.children[i] !== item) list.insertBefore(item, list.children[i] ?? null)
    while (list.children.length > wanted.length) list.lastElementChild!.remove()
  }

  function fill(item: HTMLElement, session: string, all: readonly RunHeader[]): void {
    const first = all.at(-1)!
    const last = all[0]!
    const live = all.some(({ status }) => status === 'running')
    const link = item.querySelector('a') ?? h('a', { onclick: (event) => follow(event as MouseEvent, item) })
    link.href = `#run=${last.run_id}`
    link.dataset['status'] = live ? 'running' : last.status
    if (session === current) link.setAttribute('aria-current', 'page')
    else link.removeAttribute('aria-current')
    const state = live ? 'answering' : last.status === 'completed' ? ago(last.ended_at ?? last.created_at) : last.status
    link.replaceChildren(
      h('span', { class: 'lamp' }),
      h('span', { class: 'title' }, first.title || 'Untitled'),
      h('span', { class: 'when' }, all.length > 1 ? `${state} · ${counted(all.length, 'run')}` : state),
    )
    if (!link.isConnected) item.append(link)
  }

  function follow(event: MouseEvent, item: HTMLElement): void {
    // With a modifier the browser opens a tab, as for every link.
    if (event.ctrlKey || event.metaKey || event.shiftKey) return
    event.preventDefault()
    onOpen(item.querySelector('a')!.hash.slice('#run='.length))
  }

  /** Sessions with their runs, newest first. */
  function sessions(): [string, RunHeader[]][] {
    const bySession = new Map<string, RunHeader[]>()
    for (const run of [...runs.values()].toSorted(
      (a, b) => b.created_at - a.created_at || (a.run_id < b.run_id ? 1 : -1),
    )) {
      bySession.set(run.session_id, [...(bySession.get(run.session_id) ?? []), run])
    }
    return [...bySession]
  }

  return {
    element,
    update(headers) {
      for (const header of headers) {
        const known = runs.get(header.run_id)
        // News may come late, by another way than the list: what has ended stays ended.
        if (known && known.status !== 'running' && header.status === 'running') continue
        runs.set(header.run_id, header)
      }
      draw()
    },
    mark(session) {
      current = session
      draw()
    },
    neighbour(step) {
      const all = sessions()
      const at = all.findIndex(([session]) => session === current)
      return all[at === -1 ? 0 : at + step]?.[1][0]?.run_id
    },
  }
}
