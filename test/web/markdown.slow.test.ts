import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Browser, Page } from 'playwright-core'
import { build } from 'vite'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { browserPath, launchBrowser } from './browser.ts'
import { hostileMarkdown } from './hostile-markdown.ts'
import type { Layers, Way } from './layers.ts'

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url))

declare const layers: Layers

/** Elements and attributes that an answer consists of: text, lists, tables, code and links. */
const harmless = new Set(
  'a a[href] blockquote br code code[class] del em h1 h2 h3 h4 h5 h6 hr li ol ol[start] p p[class] pre strong table tbody td td[align] th th[align] thead tr ul http: https: mailto:'.split(
    ' ',
  ),
)
/** What the page itself puts around them. */
const dress = new Set(
  'a[data-target] a[rel] a[target] a[title] button button[class] button[data-copy] button[type] div div[aria-label] div[class] div[role] div[tabindex] pre[tabindex] span'.split(
    ' ',
  ),
)

describe.skipIf(browserPath === undefined)('markdown of a model, in a browser without any policy', () => {
  let browser: Browser
  let bundle: string

  beforeAll(async () => {
    browser = await launchBrowser()
    const built = await build({
      configFile: false,
      logLevel: 'silent',
      build: { write: false, minify: false, lib: { entry: path('./layers.ts'), formats: ['iife'], name: 'bundle' } },
    })
    const [{ output }] = built as { output: { code: string }[] }[] as [{ output: [{ code: string }] }]
    bundle = output[0].code
  })
  afterAll(() => browser?.close())

  /** A document without a Content-Security-Policy, where whatever is let through works; and what it did. */
  async function bareDocument(): Promise<{ page: Page; did: () => Promise<{ ran: number; asked: string[] }> }> {
    const page = await browser.newPage()
    const asked: string[] = []
    await page.route('**/*', (route) => {
      const { hostname, pathname } = new URL(route.request().url())
      if (hostname === 'page.test' && pathname === '/') return route.fulfill({ contentType: 'text/html', body: '<p>' })
      asked.push(route.request().url())
      return route.abort()
    })
    await page.addInitScript('window.ran = 0; window.pwn = () => { window.ran++ }')
    await page.goto('http://page.test/')
    await page.addScriptTag({ content: bundle })
    return { page, did: async () => ({ ran: await page.evaluate('window.ran'), asked }) }
  }

  async function show(way: Way, texts: readonly string[]) {
    const { page, did } = await bareDocument()
    for (const text of texts) {
      // A payload that leaves the page has worked.
      await page.evaluate(([how, what]) => layers.show(how, what), [way, text] as const).catch(() => {})
    }
    // An image of our own, asked for last: what failed before it has told so.
    await page
      .evaluate(
        () => new Promise((resolve) => Object.assign(new Image(), { onerror: resolve, src: 'http://page.test/last' })),
      )
      .catch(() => {})
    const { ran, asked } = await did()
    await page.close()
    return { ran, asked: asked.filter((url) => url !== 'http://page.test/last') }
  }

  test('there are more than a hundred payloads, and without the two layers they work', async () => {
    expect(hostileMarkdown.length).toBeGreaterThan(100)
    // Those that would leave the page are shown by themselves elsewhere.
    const staying = hostileMarkdown.filter((text) => !/http-equiv|<base/.test(text))
    const { ran, asked } = await show('with neither', staying)
    expect(ran).toBeGreaterThan(25)
    expect(asked.length).toBeGreaterThan(25)
  })

  const safe: Way[] = ['the page', 'without the sanitiser', 'with nothing but the sanitiser']
  for (const way of safe) {
    test(`${way}: nothing runs, and nothing is asked for`, async () => {
      expect(await show(way, hostileMarkdown)).toEqual({ ran: 0, asked: [] })
    })

    test(`${way}: of each payload, and of each of its beginnings, only harmless elements are left`, async () => {
      const { page } = await bareDocument()
      const beginnings = hostileMarkdown.flatMap((text) =>
        text.length > 500 ? [text] : Array.from({ length: text.length }, (_, i) => text.slice(0, i + 1)),
      )
      const found = await page.evaluate(([how, all]) => layers.found(how, all), [way, beginnings] as const)
      const known = new Set([...harmless, ...(way === 'the page' ? dress : [])])
      expect(found.filter((one) => !known.has(one))).toEqual([])
      await page.close()
    })
  }

  test('the check sees what the layers keep out', async () => {
    const { page } = await bareDocument()
    const found = await page.evaluate((all) => layers.found('with neither', all), hostileMarkdown)
    expect(found).toEqual(
      expect.arrayContaining(['img[onerror]', 'script', 'iframe[srcdoc]', 'a[ping]', 'javascript:']),
    )
    await page.close()
  })

  const rendered: [markdown: string, html: string][] = [
    ['# A *b* `c` **d** ~~e~~', '<h1>A <em>b</em> <code>c</code> <strong>d</strong> <del>e</del></h1>'],
    ['3. x\n4. y', '<ol start="3"> <li>x</li> <li>y</li> </ol>'],
    ['- [x] done\n- [ ] open', '<ul> <li>☑ done</li> <li>☐ open</li> </ul>'],
    [
      '|a|b|\n|:-:|--:|\n|1|2|',
      '<div class="wide" tabindex="0" role="group" aria-label="Table"><table> <thead> <tr> <th align="center">a</th> <th align="right">b</th> </tr> </thead> <tbody><tr> <td align="center">1</td> <td align="right">2</td> </tr> </tbody></table></div>',
    ],
    [
      '```ts\na < b\n```',
      '<div class="code"><div class="code-bar"><span>ts</span><button type="button" data-copy="code" class="quiet">Copy</button></div><pre tabindex="0"><code class="language-ts">a &lt; b </code></pre></div>',
    ],
    ['> q\n\n---', '<blockquote> <p>q</p> </blockquote> <hr>'],
    ['a <b>bold</b> & so <on>', '<p>a &lt;b&gt;bold&lt;/b&gt; &amp; so &lt;on&gt;</p>'],
    [
      'https://example.org/x',
      '<p><a href="https://example.org/x" target="_blank" rel="noopener noreferrer" title="https://example.org/x">https://example.org/x</a></p>',
    ],
    [
      '[x](mailto:a@b.example)',
      '<p><a href="mailto:a@b.example" target="_blank" rel="noopener noreferrer" title="mailto:a@b.example" data-target="a@b.example">x</a></p>',
    ],
    ['![alt](/local.png) [here](#there)', '<p>[Image: alt] here</p>'],
  ]
  test('what markdown can say is shown, and nothing is lost with what is kept out', async () => {
    const { page } = await bareDocument()
    for (const [markdown, html] of rendered) {
      const shown = await page.evaluate((text) => layers.whole(text), markdown)
      expect(shown.replaceAll(/\s+/g, ' ').trim()).toBe(html)
    }
    await page.close()
  })

  const texts: [name: string, text: string][] = [
    ['a document of this project', readFileSync(path('../../docs/simulator.md'), 'utf8')],
    [
      'lists, quotes and code',
      '- a\n\n- b\n\n  c\n\n> q\nlazy\n\n1. x\n2. y\n\n```js\nlet a\n\nlet b\n```\nend\n\n***\n\nSetext\n---\nlast',
    ],
    ['a heading that is none', 'text\n#\n#hash tag\n\ntext\n#5 is a number\n# A heading\n'],
    ['line ends of all kinds', 'one\r\ntwo\rthree\n\r\n- a\r\n- b\r'],
    [
      'links that are explained later',
      'See [one] and [two].\n\nMore.\n\n[one]: https://one.example\n[two]: https://two.example\n\n[one] again',
    ],
    ['hostile markdown, one after the other', hostileMarkdown.filter((text) => text.length < 500).join('\n\n')],
  ]
  for (const [name, text] of texts) {
    test(`${name}: piece by piece it becomes what it is at once`, async () => {
      const { page } = await bareDocument()
      const wanted = await page.evaluate((all) => layers.whole(all), text)
      for (const size of [1, 7, 64]) {
        if (text.length / size > 1_500) continue
        const pieces = text.match(new RegExp(`[^]{1,${size}}`, 'g')) ?? []
        const { before, after } = await page.evaluate((all) => layers.streamed(all), pieces)
        expect(after).toBe(wanted)
        // Links that are explained below their use are the one thing that the end changes.
        if (!text.includes(']: ')) expect(before).toBe(wanted)
      }
      await page.close()
    })
  }
})
