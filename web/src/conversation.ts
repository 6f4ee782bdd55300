/** The conversation on the page: its runs from the first to the last, of which one may be going on. */
import type { RunHeader } from '../../src/core/log.ts'
import type { RunEvent } from '../../src/core/event.ts'
import type { Hub } from '../../src/client/hub.ts'
import type { Api } from './api.ts'
import { h } from './dom.ts'
import { feed, type Connection } from './feed.ts'
import { failure } from './notes.ts'
import { runArticle, type RunActions, type RunArticle } from './run-article.ts'
import { errorBody, toRunletError } from '../../src/core/error.ts'

export interface Conversation {
  readonly element: HTMLElement
  readonly session: string | undefined
  /** The last run: the one that goes on, if any does. */
  readonly last: RunArticle | undefined
  readonly articles: readonly RunArticle[]
  /** Shows the conversation that a run belongs to; nothing for a conversation that is yet to begin. */
  open(run: string | undefined): Promise<void>
  /** A run that has just begun, here or elsewhere, in the conversation that is shown. */
  add(header: RunHeader): void
  /** Puts what has gone wrong where the next answer would stand. */
  fail(thrown: unknown): void
  /** The server is there again: what said that it is not goes. */
  recovered(): void
}

export interface ConversationOptions {
  readonly api: Api
  readonly hub: Pick<Hub, 'follow'>
  readonly actions: Omit<RunActions, 'onEvent'>
  readonly onEvent: (event: RunEvent, article: RunArticle) => void
  /** How the last run is heard of. */
  readonly onConnection: (connection: Connection | undefined) => void
  /** Another run is the last, or the last one has another state. */
  readonly onChange: () => void
  readonly onRefused: () => void
}

/** Older runs of a conversation wait until they are asked for. */
const SHOWN_AT_FIRST = 30

export function conversation(options: ConversationOptions): Conversation {
  const { api, hub, onEvent, onConnection, onChange } = options
  const element = h('div', { class: 'transcript', role: 'log', 'aria-live': 'off', 'aria-label': 'Conversation' })
  let articles: RunArticle[] = []
  let session: string | undefined
  let stop = new AbortController()

  function clear(): void {
    stop.abort()
    stop = new AbortController()
    for (const article of articles) article.close()
    articles = []
    session = undefined
    element.replaceChildren()
    onConnection(undefined)
  }

  function put(header: RunHeader, before?: Node): void {
    const { signal } = stop
    const article = runArticle(header, {
      ...options.actions,
      onEvent(event, of) {
        onEvent(event, of)
        if (event.type === 'finish' || event.type === 'error') onChange()
      },
    })
    if (before) articles.unshift(article)
    else articles.push(article)
    element.insertBefore(article.element, before ?? null)
    const isLast = () => articles.at(-1) === article && !signal.aborted
    void feed(hub, header.run_id, {
      signal,
      onRecord: (record) => article.accept(record),
      onState(connection) {
        article.element.dataset['connection'] = connection.state
        if (isLast()) onConnection(connection)
        if (connection.state !== 'failed') return
        if (connection.error.code === 'unauthorized') options.onRefused()
        else article.element.append(failure(errorBody(connection.error)))
      },
    })
  }

  /** The runs that are not shown yet come in on request, in pieces, above the others. */
  function offerEarlier(earlier: readonly RunHeader[]): void {
    if (earlier.length === 0) return
    const rest = earlier.slice(0, -SHOWN_AT_FIRST)
    const next = earlier.slice(-SHOWN_AT_FIRST)
    const button = h('button', { type: 'button', class: 'earlier', onclick: show }, `Show ${next.length} earlier`)
    function show(): void {
      const before = button.nextSibling ?? undefined
      for (const header of next.toReversed()) put(header, element.querySelector('article') ?? before)
      button.remove()
      offerEarlier(rest)
    }
    element.prepend(button)
  }

  return {
    element,
    get session() {
      return session
    },
    get last() {
      return articles.at(-1)
    },
    get articles() {
      return articles
    },
    async open(run) {
      clear()
      onChange()
      if (run === undefined) return
      const { signal } = stop
      try {
        const header = await api.find(run, { signal })
        const headers = await api.conversation(header.session_id)
        if (signal.aborted) return
        session = header.session_id
        // From the last one back, so that what is read first comes first; connections are few.
        for (const one of headers.slice(-SHOWN_AT_FIRST)) put(one)
        offerEarlier(headers.slice(0, -SHOWN_AT_FIRST))
        onChange()
      } catch (thrown) {
        if (!signal.aborted) this.fail(thrown)
      }
    },
    add(header) {
      if (session !== undefined && header.session_id !== session) return
      if (articles.some((article) => article.header.run_id === header.run_id)) return
      // One of those that wait to be shown, above.
      if (header.created_at < (articles.at(-1)?.header.created_at ?? 0)) return
      session = header.session_id
      for (const old of element.querySelectorAll(':scope > .failure')) old.remove()
      put(header)
      onChange()
    },
    fail(thrown) {
      const error = toRunletError(thrown)
      // A provider's refusal of its key is an event of the run; this one is about the page itself.
      if (error.code === 'unauthorized') options.onRefused()
      else element.append(failure(errorBody(error)))
    },
    recovered() {
      for (const old of element.querySelectorAll(':scope > .failure[data-code=network]')) old.remove()
    },
  }
}
