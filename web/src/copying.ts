/** Copy buttons, wherever they stand: of a block of code, or of an answer as the model wrote it. */

export interface Copying {
  readonly onClick: (event: Event) => void
  text(text: string): Promise<void>
}

/** How long a button says that it has done it. Milliseconds. */
const SHOWN_MS = 1_500

export function copying(answerOf: (run: string) => string | undefined, say: (text: string) => void): Copying {
  async function text(what: string): Promise<void> {
    await write(what)
    say('Copied.')
  }
  return {
    text,
    onClick(event) {
      const button = event.target instanceof Element ? event.target.closest<HTMLElement>('button[data-copy]') : null
      if (!button) return
      const run = button.closest<HTMLElement>('[data-run]')?.dataset['run'] ?? ''
      const what =
        button.dataset['copy'] === 'code' ? button.closest('.code')?.querySelector('code')?.textContent : answerOf(run)
      if (typeof what !== 'string') return
      button.classList.add('copied')
      setTimeout(() => button.classList.remove('copied'), SHOWN_MS)
      void text(what)
    },
  }
}

async function write(text: string): Promise<void> {
  // Over plain HTTP to another machine there is no clipboard for pages; a selection can be copied all the same.
  if (navigator.clipboard) return navigator.clipboard.writeText(text)
  const field = document.createElement('textarea')
  field.value = text
  document.body.append(field)
  field.select()
  document.execCommand('copy')
  field.remove()
}
