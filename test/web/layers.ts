/** For the browser, bundled by the test: the page's own way from markdown to elements, and what is left without its layers. */
import { Marked } from 'marked'
import type { Clock } from '../../src/core/clock.ts'
import { blocksOf, htmlOf, render, sanitise } from '../../web/src/markdown.ts'
import { prose } from '../../web/src/prose.ts'

const raw = (html: string) => document.createRange().createContextualFragment(html)
const plain = (text: string) => new Marked().parse(text, { async: false })

const ways = {
  'the page': (text: string) => render(text),
  'without the sanitiser': (text: string) => raw(htmlOf(blocksOf(text))),
  'with nothing but the sanitiser': (text: string) => sanitise(plain(text)),
  'with neither': (text: string) => raw(plain(text)),
}

export type Way = keyof typeof ways

/** Every kind of element and attribute, and every scheme of a link, that a way lets through. */
function found(way: Way, texts: readonly string[]): string[] {
  const all = new Set<string>()
  const template = document.createElement('template')
  for (const text of texts) {
    template.content.replaceChildren(attempt(way, text))
    for (const element of template.content.querySelectorAll('*')) {
      all.add(element.localName)
      for (const { name, value } of element.attributes) {
        all.add(`${element.localName}[${name}]`)
        if (/^(?:href|src|action|data|xlink:href)$/.test(name)) all.add(`${/^[\w-]*:?/.exec(value)?.[0]}`)
      }
    }
  }
  return [...all].toSorted()
}

/** Puts what a way makes of a text into the document, where it can do what it does. */
function show(way: Way, text: string): void {
  const box = document.createElement('div')
  document.body.append(box)
  box.append(attempt(way, text))
}

function attempt(way: Way, text: string): DocumentFragment {
  try {
    return ways[way](text)
  } catch {
    // Markdown that the parser cannot stand: the page shows it as text, the bare layers have nothing to show.
    return document.createDocumentFragment()
  }
}

/**
 * Streams a text through what the page shows it with, and lets it draw after each piece; its markup just before the end,
 * and after it.
 */
function streamed(pieces: readonly string[]): { readonly before: string; readonly after: string } {
  const clock = handClock()
  const view = prose(clock)
  for (const piece of pieces) {
    view.append(piece)
    clock.advance(200)
  }
  const copy = view.element.cloneNode(true) as HTMLElement
  const tail = copy.querySelector('.tail')
  tail?.replaceWith(...tail.childNodes)
  const before = copy.innerHTML
  view.finish()
  return { before, after: view.element.innerHTML }
}

/** Time that a test turns. The project's own fake clock waits with what only Node has. */
function handClock(): Clock & { advance(ms: number): void } {
  let now = 0
  let timers: { readonly at: number; readonly callback: () => void }[] = []
  return {
    now: () => now,
    after(ms, callback) {
      const timer = { at: now + ms, callback }
      timers.push(timer)
      return () => void (timers = timers.filter((one) => one !== timer))
    },
    advance(ms) {
      const until = now + ms
      for (;;) {
        const [next] = timers.filter(({ at }) => at <= until).toSorted((a, b) => a.at - b.at)
        if (!next) break
        timers = timers.filter((one) => one !== next)
        now = Math.max(now, next.at)
        next.callback()
      }
      now = until
    },
  }
}

function whole(text: string): string {
  const box = document.createElement('div')
  box.append(render(text))
  return box.innerHTML
}

const layers = { found, show, streamed, whole }
export type Layers = typeof layers
Object.assign(globalThis, { layers })
