/** Says aloud, to those who listen to the page, what happened: beginnings and ends, never each word. */
import type { RunEvent } from '../../src/core/event.ts'
import { h } from './dom.ts'
import type { RunArticle } from './run-article.ts'

export interface Announcer {
  readonly element: HTMLElement
  say(text: string): void
  /** An event that came live. */
  event(event: RunEvent, article: RunArticle): void
}

export function announcer(): Announcer {
  const element = h('p', { class: 'unseen', role: 'status', 'aria-live': 'polite' })
  const say = (text: string) => void (element.textContent = text)
  return {
    element,
    say,
    event(event, article) {
      switch (event.type) {
        case 'turn.start':
          return say('The answer begins.')
        case 'tool.call':
          return say(`The model uses the tool ${event.tool_call.name}.`)
        case 'step.reset':
          return say('The text so far was taken back; the model begins again.')
        case 'finish': {
          const words = article.text.split(/\s+/).filter((word) => word !== '').length
          return say(event.finish_reason === 'cancelled' ? 'Stopped.' : `The answer is complete: ${words} words.`)
        }
        case 'error':
          // The message itself is an alert, and is read by itself.
          return
        default:
      }
    },
  }
}
