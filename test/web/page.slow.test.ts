import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { gzipSync } from 'node:zlib'
import type { BrowserContext, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { program, runlet } from '../system/daemon.ts'
import { browserPath } from './browser.ts'
import { ask, lastIs, lastText, shows, webLab, type WebLab } from './lab.ts'

const assets = join(dirname(program), '../web/assets')

/** A folder for pictures of the page, for people to look at. */
const shots = process.env['RUNLET_TEST_SHOTS']

describe.skipIf(browserPath === undefined)('what the page offers', () => {
  let lab: WebLab
  let context: BrowserContext

  beforeAll(async () => {
    lab = await webLab({
      scripts: {
        tour: {
          tokens_per_second: 200,
          steps: [
            { reasoning: 'A table, a list and some code will show most of it.' },
            {
              text: '# What a page must set\n\nA paragraph with *emphasis*, `code` and [a link](https://example.org/a/b).\n\n| kind | width |\n|---|--:|\n| table | 640 |\n| code | 1,280 |\n\n1. one\n2. two, with a rather long line that has to be broken on a phone without a question\n\n> A quotation.\n\n```ts\nconst answer = await runlet.start({ model: "openai/gpt-5-mini", messages, tools: [clock, search, files] })\n```\n\nThe end.',
            },
          ],
        },
      },
    })
    context = await lab.signIn()
  })
  afterAll(() => lab?.close())

  async function open(hash = ''): Promise<Page> {
    const page = await context.newPage()
    await page.goto(`${lab.url}/${hash}`)
    await page.waitForSelector('.composer')
    return page
  }

  test('a tool is a card with its name, what it was asked, and what came out', async () => {
    const page = await open()
    await page.getByRole('button', { name: 'Settings' }).click()
    await page.getByLabel('current_time').check()
    await ask(page, { text: 'What time is it?', model: 'tools' })
    await lastIs(page, 'completed')
    const card = page.locator('details.tool')
    expect(await card.locator('summary code').innerText()).toBe('current_time')
    expect(await card.locator('.state').innerText()).toMatch(/^done in \d+ ms$/)
    await card.locator('summary').click()
    expect(await card.locator('pre').first().innerText()).toBe('{}')
    expect(await card.locator('.output').innerText()).toMatch(/^\d{4}-\d\d-\d\dT/)
    expect(await lastText(page)).toContain('current_time says:')
    await page.close()
  })

  test('reasoning is folded, and can be read', async () => {
    const page = await open()
    await ask(page, { text: 'Count', model: 'reasoning' })
    await lastIs(page, 'completed')
    expect(await page.locator('details.reasoning .prose').isVisible()).toBe(false)
    await page.locator('details.reasoning summary').click()
    expect(await page.locator('details.reasoning .prose').innerText()).toContain('The user wrote "Count"')
    await page.close()
  })

  test('an error shows its code, what happened and what to do, and the question can be asked again', async () => {
    const page = await open()
    await ask(page, { text: 'Go', model: 'lorem-100?end=3000&fail-first=1' })
    await lastIs(page, 'failed')
    expect(await page.locator('.failure code').allInnerTexts()).toEqual(['network', 'stream_eof_before_done'])
    expect(await page.getByRole('button', { name: 'Ask again' }).count()).toBe(0)
    expect(await page.locator('.failure .hint').innerText()).toMatch(/^This may pass: the same request can succeed in/)
    await page.locator('.failure').getByRole('button', { name: 'Try again' }).click()
    await page.locator('article.run').nth(1).waitFor()
    await lastIs(page, 'completed')
    expect(await page.locator('.said p').allInnerTexts()).toEqual(['Go', 'Go'])
    await page.close()
  })

  test('a request that is refused says why, and what was written is not lost', async () => {
    const page = await open()
    await page.fill('#model', 'nowhere/model')
    await page.fill('#message', 'A long question')
    await page.press('#message', 'Enter')
    await page.locator('.failure').waitFor()
    expect(await page.locator('.failure code').allInnerTexts()).toEqual(['not_found', 'model_unknown'])
    expect(await page.locator('.failure .hint').innerText()).toBe(
      'Correct the name in the model field, or choose one of those that the field offers.',
    )
    expect(await page.inputValue('#message')).toBe('A long question')
    expect(await page.locator('article.run').count()).toBe(0)
    await page.close()
  })

  test('text that is taken back is gone, and a line says so', async () => {
    const id = await lab.start('lorem-60?cut=4000&fail-first=1', 'Go', { on_interrupt: 'restart' })
    const page = await open(`#run=${id}`)
    await lastIs(page, 'completed')
    expect(await page.locator('.note.reset').innerText()).toMatch(/^\d+ characters taken back/)
    expect(await lastText(page)).toBe((await lab.run(id)).output_text)
    await page.close()
  })

  test('the inspector has the figures, draws the times, lists the events and replays the run', async () => {
    const page = await open()
    await ask(page, { model: 'lorem-40?tps=100' })
    await lastIs(page, 'completed')
    const whole = await page.locator('article.run .body').innerHTML()
    await page.locator('.ending').getByRole('button', { name: 'Inspect' }).click()
    const names = await page.locator('.sheet dt').allInnerTexts()
    expect(names.slice(0, 2)).toEqual(['Time to first token', 'Tokens per second'])
    for (const drawing of await page.locator('.charts svg').all()) {
      expect(await drawing.locator('path[d^="M"]').count()).toBeGreaterThan(1)
    }
    expect(await page.locator('.events code').allInnerTexts()).toEqual([
      'start',
      'turn.start',
      'step.start',
      'text.delta × 40',
      'step.end',
      'turn.end',
      'finish',
    ])
    const slider = page.getByLabel('Place in the run')
    await slider.fill('0')
    expect(await page.locator('article.run .prose').count()).toBe(0)
    await page.getByLabel('Speed').selectOption('16')
    await page.locator('.replay').getByRole('button', { name: 'Replay' }).click()
    await page.locator('article.replayed[data-status=completed]').waitFor()
    expect(await page.locator('article.run .body').innerHTML()).toBe(whole)
    await page.getByRole('button', { name: 'Close the inspector' }).click()
    expect(await page.locator('article.replayed').count()).toBe(0)
    expect(await page.locator('article.run .body').innerHTML()).toBe(whole)
    await page.close()
  })

  test('everything is reached by the keyboard, in order, and shows that it is', async () => {
    const page = await open()
    await ask(page, { model: 'lorem-20' })
    await lastIs(page, 'completed')
    await page.locator('.connection[data-state=ended]').waitFor()
    await page.evaluate(() => (document.activeElement as HTMLElement).blur())
    const reached: string[] = []
    for (let i = 0; i < 40; i++) {
      await page.keyboard.press('Tab')
      const [name, outline] = await page.evaluate(() => {
        const one = document.activeElement as HTMLElement
        if (one === document.body) return ['body', true] as const
        // The field for messages has its frame lit up instead of a line around itself.
        const shown = one.matches('.composer textarea') ? one.closest('.composer')! : one
        const { outlineStyle, borderColor } = getComputedStyle(shown)
        const lit =
          shown === one
            ? outlineStyle !== 'none'
            : borderColor !== getComputedStyle(document.querySelector('.side')!).borderRightColor
        return [one.getAttribute('aria-label') ?? one.textContent.trim(), lit] as const
      })
      if (name === reached[0]) break
      // Behind the last element the browser itself has the focus.
      if (name === 'body') continue
      reached.push(name)
      expect([name, outline]).toEqual([name, true])
    }
    expect(reached).toEqual(
      expect.arrayContaining([
        'To the message field',
        'New conversation (n)',
        'Inspect this run',
        'Copy',
        'Ask again',
        'Inspect',
        'Message',
        'Model',
        'Settings',
      ]),
    )
    await page.close()
  })

  test('the keys of the help do what it says', async () => {
    const page = await open()
    await ask(page, { text: 'Key', model: 'lorem-5' })
    await lastIs(page, 'completed')
    await page.locator('.bar h1').click()
    await page.keyboard.press('?')
    expect(await page.locator('dialog[open] dt').count()).toBeGreaterThan(10)
    await page.keyboard.press('Escape')
    await page.keyboard.press('i')
    expect(await page.locator('.inspector').isVisible()).toBe(true)
    await page.keyboard.press('Escape')
    expect(await page.locator('.inspector').isVisible()).toBe(false)
    await page.locator('.bar h1').click()
    await page.keyboard.press('t')
    expect(await page.locator('html').getAttribute('data-theme')).toBe('dark')
    await page.keyboard.press('t')
    expect(await page.locator('html').getAttribute('data-theme')).toBe(null)
    await page.keyboard.press('n')
    expect(await page.locator('article.run').count()).toBe(0)
    await page.keyboard.type('nit')
    expect(await page.inputValue('#message')).toBe('nit')
    await page.close()
  })

  test('the page says aloud that an answer begins and ends, and never each word', async () => {
    const page = await open()
    await page.evaluate(() => {
      const said: string[] = []
      Object.assign(globalThis, { said })
      const live = document.querySelector('[role=status]')!
      new MutationObserver(() => said.push(live.textContent)).observe(live, {
        childList: true,
        characterData: true,
        subtree: true,
      })
    })
    await ask(page, { model: 'lorem-30?tps=60' })
    await lastIs(page, 'completed')
    await page.waitForFunction('said.length > 0 && said.at(-1).startsWith("The answer is complete")')
    const said = await page.evaluate<string[]>('said')
    expect(said.at(-1)).toBe('The answer is complete: 30 words.')
    expect(said.length).toBeLessThanOrEqual(3)
    expect(await page.locator('.transcript').getAttribute('aria-live')).toBe('off')
    await page.close()
  })

  const viewports = {
    wide: { width: 1360, height: 860 },
    tablet: { width: 820, height: 1100 },
    phone: { width: 360, height: 780 },
  }
  for (const [size, viewport] of Object.entries(viewports)) {
    for (const colorScheme of ['light', 'dark'] as const) {
      test(`nothing is wider than the page: ${size}, ${colorScheme}`, async () => {
        const page = await open()
        await page.setViewportSize(viewport)
        await page.emulateMedia({ colorScheme })
        await ask(page, { text: 'Show me everything', model: 'tour' })
        await lastIs(page, 'completed')
        if (shots) await page.screenshot({ path: join(shots, `${size}-${colorScheme}.png`) })
        await page.locator('.ending').getByRole('button', { name: 'Inspect' }).click()
        if (shots) await page.screenshot({ path: join(shots, `${size}-${colorScheme}-inspector.png`) })
        const over = await page.evaluate(() =>
          [document.documentElement, ...document.querySelectorAll('main, .scroll, .inspector-body, .foot')].flatMap(
            (one) => (one.scrollWidth > one.clientWidth ? [one.className || one.localName] : []),
          ),
        )
        expect(over).toEqual([])
        await page.close()
      })
    }
  }

  test('without a session it says how to get in; the link lets in once, and leaves no trace in the address', async () => {
    const fresh = await lab.browser.newContext()
    const page = await fresh.newPage()
    await page.goto(`${lab.url}/#run=whatever`)
    await page.locator('.login').waitFor()
    expect(await page.locator('.login pre').innerText()).toBe('runlet page')
    await page.fill('#code', 'wrong')
    await page.getByRole('button', { name: 'Open' }).click()
    await page.locator('.fault', { hasText: 'runlet page' }).waitFor()

    const { stdout } = await runlet(lab.home, ['page'])
    const code = /#login=([\w-]+)/.exec(stdout)?.[1] ?? 'none'
    await page.goto('about:blank')
    await page.goto(`${lab.url}/#login=${code}`)
    await page.waitForSelector('.composer')
    expect(page.url()).toBe(`${lab.url}/`)
    expect(await page.evaluate('document.cookie')).toBe('')
    await page.reload()
    await page.waitForSelector('.composer')

    const second = await lab.browser.newContext()
    const other = await second.newPage()
    await other.goto(`${lab.url}/#login=${code}`)
    await other.locator('.fault', { hasText: 'used already' }).waitFor()

    await page.getByRole('button', { name: 'Sign out of this browser' }).click()
    await page.locator('.login').waitFor()
    expect(await page.locator('.fault').innerText()).toBe('')
    await page.reload()
    await page.locator('.login').waitFor()
    await fresh.close()
    await second.close()
  })

  test('the address names no server, whatever it says', async () => {
    const asked: string[] = []
    const page = await context.newPage()
    page.on('request', (request) => asked.push(new URL(request.url()).origin))
    for (const place of [
      '?server=https://evil.example',
      '?baseUrl=//evil.example#run=x',
      '#run=//evil.example/x',
      '#run=../../evil&url=https://evil.example',
    ]) {
      await page.goto(`${lab.url}/${place}`)
      await page.waitForSelector('.composer')
    }
    expect(new Set(asked)).toEqual(new Set([lab.url]))
    await page.close()
  })

  test('is light: 60 KiB over the network, and 12 more for the worker that tabs share', async () => {
    const page = await lab.browser.newPage()
    const sizes: Record<string, number> = {}
    page.on('response', async (response) => {
      if (new URL(response.url()).pathname.startsWith('/assets/')) {
        sizes[response.request().resourceType()] = Number(await response.headerValue('content-length'))
      }
    })
    await page.goto(lab.url, { waitUntil: 'networkidle' })
    const worker = readdirSync(assets).find((name) => name.startsWith('hub-worker'))!
    expect(sizes['script']! + sizes['stylesheet']!).toBeGreaterThan(20 * 1_024)
    expect(sizes['script']! + sizes['stylesheet']!).toBeLessThan(60 * 1_024)
    expect(gzipSync(readFileSync(join(assets, worker)), { level: 9 }).length).toBeLessThan(12 * 1_024)
    await page.close()
  })

  test('six tabs that watch six runs leave the browser connections for the rest', async () => {
    const ids = await Promise.all(Array.from({ length: 6 }, () => lab.start('lorem-2000?tps=30')))
    const pages: Page[] = []
    for (const id of ids) {
      const page = await open(`#run=${id}`)
      await shows(page, 30)
      pages.push(page)
    }
    const before = await Promise.all(pages.map(lastText))
    for (const [i, page] of pages.entries()) {
      await shows(page, before[i]!.length + 30)
      // The list, which every tab asks for, is answered: no tab waits for a connection.
      expect(await page.evaluate(async () => (await fetch('/v1/runs?limit=1')).status)).toBe(200)
    }
    for (const page of pages) await page.close()
    for (const id of ids) await lab.daemon.fetch(`/v1/runs/${id}/cancel`, { method: 'POST' })
  })
})
