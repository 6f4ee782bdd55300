/**
 * What a model wrote becomes elements that cannot run, load or send anything. Three layers, each of which is enough by
 * itself and is tested by itself: markdown knows no raw HTML here, DOMPurify lets through a short list of tags and
 * attributes, and the Content-Security-Policy of the page forbids the rest.
 */
import DOMPurify from 'dompurify'
import { Lexer, Marked, Parser, type Links, type Token } from 'marked'
import { h } from './dom.ts'

/** Longest block that is treated as markdown; a longer one is shown as it is. Characters. */
const MAX_BLOCK_CHARS = 200_000

const marked = new Marked({
  gfm: true,
  tokenizer: {
    // No token of raw HTML comes into being: `<` is a character like others.
    html: () => undefined,
    tag: () => undefined,
  },
  renderer: {
    html: ({ text }) => escaped(text),
    checkbox: ({ checked }) => (checked ? '☑ ' : '☐ '),
    code({ text, lang = '' }) {
      const [language = ''] = /^[\w+#.-]{1,30}/.exec(lang) ?? []
      return `<pre><code${language && ` class="language-${language}"`}>${escaped(text)}\n</code></pre>\n`
    },
    link({ href, tokens }) {
      const text = this.parser.parseInline(tokens)
      const url = safeUrl(href)
      return url === undefined ? text : `<a href="${escaped(url)}">${text}</a>`
    },
    // A picture would be a request to wherever the model says, with whatever it put into the address.
    image({ href, text }) {
      const url = safeUrl(href)
      const name = `Image${text && `: ${text}`}`
      return url === undefined
        ? `[${escaped(name)}]`
        : `<a href="${escaped(url)}">[${escaped(name)}] ${escaped(url)}</a>`
    },
  },
})

/** A piece of markdown in its blocks. `known` are the link targets that earlier pieces defined; those of this one are added. */
export function blocksOf(text: string, known: Links = {}): Token[] {
  const lexer = new Lexer(marked.defaults)
  Object.assign(lexer.tokens.links, known)
  const tokens = lexer.lex(text)
  Object.assign(known, tokens.links)
  return tokens
}

/** Markdown as HTML that holds nothing of the model's own HTML. It is sanitised before it is shown all the same. */
export function htmlOf(tokens: Token[]): string {
  return Parser.parse(tokens, marked.defaults)
}

/** The elements of a piece of markdown. */
export function render(text: string, known: Links = {}): DocumentFragment {
  if (text.length > MAX_BLOCK_CHARS) return plain(text)
  try {
    return dressed(sanitise(htmlOf(blocksOf(text, known))))
  } catch {
    // Ten thousand nested quotes, say: it is text, whatever the parser thinks of it.
    return plain(text)
  }
}

/** HTML without everything that is not on the list. */
export function sanitise(html: string): DocumentFragment {
  return DOMPurify.sanitize(html, {
    ALLOWED_TAGS:
      'a blockquote br code del em h1 h2 h3 h4 h5 h6 hr li ol p pre strong table tbody td th thead tr ul'.split(' '),
    ALLOWED_ATTR: ['href', 'class', 'align', 'start'],
    // These hold no addresses, and need not look like one.
    ADD_URI_SAFE_ATTR: ['align', 'start'],
    ALLOWED_URI_REGEXP: /^(?:https?:\/\/|mailto:)/i,
    ALLOW_ARIA_ATTR: false,
    ALLOW_DATA_ATTR: false,
    RETURN_DOM_FRAGMENT: true,
  })
}

/** Links say where they lead and lead there without telling from where; code can be copied; tables can be scrolled. */
function dressed(fragment: DocumentFragment): DocumentFragment {
  for (const element of fragment.querySelectorAll('[class]')) {
    if (element.localName !== 'code' || !/^language-[\w+#.-]+$/.test(element.className))
      element.removeAttribute('class')
  }
  for (const link of fragment.querySelectorAll('a')) {
    const url = safeUrl(link.getAttribute('href') ?? '')
    if (url === undefined) {
      link.replaceWith(...link.childNodes)
      continue
    }
    link.href = url
    link.target = '_blank'
    link.rel = 'noopener noreferrer'
    link.title = url
    const shown = targetOf(url)
    if (!link.textContent.includes(shown)) link.dataset['target'] = shown
  }
  for (const pre of fragment.querySelectorAll('pre')) {
    const language = /language-(.+)/.exec(pre.firstElementChild?.className ?? '')?.[1]
    const bar = h('div', { class: 'code-bar' }, h('span', {}, language ?? 'text'), copyButton())
    const box = h('div', { class: 'code' })
    pre.replaceWith(box)
    pre.tabIndex = 0
    box.append(bar, pre)
  }
  for (const table of fragment.querySelectorAll('table')) {
    const box = h('div', { class: 'wide', tabindex: 0, role: 'group', 'aria-label': 'Table' })
    table.replaceWith(box)
    box.append(table)
  }
  return fragment
}

/** `main.ts` listens for all of these at once: blocks are replaced while they grow, and would lose a listener. */
const copyButton = () => h('button', { type: 'button', 'data-copy': 'code', class: 'quiet' }, 'Copy')

/** An address that may be followed, spelled in full; undefined for everything else. */
export function safeUrl(href: string): string | undefined {
  if (!/^(?:https?:\/\/|mailto:)/i.test(href) || !URL.canParse(href)) return undefined
  return new URL(href).href
}

/** Where a link leads, in short: its host as the network spells it, so that look-alike letters show. */
function targetOf(url: string): string {
  const { host, protocol, pathname } = new URL(url)
  return protocol === 'mailto:' ? pathname : host
}

function plain(text: string): DocumentFragment {
  const fragment = document.createDocumentFragment()
  fragment.append(h('p', { class: 'as-is' }, text))
  return fragment
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}
const escaped = (text: string) => text.replace(/[&<>"']/g, (char) => entities[char]!)
