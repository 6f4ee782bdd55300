/** The page around the conversation: its list at the side, its bar above, and what scrolls in between. */
import { h, icon, iconButton, svg } from './dom.ts'

export interface Frame {
  readonly element: HTMLElement
  /** The name of what is shown. */
  title(text: string, live: boolean): void
  /** Keeps the end in view while it grows, unless the reader went up. */
  toEnd(): void
  /** Makes a change that gives the conversation another width, and keeps what is read in its place. */
  keep(change: () => void): void
  closeMenu(): void
  toggleMenu(): void
}

export interface FrameParts {
  readonly list: HTMLElement
  readonly connection: HTMLElement
  readonly content: HTMLElement
  readonly composer: HTMLElement
  readonly inspector: HTMLElement
  readonly onNew: () => void
  readonly onTheme: () => void
  readonly onHelp: () => void
  readonly onLeave: () => void
}

/** Nearer to the end than this counts as being there. Pixels. */
const NEAR = 48

export function frame(parts: FrameParts): Frame {
  const name = h('h1', {}, 'New conversation')
  const jump = h(
    'button',
    { type: 'button', class: 'jump', hidden: true, onclick: () => toEnd() },
    icon('down'),
    'To the end',
  )
  const scroll = h('div', { class: 'scroll', onscroll: scrolled }, parts.content)
  const side = h(
    'div',
    { class: 'side', id: 'side' },
    h(
      'header',
      {},
      h(
        'a',
        { class: 'mark', href: '#', 'aria-label': 'Runlet, a new conversation', onclick: begin },
        wave(),
        'Runlet',
      ),
      iconButton('plus', 'New conversation (n)', begin),
    ),
    parts.list,
    h(
      'footer',
      {},
      iconButton('theme', 'Light or dark (t)', parts.onTheme),
      iconButton('leave', 'Sign out of this browser', parts.onLeave),
      h('span', { class: 'spring' }),
      h(
        'button',
        { type: 'button', class: 'quiet', title: 'Keyboard shortcuts (?)', onclick: parts.onHelp },
        h('kbd', {}, '?'),
        'Keys',
      ),
    ),
  )
  const menu = iconButton('menu', 'Conversations', () => toggleMenu())
  menu.classList.add('menu')
  menu.setAttribute('aria-controls', 'side')
  menu.setAttribute('aria-expanded', 'false')
  const shade = h('div', { class: 'shade', onclick: () => closeMenu() })
  const main = h(
    'main',
    {},
    h('header', { class: 'bar' }, menu, name, parts.connection),
    scroll,
    h('div', { class: 'foot' }, jump, parts.composer),
  )
  const element = h(
    'div',
    { class: 'frame' },
    h('a', { class: 'skip', href: '#message', onclick: skip }, 'To the message field'),
    side,
    shade,
    main,
    parts.inspector,
  )

  let following = true
  function scrolled(): void {
    following = scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < NEAR
    jump.hidden = following
  }
  function toEnd(): void {
    following = true
    jump.hidden = true
    scroll.scrollTop = scroll.scrollHeight
  }
  function keep(change: () => void): void {
    const anchor = following ? undefined : lastInView(scroll)
    const bottom = anchor ? ends(anchor) : 0
    change()
    if (following) toEnd()
    else if (anchor) scroll.scrollTop += ends(anchor) - bottom
  }
  const grown = new ResizeObserver(() => {
    if (following) scroll.scrollTop = scroll.scrollHeight
    else scrolled()
  })
  grown.observe(parts.content)
  grown.observe(scroll)

  function begin(event: Event): void {
    event.preventDefault()
    closeMenu()
    parts.onNew()
  }
  function toggleMenu(): void {
    const open = element.classList.toggle('menu-open')
    menu.setAttribute('aria-expanded', String(open))
    main.inert = open
    if (open) side.querySelector<HTMLElement>('a, button')?.focus()
  }
  function closeMenu(): void {
    if (!element.classList.contains('menu-open')) return
    element.classList.remove('menu-open')
    menu.setAttribute('aria-expanded', 'false')
    main.inert = false
    menu.focus()
  }

  return {
    element,
    title(text, live) {
      name.textContent = text
      name.title = text
      document.title = `${live ? '● ' : ''}${text} · Runlet`
    },
    toEnd,
    keep,
    closeMenu,
    toggleMenu,
  }
}

const wave = () =>
  svg(
    'svg',
    { viewBox: '0 0 32 32', class: 'wave', 'aria-hidden': 'true' },
    svg('path', { d: 'M5 14v4M11 9v14M17 5v22M23 11v10M28.500 14.500v3' }),
  )

/** The block that ends nearest to the lower edge of what is in view: what stands just above the composer. */
function lastInView(scroll: HTMLElement): Element | undefined {
  const { bottom } = scroll.getBoundingClientRect()
  const away = (block: Element) => Math.abs(ends(block) - bottom)
  const blocks = [...scroll.querySelectorAll('.prose > *, .prose li, .said, .note, .failure, .tool, .ending')]
  return blocks.toSorted((a, b) => away(a) - away(b))[0]
}

const ends = (block: Element): number => block.getBoundingClientRect().bottom

function skip(event: Event): void {
  event.preventDefault()
  document.querySelector<HTMLElement>('#message')?.focus()
}
