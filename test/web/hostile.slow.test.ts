import type { BrowserContext, Page, Request } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Script } from '../../src/sim/script.ts'
import { browserPath } from './browser.ts'
import { hostileMarkdown } from './hostile-markdown.ts'
import { ask, lastIs, webLab, type WebLab } from './lab.ts'

/** What a page of ours has to fetch; everything else was made to be fetched by a model. */
const own = new Set(['document', 'script', 'stylesheet', 'fetch', 'eventsource'])

/** Each payload as one piece, and cut into its characters: through every state that the page can show. */
const scripts: Record<string, Script> = Object.fromEntries(
  hostileMarkdown.flatMap((text, i) => [
    [`whole-${i}`, { steps: [{ text: [text] }] }],
    [`split-${i}`, { tokens_per_second: 600, steps: [{ text: Array.from(text.slice(0, 400)) }] }],
    [`thought-${i}`, { steps: [{ reasoning: [text] }, { text: 'x' }] }],
  ]),
)

describe.skipIf(browserPath === undefined)('hostile answers, in the page itself', () => {
  let lab: WebLab
  let context: BrowserContext
  const foreign: string[] = []

  beforeAll(async () => {
    lab = await webLab({ scripts })
    context = await lab.signIn()
    await context.addInitScript(() => {
      Object.assign(globalThis, {
        ran: 0,
        violations: [],
        pwn: () => void (globalThis as unknown as { ran: number }).ran++,
      })
      document.addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) =>
        (globalThis as unknown as { violations: string[] }).violations.push(`${violatedDirective} ${blockedURI}`),
      )
    })
    context.on('request', (request: Request) => {
      const url = new URL(request.url())
      if (url.origin !== lab.url || !own.has(request.resourceType())) foreign.push(`${request.resourceType()} ${url}`)
    })
  })
  afterAll(() => lab?.close())

  async function outcome(page: Page) {
    const { ran, violations } = await page.evaluate<{ ran: number; violations: string[] }>('({ ran, violations })')
    return {
      ran,
      violations,
      foreign: foreign.filter((one) => !one.includes('/assets/favicon')),
      pages: context.pages().length,
    }
  }

  for (const way of ['whole', 'split', 'thought']) {
    test(`${way}: no script runs, nothing is asked for outside, and no policy has to step in`, async () => {
      const page = await context.newPage()
      await page.goto(lab.url)
      for (const i of hostileMarkdown.keys()) {
        const id = await lab.start(`${way}-${i}`)
        await page.evaluate((run) => {
          location.hash = `#run=${run}`
        }, id)
        await page.waitForSelector(`article[data-run="${id}"]:not([data-status=running])`)
        await page.evaluate(() => {
          for (const folded of document.querySelectorAll('details')) folded.open = true
        })
      }
      expect(await outcome(page)).toEqual({ ran: 0, violations: [], foreign: [], pages: 1 })
      await page.close()
    })
  }

  test('a prompt, a title, a tool name and an error are text too', async () => {
    const page = await context.newPage()
    await page.goto(lab.url)
    const hostile = '<img src=x onerror=pwn()><script>pwn()</script> **b**'
    await ask(page, { text: hostile, model: 'lorem' })
    await lastIs(page, 'completed')
    expect(await page.locator('.said p').innerText()).toBe(hostile)
    expect(await page.locator('.bar h1').innerText()).toBe(hostile)
    await ask(page, { text: 'x', model: `${hostile}?` })
    await page.locator('.failure').waitFor()
    expect(await page.locator('main img, main script').count()).toBe(0)
    expect(await outcome(page)).toEqual({ ran: 0, violations: [], foreign: [], pages: 1 })
    await page.close()
  })

  test('a policy that has to step in is noticed', async () => {
    const page = await context.newPage()
    await page.goto(lab.url)
    await page.evaluate(() => {
      document.body.append(Object.assign(document.createElement('img'), { src: 'https://evil.example/seen.png' }))
    })
    await page.waitForFunction('violations.length > 0')
    expect(await page.evaluate('violations')).toContain('img-src https://evil.example/seen.png')
    // Trusted Types: a string does not become markup, not even by our own mistake.
    expect(
      await page.evaluate(() => {
        try {
          document.body.innerHTML = '<b>x</b>'
          return 'taken'
        } catch {
          return 'refused'
        }
      }),
    ).toBe('refused')
    await page.close()
  })

  test('a link shows where it leads, and opens without a way back', async () => {
    const page = await context.newPage()
    await page.goto(lab.url)
    await ask(page, {
      text: '[your bank](https://evil.example/login) ![pixel](https://evil.example/p.png?q=1)',
      model: 'echo',
    })
    await lastIs(page, 'completed')
    const links = await page
      .locator('.prose a')
      .evaluateAll((all) =>
        all.map((a) => [
          a.textContent,
          ...['href', 'rel', 'target', 'data-target'].map((name) => a.getAttribute(name)),
        ]),
      )
    expect(links).toEqual([
      ['your bank', 'https://evil.example/login', 'noopener noreferrer', '_blank', 'evil.example'],
      [
        '[Image: pixel] https://evil.example/p.png?q=1',
        'https://evil.example/p.png?q=1',
        'noopener noreferrer',
        '_blank',
        null,
      ],
    ])
    await page.close()
  })
})
