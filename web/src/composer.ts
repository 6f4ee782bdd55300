/** Where the user writes: the message, the model that is to answer, and what holds for a conversation that begins. */
import type { Offer } from './api.ts'
import { h, icon } from './dom.ts'
import { counted } from './words.ts'

export interface Draft {
  readonly text: string
  readonly model: string | undefined
  readonly system: string | undefined
  readonly tools: readonly string[]
}

/** `idle`: a message begins a run. `running`: it is handed to the run, or the run is stopped. */
export type ComposerState = 'idle' | 'running' | 'sending'

/** A message handed to a run that goes on. */
export interface Waiting {
  readonly type: 'steer' | 'follow_up'
  readonly text: string
}

export interface Composer {
  readonly element: HTMLElement
  offer(offer: Offer): void
  set(state: ComposerState, options: { readonly begun: boolean }): void
  focus(): void
  /** Puts a text back, unless another one stands there. */
  restore(text: string): void
  /** Messages that the run has taken and not come to yet, in the order in which it will. */
  waiting(messages: readonly Waiting[]): void
  /** What the next run would be asked for, besides its text. */
  choice(): Omit<Draft, 'text'>
}

export interface ComposerOptions {
  readonly onSend: (draft: Draft) => void
  readonly onInput: (message: Waiting) => void
  readonly onStop: () => void
}

const DRAFT = 'runlet.draft'
const MODEL = 'runlet.model'

