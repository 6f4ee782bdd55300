/** Elements without a framework. Text only ever becomes text: no function here takes markup. */

export type Child = Node | string | undefined | false

/** Attributes by name; functions under `onclick` and the like are listeners. `undefined` and `false` leave out. */
export type Attributes = Readonly<Record<string, string | number | boolean | undefined | ((event: Event) => void)>>

/** An HTML element with its attributes and children. */
export function h<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes: Attributes = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[Tag] {
  const element = document.createElement(tag)
  fill(element, attributes, children)
  return element
}

/** As `h`, for SVG. */
export function svg<Tag extends keyof SVGElementTagNameMap>(
  tag: Tag,
  attributes: Attributes = {},
  ...children: readonly Child[]
): SVGElementTagNameMap[Tag] {
  const element = document.createElementNS('http://www.w3.org/2000/svg', tag)
  fill(element, attributes, children)
  return element
}

function fill(element: Element, attributes: Attributes, children: readonly Child[]): void {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === false) continue
    if (typeof value === 'function') element.addEventListener(name.slice(2), value)
    else element.setAttribute(name, value === true ? '' : String(value))
  }
  for (const child of children) if (child !== undefined && child !== false) element.append(child)
}

/** A button with a picture, and a name for those who do not see it. */
export function iconButton(name: IconName, label: string, onclick: (event: Event) => void): HTMLButtonElement {
  return h('button', { type: 'button', class: 'icon', 'aria-label': label, title: label, onclick }, icon(name))
}

/** Strokes on a 20 by 20 field. */
const icons = {
  plus: 'M10 4v12M4 10h12',
  send: 'M10 16V4.500M5 9l5-5 5 5',
  stop: 'M6 6h8v8H6z',
  copy: 'M7.500 7.500h8v8h-8zM4.500 12.500v-8h8',
  done: 'M4.500 10.500l3.500 3.500 7.500-8',
  retry: 'M15.500 10a5.500 5.500 0 1 1-1.800-4.100M15.500 3v3.500H12',
  chart: 'M4 9v2M7 6v8M10 3.500v13M13 7v6M16 9v2',
  menu: 'M4 6h12M4 10h12M4 14h12',
  close: 'M5 5l10 10M15 5L5 15',
  theme: 'M10 3.500a6.500 6.500 0 1 0 0 13zM10 3.500a6.500 6.500 0 0 1 0 13',
  play: 'M7 4.500l8 5.500-8 5.500z',
  pause: 'M7.500 5v10M12.500 5v10',
  down: 'M10 4v11.500M5 11l5 5 5-5',
  leave: 'M8 4H4.500v12H8M12.500 6.500L16 10l-3.500 3.500M16 10H8',
  tune: 'M4 6.500h7M15 6.500h1M4 13.500h1M9 13.500h7M13 4.500v4M7 11.500v4',
} as const

export type IconName = keyof typeof icons

export function icon(name: IconName): SVGElement {
  return svg('svg', { viewBox: '0 0 20 20', class: 'glyph', 'aria-hidden': 'true' }, svg('path', { d: icons[name] }))
}
