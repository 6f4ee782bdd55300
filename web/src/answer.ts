/** The part of a run between two messages of the user: reasoning, text and tools of one or more steps. */
import type { RunEvent } from '../../src/core/event.ts'
import { h } from './dom.ts'
import { note, notice, sources, takenBack } from './notes.ts'
import { prose, type Prose } from './prose.ts'
import { toolCard, type ToolCard } from './tool-card.ts'
import { duration } from './words.ts'

export interface Answer {
  readonly element: HTMLElement
  /** Visible text of the model so far. */
  readonly text: string
  take(event: RunEvent, ts: number): void
  /** Nothing more comes: everything is shown as it stays. */
  finish(): void
}

interface Reasoning {
  readonly element: HTMLDetailsElement
  readonly body: Prose
  readonly summary: HTMLElement
  readonly began: number
}

/** What the step under way has put up, so that a reset can take it away. */
interface Step {
  readonly element: HTMLElement
  readonly texts: Prose[]
  readonly cards: Map<string, ToolCard>
  /** The part that the next delta of its kind goes to. */
  open: Prose | undefined
  reasoning: Reasoning | undefined
}

export function answer(): Answer {
  const element = h('div', { class: 'answer' })
  const texts = new Set<Prose>()
  let step: Step | undefined

  function begin(): Step {
    const next: Step = {
      element: h('div', { class: 'step' }),
      texts: [],
      cards: new Map(),
      open: undefined,
      reasoning: undefined,
    }
    element.append(next.element)
    return next
  }

  function closeText(): void {
    step?.open?.finish()
    if (step) step.open = undefined
  }

  function closeReasoning(ts: number): void {
    const { reasoning } = step ?? {}
    if (!step || !reasoning) return
    reasoning.body.finish()
    reasoning.element.classList.remove('live')
    const ms = ts - reasoning.began
    reasoning.summary.textContent = ms > 0 ? `Thought for ${duration(ms)}` : 'Thought'
    step.reasoning = undefined
  }

  function closeStep(ts: number): void {
    closeText()
    closeReasoning(ts)
    for (const card of step?.cards.values() ?? []) card.abandon()
    step = undefined
  }

  function addText(text: string, ts: number): void {
    const into = (step ??= begin())
    closeReasoning(ts)
    if (!into.open) {
      into.open = prose()
      into.texts.push(into.open)
      texts.add(into.open)
      into.element.append(into.open.element)
    }
    into.open.append(text)
  }

  function addReasoning(text: string, ts: number): void {
    const into = (step ??= begin())
    closeText()
    if (!into.reasoning) {
      const body = prose()
      const summary = h('summary', {}, 'Thinking')
      const folded = h('details', { class: 'reasoning live' }, summary, body.element)
      into.reasoning = { element: folded, body, summary, began: ts }
      into.element.append(folded)
    }
    into.reasoning.body.append(text)
  }

  function cardOf(id: string, name: string, ts: number): ToolCard {
    const into = (step ??= begin())
    closeText()
    closeReasoning(ts)
    let card = into.cards.get(id)
    if (!card) {
      card = toolCard(name)
      into.cards.set(id, card)
      into.element.append(card.element)
    }
    return card
  }

  function reset(reason: string, ts: number): void {
    closeReasoning(ts)
    const chars = step?.texts.reduce((sum, { text }) => sum + text.length, 0) ?? 0
    for (const one of step?.texts ?? []) {
      one.finish()
      texts.delete(one)
    }
    step?.element.remove()
    element.append(takenBack(chars, reason))
    step = begin()
  }

  return {
    element,
    get text() {
      return [...texts].map(({ text }) => text).join('')
    },
    take(event, ts) {
      switch (event.type) {
        case 'step.start':
          step = begin()
          break
        case 'step.reset':
          reset(event.reason, ts)
          break
        case 'step.end':
          closeStep(ts)
          break
        case 'text.delta':
          addText(event.text, ts)
          break
        case 'reasoning.delta':
          addReasoning(event.text, ts)
          break
        case 'tool.call.delta':
          cardOf(event.call_id, event.name, ts).write(event.json)
          break
        case 'tool.call':
          cardOf(event.call_id, event.tool_call.name, ts).call(event.tool_call.input)
          break
        case 'tool.progress':
          step?.cards.get(event.call_id)?.progress(event.text)
          break
        case 'tool.result':
          cardOf(event.call_id, event.name, ts).result({
            content: event.tool_result,
            failed: event.is_error,
            ms: event.duration_ms,
          })
          break
        case 'citations':
          ;(step?.element ?? element).append(sources(event.citations))
          break
        case 'safety':
          ;(step?.element ?? element).append(
            note(`Safety: ${event.safety.category}, ${event.safety.action}`, 'warning'),
          )
          break
        case 'audio.delta':
          break
        case 'status':
        case 'warning':
          ;(step?.element ?? element).append(notice(event))
          break
        case 'finish':
        case 'error':
          closeStep(ts)
          break
        default:
      }
    },
    finish() {
      closeText()
      step?.reasoning?.body.finish()
    },
  }
}
