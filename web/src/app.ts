/** The page for someone who may use it: the parts put together, and what each of them is told of the others. */
import type { Hub } from '../../src/client/hub.ts'
import type { RunHeader } from '../../src/core/log.ts'
import { toRunletError } from '../../src/core/error.ts'
import type { RunEvent } from '../../src/core/event.ts'
import { announcer } from './announcer.ts'
import type { Api } from './api.ts'
import { coalesce } from './coalesce.ts'
import { composer, type Draft, type Waiting } from './composer.ts'
import { connectionSign } from './connection-sign.ts'
import { conversation } from './conversation.ts'
import { copying } from './copying.ts'
import { h } from './dom.ts'
import { frame } from './frame.ts'
import { inspector } from './inspector.ts'
import { placeOf, showPlace } from './place.ts'
import type { RunArticle } from './run-article.ts'
import { runList } from './run-list.ts'
import { shortcuts } from './shortcuts.ts'
import { startRun } from './start-run.ts'
import { switchTheme } from './theme.ts'

/** Runs that the list begins with. */
const LISTED = 200
/** The list is asked for no more often. Milliseconds. */
const LIST_EVERY_MS = 1_000

export interface AppOptions {
  readonly api: Api
  readonly hub: Pick<Hub, 'follow' | 'watch'>
  /** The session of the browser is over, though nobody here ended it. */
  readonly onRefused: () => void
  /** The user signed out. */
  readonly onLeft: () => void
}