export function composer({ onSend, onInput, onStop }: ComposerOptions): Composer {
  let state: ComposerState = 'idle'
  const text = h('textarea', {
    id: 'message',
    rows: 1,
    placeholder: 'Ask something',
    'aria-label': 'Message',
    autocomplete: 'off',
    enterkeyhint: 'send',
    oninput: changed,
    onkeydown: (event) => onKey(event as KeyboardEvent),
  })
  text.value = sessionStorage.getItem(DRAFT) ?? ''
  const model = modelField()
  const system = h('textarea', {
    id: 'system',
    rows: 3,
    placeholder: 'Instructions that stand before the conversation',
  })
  const tools = h('fieldset', { class: 'tools', hidden: true }, h('legend', {}, 'Tools'))
  const settings = h(
    'div',
    { class: 'settings', id: 'settings', hidden: true },
    h('label', { for: 'system' }, 'System prompt'),
    system,
    tools,
  )
  const settingsButton = h(
    'button',
    { type: 'button', class: 'quiet', 'aria-expanded': 'false', 'aria-controls': 'settings', onclick: toggleSettings },
    icon('tune'),
    h('span', {}, 'Settings'),
  )
  const waiting = h('ol', { class: 'waiting', hidden: true, 'aria-label': 'Waiting messages' })
  const send = h(
    'button',
    { type: 'submit', class: 'send', title: 'Send (Enter)' },
    icon('send'),
    h('span', {}, 'Send'),
  )
  const steer = h(
    'button',
    {
      type: 'button',
      class: 'quiet',
      hidden: true,
      title: 'Goes before everything else (Ctrl+Enter)',
      onclick: () => hand('steer'),
    },
    'Steer now',
  )
  const stop = h(
    'button',
    { type: 'button', class: 'stop', hidden: true, title: 'Stop (Esc)', onclick: onStop },
    icon('stop'),
    h('span', {}, 'Stop'),
  )
  const element = h(
    'form',
    { class: 'composer', onsubmit: submitted },
    settings,
    waiting,
    h('div', { class: 'field' }, text),
    h('div', { class: 'row' }, model.element, settingsButton, h('span', { class: 'spring' }), steer, stop, send),
  )

  function changed(): void {
    sessionStorage.setItem(DRAFT, text.value)
    // As high as its text, where the browser does not do that by itself (`field-sizing`).
    if (!CSS.supports('field-sizing', 'content')) {
      text.style.height = 'auto'
      text.style.height = `${text.scrollHeight}px`
    }
    const empty = text.value.trim() === ''
    send.disabled = empty || state === 'sending'
    steer.disabled = empty
  }

  function onKey(event: KeyboardEvent): void {
    // Enter that ends the composition of a character is not meant for us.
    if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return
    event.preventDefault()
    if (state === 'running' && (event.ctrlKey || event.metaKey)) hand('steer')
    else submitted(event)
  }

  function submitted(event: Event): void {
    event.preventDefault()
    if (text.value.trim() === '' || state === 'sending') return
    if (state === 'running') return hand('follow_up')
    onSend({ text: take(), ...choice() })
  }

  function hand(type: Waiting['type']): void {
    if (text.value.trim() !== '') onInput({ type, text: take() })
  }

  function take(): string {
    const { value } = text
    text.value = ''
    changed()
    return value
  }

  function toggleSettings(): void {
    settings.hidden = !settings.hidden
    settingsButton.setAttribute('aria-expanded', String(!settings.hidden))
    if (!settings.hidden) system.focus()
  }

  function choice(): Omit<Draft, 'text'> {
    const checked = [...tools.querySelectorAll<HTMLInputElement>('input:checked')]
    return {
      model: model.value(),
      system: system.value.trim() === '' ? undefined : system.value,
      tools: checked.map(({ value }) => value),
    }
  }

  changed()
  return {
    element,
    offer(offer) {
      model.offer(offer)
      tools.hidden = offer.tools.length === 0
      tools.replaceChildren(
        h('legend', {}, 'Tools'),
        ...offer.tools.map(({ name, description }) =>
          h('label', { title: description }, h('input', { type: 'checkbox', value: name }), h('code', {}, name)),
        ),
      )
    },
    set(next, { begun }) {
      state = next
      element.dataset['state'] = next
      const running = next === 'running'
      stop.hidden = !running
      steer.hidden = !running
      send.lastElementChild!.textContent = running ? 'Follow up' : 'Send'
      send.title = running ? 'Waits until this answer is done (Enter)' : 'Send (Enter)'
      text.placeholder = running ? 'Follow up, or steer' : begun ? 'Reply' : 'Ask something'
      changed()
    },
    focus: () => text.focus(),
    restore(value) {
      if (text.value === '') text.value = value
      changed()
    },
    waiting(messages) {
      waiting.hidden = messages.length === 0
      waiting.replaceChildren(
        ...messages.map(({ type, text: message }) =>
          h(
            'li',
            { title: message, 'data-kind': type },
            h('span', { class: 'kind' }, type === 'steer' ? 'next' : 'then'),
            ' ',
            message,
          ),
        ),
      )
      waiting.setAttribute('aria-label', counted(messages.length, 'waiting message'))
    },
    choice,
  }
}

/** Any model may be written; those that are known are offered. */
function modelField() {
  const known = h('datalist', { id: 'models' })
  let aside = ''
  const input = h('input', {
    id: 'model',
    list: 'models',
    placeholder: 'default model',
    autocomplete: 'off',
    spellcheck: 'false',
    'aria-label': 'Model',
    onchange: () => localStorage.setItem(MODEL, input.value.trim()),
    // What stands in the field filters the list: it steps aside while one chooses, and comes back if nothing was written.
    onfocus: () => {
      aside = input.value
      input.value = ''
    },
    oninput: () => void (aside = ''),
    onblur: () => {
      input.value ||= aside
      aside = ''
    },
  })
  input.value = localStorage.getItem(MODEL) ?? ''
  return {
    element: h('div', { class: 'model-field' }, input, known),
    value: () => input.value.trim() || aside || undefined,
    offer({ aliases, models, defaultModel }: Offer) {
      known.replaceChildren(
        ...aliases.map(({ name, model }) => h('option', { value: name }, `stands for ${model}`)),
        ...models.map((name) => h('option', { value: name })),
      )
      if (defaultModel !== undefined) input.placeholder = defaultModel
      // Without any other the simulator answers: whoever has no key sees something all the same.
      else if (input.value === '' && models.every((name) => name.startsWith('sim/'))) input.value = 'sim/hello'
    },
  }
}
