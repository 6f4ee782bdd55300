/** One call of a tool: what it was asked, what it told on the way, what came out. */
import type { JsonValue } from '../../src/core/json.ts'
import { h } from './dom.ts'
import { duration } from './words.ts'

export interface ToolCard {
  readonly element: HTMLElement
  /** A fragment of the arguments, while the model still writes them. */
  write(json: string): void
  /** The call is whole and runs. */
  call(input: JsonValue): void
  progress(text: string): void
  result(outcome: { readonly content: JsonValue; readonly failed: boolean; readonly ms: number }): void
  /** The run ended before the call did. */
  abandon(): void
}

/** Longest piece of an input or a result that is shown. Characters; the rest is in the log. */
const SHOWN = 20_000

export function toolCard(name: string): ToolCard {
  const state = h('span', { class: 'state' }, 'being written')
  const input = h('pre', { tabindex: 0, 'aria-label': 'Arguments' })
  const lines = h('ol', { class: 'progress' })
  const output = h('pre', { class: 'output', tabindex: 0, 'aria-label': 'Result', hidden: true })
  const element = h(
    'details',
    { class: 'tool', 'data-state': 'writing' },
    h('summary', {}, h('span', { class: 'lamp' }), h('code', {}, name), state),
    h('div', { class: 'tool-body' }, input, lines, output),
  )
  const enter = (next: string, label: string) => {
    element.dataset['state'] = next
    state.textContent = label
  }
  return {
    element,
    write: (json) => input.append(json),
    call(given) {
      input.textContent = shown(given)
      enter('running', 'running')
    },
    progress(text) {
      lines.append(h('li', {}, text))
      state.textContent = text
    },
    result({ content, failed, ms }) {
      output.hidden = false
      output.textContent = shown(content)
      enter(failed ? 'failed' : 'done', `${failed ? 'failed' : 'done'} in ${duration(ms)}`)
      if (failed) element.open = true
    },
    abandon() {
      if (element.dataset['state'] === 'writing' || element.dataset['state'] === 'running')
        enter('left', 'not finished')
    },
  }
}

function shown(value: JsonValue): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value, null, 2)
  return text.length <= SHOWN ? text : `${text.slice(0, SHOWN)}\n… ${text.length - SHOWN} more characters`
}
