/** The sign that says how the page hears of the run: a lamp and two words. */
import { h } from './dom.ts'
import type { Connection } from './feed.ts'
import { count, duration } from './words.ts'

export interface ConnectionSign {
  readonly element: HTMLElement
  show(connection: Connection | undefined): void
}

export function connectionSign(): ConnectionSign {
  const words = h('span', {})
  const element = h(
    'p',
    { class: 'connection', 'data-state': 'none', hidden: true },
    h('span', { class: 'lamp' }),
    words,
  )
  return {
    element,
    show(connection) {
      element.hidden = connection === undefined
      if (!connection) return
      element.dataset['state'] = connection.state
      words.textContent = describe(connection)
      element.title = titles[connection.state]
    },
  }
}

function describe(connection: Connection): string {
  switch (connection.state) {
    case 'connecting':
      return 'connecting'
    case 'catching-up':
      return `catching up, ${count(connection.events)} of ${count(connection.head)} events`
    case 'live':
      return connection.delayMs === undefined ? 'live' : `live, ${duration(Math.max(0, connection.delayMs))} behind`
    case 'retrying':
      return connection.waitMs < 1_000
        ? 'connection lost, coming back'
        : `no connection, next try in ${duration(connection.waitMs)}`
    case 'ended':
      return 'ended'
    case 'failed':
      return 'cannot be read'
  }
}

const titles: Readonly<Record<Connection['state'], string>> = {
  connecting: 'Asking the server for the events of this run',
  'catching-up': 'Reading what was stored before; nothing is left out',
  live: 'Each event comes as it is stored; the time is from there to here',
  retrying: 'The run goes on at the server. The page comes back by itself and continues where it was',
  ended: 'The run has ended, and all of it is here',
  failed: 'The server refuses to show this run',
}
