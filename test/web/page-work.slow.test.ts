import type { BrowserContext, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { browserPath } from './browser.ts'
import { ask, lastIs, shows, webLab, type WebLab } from './lab.ts'

describe.skipIf(browserPath === undefined)('what the page does for whoever works in it', () => {
  let lab: WebLab
  let context: BrowserContext

  beforeAll(async () => {
    lab = await webLab()
    context = await lab.signIn()
  })
  afterAll(() => lab?.close())

  async function open(): Promise<Page> {
    const page = await context.newPage()
    await page.goto(lab.url)
    await page.waitForSelector('.composer')
    return page
  }

  test('who goes by the keyboard alone leaves the message field, and comes back from the inspector to where they were', async () => {
    const page = await open()
    const focused = () => page.evaluate(() => document.activeElement?.id ?? '')
    const visible = (selector: string) => page.locator(selector).isVisible()
    await ask(page, { text: 'Key', model: 'lorem-400?tps=100' })
    await shows(page, 20)
    await page.keyboard.type('later')
    // While an answer comes, Escape is for that.
    await page.keyboard.press('Escape')
    await lastIs(page, 'cancelled')
    expect(await focused()).toBe('message')
    await page.keyboard.press('Escape')
    expect(await focused()).toBe('')
    await page.keyboard.press('i')
    expect(await visible('.inspector')).toBe(true)
    await page.keyboard.press('i')
    expect(await visible('.inspector')).toBe(false)
    await page.keyboard.press('?')
    expect(await visible('dialog.help')).toBe(true)
    await page.keyboard.press('Escape')
    expect(await page.inputValue('#message')).toBe('later')

    const inspect = page.locator('.ending').getByRole('button', { name: 'Inspect' })
    await inspect.focus()
    await page.keyboard.press('Enter')
    await page.keyboard.press('Escape')
    expect(await inspect.evaluate((one) => one === document.activeElement)).toBe(true)
    await page.keyboard.press('/')
    expect(await focused()).toBe('message')
    await page.keyboard.press('Escape')
    expect(await focused()).toBe('')
    await page.close()
  })

  test('what waits stands in the order in which the run comes to it: steers, then follow-ups', async () => {
    const page = await open()
    await ask(page, { text: 'Long', model: 'lorem-3000?tps=20' })
    await shows(page, 10)
    // The run takes what it is sent when it can; the page shows what it has sent from the first moment.
    let release = () => {}
    const held = new Promise<void>((resolve) => (release = resolve))
    await page.route('**/v1/runs/*/input', async (route) => {
      await held
      await route.abort()
    })
    for (const [text, key] of [
      ['a follow-up', 'Enter'],
      ['a steer', 'Control+Enter'],
      ['another follow-up', 'Enter'],
    ] as const) {
      await page.fill('#message', text)
      await page.press('#message', key)
    }
    expect((await page.locator('.waiting li').allInnerTexts()).map((text) => text.replaceAll(/\s+/g, ' '))).toEqual([
      'next a steer',
      'then a follow-up',
      'then another follow-up',
    ])
    release()
    await page.keyboard.press('Escape')
    await lastIs(page, 'cancelled')
    await page.close()
  })

  test('an answer without a word says so, and its inspector tells of no pace', async () => {
    const page = await open()
    await page.fill('#model', 'sim/empty')
    await page.fill('#message', 'Anything?')
    await page.press('#message', 'Enter')
    await lastIs(page, 'completed')
    expect(await page.locator('.answer').innerText()).toBe('The answer is empty.')
    await page.locator('.ending').getByRole('button', { name: 'Inspect' }).click()
    expect(await page.locator('.charts figcaption span').allInnerTexts()).toEqual(['no words came', ''])
    await page.close()
  })

  test('what is read stays in its place when the inspector takes its part of the width', async () => {
    const page = await open()
    await page.setViewportSize({ width: 1180, height: 700 })
    await ask(page, { model: 'lorem-600' })
    await lastIs(page, 'completed')
    const ending = page.locator('.ending')
    const bottom = async () => Math.round((await ending.boundingBox())!.y)
    // Further from the end than what counts as being there.
    await page.locator('.scroll').evaluate((one) => (one.scrollTop -= 120))
    await page.locator('.jump').waitFor()
    const lastBlock = page.locator('.prose > *').last()
    const place = () => lastBlock.evaluate((one) => one.getBoundingClientRect().bottom)
    const before = await place()
    await page.locator('.bar h1').click()
    await page.keyboard.press('i')
    await page.locator('.inspector').waitFor()
    await expect.poll(async () => Math.abs((await place()) - before)).toBeLessThan(2)
    await page.keyboard.press('i')
    await page.locator('.scroll').evaluate((one) => one.scrollTo(0, one.scrollHeight))
    await page.locator('.jump').waitFor({ state: 'hidden' })
    const end = await bottom()
    await page.keyboard.press('i')
    await expect.poll(async () => Math.abs((await bottom()) - end)).toBeLessThan(2)
    await page.close()
  })

  test('what says that the server is away goes when it is back', async () => {
    const page = await open()
    await page.locator('.runs a').first().waitFor()
    lab.network.cut()
    await ask(page, { text: 'Is anybody there?', model: 'lorem-5' })
    await page.locator('.failure', { hasText: 'server_unreachable' }).waitFor()
    lab.network.mend()
    await page.locator('.failure').waitFor({ state: 'detached' })
    expect(await page.inputValue('#message')).toBe('Is anybody there?')
    await page.close()
  })

  test('whoever is put out is told why', async () => {
    const page = await open()
    await page.locator('.connection').waitFor({ state: 'attached' })
    await page.route('**/v1/**', (route) =>
      route.fulfill({
        status: 401,
        contentType: 'application/json',
        body: '{"error":{"code":"unauthorized","reason":"session_ended","message":"the session has ended","status":401}}',
      }),
    )
    await page.fill('#message', 'Still there?')
    await page.press('#message', 'Enter')
    await page.locator('.login').waitFor()
    expect(await page.locator('.fault').innerText()).toBe(
      "You were signed out: the server's token was replaced, or the session ended.",
    )
    await page.close()
  })
})
