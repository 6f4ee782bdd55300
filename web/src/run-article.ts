/** One run in a conversation: what was said, what was answered, how it went, and what can be done with it. */
import { Batch } from '../../src/core/batch.ts'
import type { Entry, RunEvent, RunStatus } from '../../src/core/event.ts'
import { isTerminal, statusAfter } from '../../src/core/event.ts'
import type { Gap, RunHeader } from '../../src/core/log.ts'
import { contentText } from '../../src/core/message.ts'
import { answer, type Answer } from './answer.ts'
import { h, icon, type IconName } from './dom.ts'
import { endings, failure, note } from './notes.ts'
import { addTimes, emptyTiming, figures, type Timing } from './timing.ts'
import { trace } from './trace.ts'
import { counted, duration, rate } from './words.ts'

export interface RunArticle {
  readonly element: HTMLElement
  readonly header: RunHeader
  readonly status: RunStatus
  /** Everything that came, in order. */
  readonly entries: readonly Entry[]
  readonly timing: Timing
  /** What the model said so far. */
  readonly text: string
  /** What the user asked first. */
  readonly prompt: string
  accept(record: Batch | Gap): void
  /** Stops its clock; for articles that leave the page. */
  close(): void
}

export interface RunActions {
  readonly retry: (article: RunArticle) => void
  readonly inspect: (article: RunArticle) => void
  /** Told of each event, once it stands in the page. */
  readonly onEvent?: (event: RunEvent, article: RunArticle) => void
}

/** How often the figures of a running answer are counted. Milliseconds. */
const COUNT_MS = 250

export function runArticle(header: RunHeader, actions: RunActions): RunArticle {
  const entries: Entry[] = []
  const timing = emptyTiming()
  const answers: Answer[] = []
  const shape = trace()
  const margin = h('dl', { class: 'figures' })
  const body = h('div', { class: 'body' })
  const ending = h('footer', { class: 'ending' })
  let status: RunStatus = 'running'
  let closed = false
  let prompt = header.title
  let said: HTMLElement | undefined
  /** The first of the answers to what was said last. */
  let turnFrom = 0

  const element = h(
    'article',
    { class: 'run', 'data-run': header.run_id, 'data-status': status, 'aria-label': `Run: ${header.title}` },
    h(
      'aside',
      { class: 'margin' },
      h(
        'button',
        {
          type: 'button',
          class: 'shape',
          'aria-label': 'Inspect this run',
          title: 'Inspect this run: its times and its events',
          onclick: () => actions.inspect(article),
        },
        shape.element,
      ),
      h('p', { class: 'model' }, `${header.provider}/${header.model}`),
      margin,
    ),
    body,
    ending,
  )

  const clock = setInterval(() => count(Date.now() - timing.began), COUNT_MS)

  function count(length: number): void {
    if (timing.began === 0) return
    shape.draw(timing, status === 'running' ? length : timing.length)
    const { firstToken, perSecond, counted: what } = figures(timing)
    const rows: [string, string][] = []
    if (firstToken !== undefined) rows.push(['first word', duration(firstToken)])
    if (perSecond !== undefined) rows.push([`${what}/s`, rate(perSecond)])
    rows.push(['time', duration(status === 'running' ? Math.max(length, timing.length) : timing.length)])
    if (timing.usage) rows.push(['used', counted(timing.usage.total_tokens, 'token')])
    margin.replaceChildren(...rows.map(([name, value]) => h('div', {}, h('dt', {}, name), h('dd', {}, value))))
  }

  function current(): Answer {
    const last = answers.at(-1)
    if (last && body.lastChild === last.element) return last
    const next = answer()
    answers.push(next)
    body.append(next.element)
    return next
  }

  function take({ event, ts }: Entry): void {
    switch (event.type) {
      case 'start':
        break
      case 'turn.end':
        if (event.reason === 'stop' && saidNothing()) current().element.append(note('The answer is empty.'))
        break
      case 'turn.start':
        if (event.turn === 1 && event.message.role === 'user') prompt = event.message.content
        turnFrom = answers.length
        said = saidBy(event)
        body.append(said)
        break
      case 'finish':
      case 'error':
        current().take(event, ts)
        end(event)
        break
      default:
        current().take(event, ts)
    }
    actions.onEvent?.(event, article)
  }

  /** Sound is not played here, and is an answer all the same. */
  function saidNothing(): boolean {
    const text = answers.slice(turnFrom).map((one) => one.text)
    return text.join('').trim() === '' && !entries.some(({ event }) => event.type === 'audio.delta')
  }

  function end(event: Extract<RunEvent, { type: 'finish' | 'error' }>): void {
    status = statusAfter(event)
    element.dataset['status'] = status
    for (const one of answers) one.finish()
    clearInterval(clock)
    if (event.type === 'error') body.append(failure(event.error, () => actions.retry(article)))
    const how = event.type === 'finish' ? endings[event.finish_reason] : undefined
    if (how !== undefined) body.append(note(how, status === 'cancelled' ? 'cancelled' : 'warning'))
    ending.replaceChildren(
      action('copy', 'Copy', () => {}, 'answer'),
      // An error has a button for this.
      ...(event.type === 'error' ? [] : [action('retry', 'Ask again', () => actions.retry(article))]),
      action('chart', 'Inspect', () => actions.inspect(article)),
    )
  }

  const article: RunArticle = {
    element,
    header,
    get status() {
      return status
    },
    entries,
    timing,
    get text() {
      return answers.map(({ text }) => text).join('')
    },
    get prompt() {
      return prompt
    },
    accept(record) {
      if (!(record instanceof Batch)) {
        current().element.append(
          note(
            `Events ${record.from} to ${record.to} of this run cannot be had any more (${record.reason}).`,
            'warning',
          ),
        )
        return
      }
      entries.push(...record.entries)
      addTimes(timing, record.entries)
      for (const entry of record.entries) take(entry)
      const last = record.entries.at(-1)
      // Without its clock the figures follow the events, as in a replay.
      if (closed || (last && isTerminal(last.event))) count(timing.length)
    },
    close() {
      closed = true
      clearInterval(clock)
    },
  }
  return article
}

function saidBy(event: Extract<RunEvent, { type: 'turn.start' }>): HTMLElement {
  if (event.kind === 'tool_result') {
    return note(`${event.message.name} answered: ${contentText(event.message.content).slice(0, 500)}`)
  }
  const label = { prompt: undefined, steer: 'Steer', follow_up: 'Follow-up' }[event.kind]
  return h(
    'div',
    { class: 'said', 'data-kind': event.kind },
    label !== undefined && h('span', { class: 'kind' }, label),
    h('p', {}, event.message.content),
  )
}

function action(name: IconName, label: string, onclick: () => void, copies?: string): HTMLElement {
  return h('button', { type: 'button', class: 'quiet', onclick, 'data-copy': copies }, icon(name), label)
}
