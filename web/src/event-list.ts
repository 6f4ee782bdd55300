/** The log of a run as a list: rows of one type are one line, which opens. */
import type { Entry } from '../../src/core/event.ts'
import { lineOf } from '../../src/core/line.ts'
import { h } from './dom.ts'
import { count, duration } from './words.ts'

/** Lines at first, and with each request for more. */
const PIECE = 200
/** Events of one row that are spelled out. */
const SPELLED = 100

/** The events, oldest first; deltas that follow one another stand in one row. */
export function eventList(entries: readonly Entry[]): HTMLElement {
  const rows = rowsOf(entries)
  const began = entries[0]?.ts ?? 0
  const list = h('ol', { class: 'events' })
  const more = h('button', { type: 'button', class: 'quiet', onclick: show })
  let shown = 0
  function show(): void {
    list.append(...rows.slice(shown, shown + PIECE).map((row) => line(row, began)))
    shown = Math.min(rows.length, shown + PIECE)
    more.hidden = shown === rows.length
    more.textContent = `${count(rows.length - shown)} more`
  }
  show()
  return h('div', {}, list, more)
}

function rowsOf(entries: readonly Entry[]): Entry[][] {
  const rows: Entry[][] = []
  for (const entry of entries) {
    const last = rows.at(-1)
    if (last && entry.event.type.endsWith('.delta') && last[0]!.event.type === entry.event.type) last.push(entry)
    else rows.push([entry])
  }
  return rows
}

function line(row: readonly Entry[], began: number): HTMLElement {
  const first = row[0]!
  const last = row.at(-1)!
  const place = row.length === 1 ? String(first.seq) : `${first.seq}–${last.seq}`
  const body = h('pre', { tabindex: 0 })
  const details = h(
    'details',
    {
      ontoggle: () => {
        const rest = row.length - SPELLED
        body.textContent = row.slice(0, SPELLED).map(lineOf).join('\n') + (rest > 0 ? `\n… ${count(rest)} more` : '')
      },
    },
    h(
      'summary',
      {},
      h('span', { class: 'seq' }, place),
      h('code', {}, first.event.type, row.length > 1 && ` × ${count(row.length)}`),
      h('span', { class: 'at' }, `+${duration(first.ts - began)}`),
    ),
    body,
  )
  return h('li', {}, details)
}