/** Builds the page and opens what its address names. */
export function openApp({ api, hub, onRefused, onLeft }: AppOptions): HTMLElement {
  const voice = announcer()
  const sign = connectionSign()
  const look = inspector((change) => page.keep(change))
  const list = runList((run) => {
    page.closeMenu()
    void open(run, 'push')
  })
  const write = composer({
    onSend: (draft) => void begin(draft),
    onInput: (message) => void hand(message),
    onStop: () => void stop(),
  })
  const talk = conversation({
    api,
    hub,
    actions: { retry: (article) => void again(article), inspect: (article) => look.open(article) },
    onEvent: tell,
    onConnection: (connection) => sign.show(connection),
    onChange: changed,
    onRefused,
  })
  const welcome = h(
    'section',
    { class: 'welcome' },
    h('h2', {}, 'Ask something.'),
    h(
      'p',
      {},
      'Each word is stored before it is shown. Reload in the middle, lose the network, look on from a second tab or a terminal: the answer goes on, with nothing missing and nothing twice.',
    ),
  )
  const page = frame({
    list: list.element,
    connection: sign.element,
    content: h('div', { class: 'content' }, welcome, talk.element),
    composer: write.element,
    inspector: look.element,
    onNew: fresh,
    onTheme: () => voice.say(`Theme: ${switchTheme()}`),
    onHelp: () => help.showModal(),
    onLeave: () => void api.logout().then(onLeft, (thrown: unknown) => talk.fail(thrown)),
  })
  const help = shortcuts([
    { key: 'Escape', label: 'Close what is open; stop the answer; leave the field', run: escape, always: true },
    { key: '/', label: 'To the message field', run: () => write.focus() },
    { key: 'n', label: 'New conversation', run: fresh },
    { key: 'j', label: 'Next conversation', run: () => go(1) },
    { key: 'k', label: 'Previous conversation', run: () => go(-1) },
    { key: 'r', label: 'Ask the last question again', run: () => talk.last && void again(talk.last) },
    { key: 'c', label: 'Copy the last answer', run: () => talk.last && void copy.text(talk.last.text) },
    {
      key: 'i',
      label: 'Inspect the last run',
      run: () => (look.article ? look.close() : talk.last && look.open(talk.last)),
    },
    { key: 't', label: 'Light or dark', run: () => void switchTheme() },
    { key: '?', label: 'This list', run: () => help.showModal() },
  ])
  const copy = copying(
    (id) => talk.articles.find(({ header }) => header.run_id === id)?.text,
    (text) => voice.say(text),
  )
  const root = h('div', { class: 'app', onclick: copy.onClick }, page.element, help, voice.element)

  /** Messages handed to the run that goes on, until it comes to them. */
  let waiting: Waiting[] = []
  let sending = false
  let offered = false

  async function open(run: string | undefined, how: 'push' | 'replace'): Promise<void> {
    look.close()
    waiting = []
    write.waiting(waiting)
    showPlace(run, how)
    page.toEnd()
    await talk.open(run)
    page.toEnd()
  }

  function fresh(): void {
    void open(undefined, 'push')
    write.focus()
  }

  async function begin(draft: Draft, session = talk.session): Promise<void> {
    sending = true
    changed()
    try {
      const header = await startRun(api, draft, session)
      talk.add(header)
      list.update([header])
      showPlace(header.run_id, session === undefined ? 'push' : 'replace')
      page.toEnd()
    } catch (thrown) {
      talk.fail(thrown)
      write.restore(draft.text)
    } finally {
      sending = false
      changed()
    }
  }

  async function again({ header, prompt }: RunArticle): Promise<void> {
    if (sending || talk.last?.status === 'running') return
    await begin({ ...write.choice(), text: prompt, model: `${header.provider}/${header.model}` })
  }

  async function hand(message: Waiting): Promise<void> {
    const { text } = message
    const run = talk.last
    if (!run) return
    // The run comes to all steers before the first follow-up.
    const all = [...waiting, message]
    waiting = [...all.filter(({ type }) => type === 'steer'), ...all.filter(({ type }) => type !== 'steer')]
    write.waiting(waiting)
    try {
      await api.send(run.header.run_id, message)
      talk.recovered()
    } catch (thrown) {
      came(message)
      // It ended while this was written: then it is the next question.
      if (toRunletError(thrown).reason === 'no_active_run') await begin({ text, ...write.choice() })
      else {
        talk.fail(thrown)
        write.restore(text)
      }
    }
  }

  function came({ type, text }: Waiting): void {
    const at = waiting.findIndex((one) => one.type === type && one.text === text)
    waiting = waiting.filter((_, i) => i !== at)
    write.waiting(waiting)
  }

  async function stop(): Promise<void> {
    const run = talk.last
    if (run?.status !== 'running') return
    try {
      list.update([await api.cancel(run.header.run_id, { reason: 'stopped in the page' })])
    } catch (thrown) {
      talk.fail(thrown)
    }
  }

  function escape(): void {
    if (document.querySelector('.menu-open')) page.closeMenu()
    else if (look.article) look.close()
    else if (talk.last?.status === 'running') void stop()
    else if (document.activeElement?.matches('input, textarea')) (document.activeElement as HTMLElement).blur()
  }

  function go(step: 1 | -1): void {
    const run = list.neighbour(step)
    if (run !== undefined) void open(run, 'push')
  }

  function tell(event: RunEvent, article: RunArticle): void {
    if (article === look.article) look.update()
    if (article !== talk.last) return
    if (event.type === 'turn.start' && (event.kind === 'steer' || event.kind === 'follow_up')) {
      came({ type: event.kind, text: event.message.content })
    }
    // What was there before the page was is no news.
    if (article.element.dataset['connection'] === 'live') voice.event(event, article)
    if ((event.type === 'finish' || event.type === 'error') && waiting.length > 0) {
      write.restore(waiting.map(({ text }) => text).join('\n\n'))
      waiting = []
      write.waiting(waiting)
    }
  }

  function changed(): void {
    const { last, session } = talk
    const running = last?.status === 'running'
    welcome.hidden = last !== undefined || session !== undefined
    write.set(sending ? 'sending' : running ? 'running' : 'idle', { begun: last !== undefined })
    page.title(talk.articles[0]?.header.title ?? 'New conversation', running)
    list.mark(session)
    if (last && !running)
      void api
        .find(last.header.run_id)
        .then((header) => list.update([header]))
        .catch(() => {})
  }

  function news(headers: readonly RunHeader[]): void {
    list.update(headers)
    for (const header of headers) {
      if (header.session_id !== talk.session) continue
      talk.add(header)
      if (header.run_id === talk.last?.header.run_id) showPlace(header.run_id, 'replace')
    }
  }

  /** What began or ended while nobody told. */
  const catchUp = coalesce(LIST_EVERY_MS, async () => {
    try {
      // Oldest first, as they would have been told.
      news((await api.list({ limit: LISTED })).toReversed())
      talk.recovered()
    } catch (thrown) {
      if (toRunletError(thrown).code === 'unauthorized') onRefused()
    }
  })

  async function load(): Promise<void> {
    try {
      write.offer(await api.offer())
      offered = true
    } catch (thrown) {
      talk.fail(thrown)
    }
  }

  hub.watch((change) => {
    if (change.type === 'run') news([change.run])
    // Also after each connection that was made anew: what began or ended meanwhile is in the list.
    else if (change.type === 'watching') {
      talk.recovered()
      catchUp()
      if (!offered) void load()
    } else if (change.error.code === 'unauthorized') onRefused()
  })
  addEventListener('popstate', () => void open(placeOf(location.hash), 'replace'))
  changed()
  catchUp()
  void load()
  void open(placeOf(location.hash), 'replace')
  if (placeOf(location.hash) === undefined) setTimeout(() => write.focus())
  return root
}
