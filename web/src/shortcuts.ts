/** What can be done from the keyboard, in one table: it is what listens, and what the help shows. */
import { h, iconButton } from './dom.ts'

export interface Shortcut {
  readonly key: string
  readonly label: string
  readonly run: () => void
  /** Also while one writes: for keys that write nothing. */
  readonly always?: boolean
}

const OFF = 'runlet.shortcuts.off'

/** Listens from here on; returns the dialog that lists what there is. */
export function shortcuts(table: readonly Shortcut[]): HTMLDialogElement {
  const dialog = helpDialog(table)
  document.addEventListener('keydown', (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return
    // An open dialog closes by Escape, by itself.
    if (document.querySelector('dialog[open]')) return
    const shortcut = table.find(({ key }) => key === event.key)
    if (!shortcut) return
    if (!shortcut.always && (isWriting(event.target) || localStorage.getItem(OFF) === '1')) return
    event.preventDefault()
    shortcut.run()
  })
  return dialog
}

const isWriting = (target: EventTarget | null) =>
  target instanceof HTMLElement && target.matches('input:not([type=range]):not([type=checkbox]), textarea, select')

function helpDialog(table: readonly Shortcut[]): HTMLDialogElement {
  const single = h('input', {
    type: 'checkbox',
    id: 'single-keys',
    checked: localStorage.getItem(OFF) !== '1',
    onchange: () => localStorage.setItem(OFF, single.checked ? '0' : '1'),
  })
  const rows: [string, string][] = [
    ['Enter', 'Send; while an answer comes, a follow-up'],
    ['Ctrl Enter', 'Steer: goes before everything else'],
    ['Shift Enter', 'Another line'],
    ...table.map(({ key, label }): [string, string] => [key === 'Escape' ? 'Esc' : key, label]),
  ]
  const dialog = h(
    'dialog',
    { class: 'help', 'aria-labelledby': 'help-name' },
    h(
      'header',
      {},
      h('h2', { id: 'help-name' }, 'Keyboard'),
      iconButton('close', 'Close', () => dialog.close()),
    ),
    h('dl', {}, ...rows.map(([key, label]) => h('div', {}, h('dt', {}, ...keysOf(key)), h('dd', {}, label)))),
    h('label', { class: 'check' }, single, 'Single keys work outside of text fields'),
  )
  return dialog
}

const keysOf = (key: string) => key.split(' ').map((one) => h('kbd', {}, one))
