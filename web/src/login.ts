/** What stands there until this browser has a session: how to get one. */
import { toRunletError } from '../../src/core/error.ts'
import { h } from './dom.ts'
import { sentence } from './words.ts'

/**
 * Asks for a code until `enter` accepts one. `problem` is why the page is not open: what was wrong with the code in the
 * link, or a sentence.
 */
export function loginView(enter: (code: string) => Promise<void>, problem?: unknown): HTMLElement {
  const code = h('input', { id: 'code', autocomplete: 'one-time-code', spellcheck: 'false', required: true })
  const fault = h('p', { class: 'fault', role: 'alert' })
  const show = (thrown: unknown) => {
    fault.textContent = sentence(typeof thrown === 'string' ? thrown : toRunletError(thrown).message)
  }
  const submit = async (event: Event) => {
    event.preventDefault()
    fault.textContent = ''
    try {
      await enter(codeIn(code.value))
    } catch (thrown) {
      show(thrown)
      code.select()
    }
  }
  if (problem !== undefined) show(problem)
  return h(
    'main',
    { class: 'login' },
    h('h1', {}, 'Runlet'),
    h(
      'p',
      {},
      'This page shows what your models answer, so it opens only for you. In a terminal on the machine that runs Runlet, type',
    ),
    h('pre', {}, 'runlet page'),
    h(
      'p',
      {},
      '(in a clone: ',
      h('code', {}, 'npx runlet page'),
      ') and open the link that it prints. It works once. Or enter its code here:',
    ),
    h(
      'form',
      { onsubmit: (event) => void submit(event) },
      h('label', { for: 'code' }, 'Code'),
      h('div', { class: 'row' }, code, h('button', { type: 'submit', class: 'send' }, 'Open')),
    ),
    fault,
  )
}

/** People paste the whole link, too. */
const codeIn = (text: string) => /#login=([^&\s]+)/.exec(text)?.[1] ?? text.trim()
