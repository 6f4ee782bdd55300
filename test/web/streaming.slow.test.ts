import type { BrowserContext, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { runlet } from '../system/daemon.ts'
import { browserPath } from './browser.ts'
import { ask, lastBody, lastIs, lastText, shows, webLab, words, type WebLab } from './lab.ts'

describe.skipIf(browserPath === undefined)('the page, in a browser', () => {
  let lab: WebLab
  let context: BrowserContext

  beforeAll(async () => {
    lab = await webLab()
    context = await lab.signIn()
  })
  afterAll(() => lab?.close())

  async function open(hash = ''): Promise<Page> {
    const page = await context.newPage()
    await page.goto(`${lab.url}/${hash}`)
    await page.waitForSelector('.composer')
    return page
  }

  const runOf = (page: Page) => new URLSearchParams(new URL(page.url()).hash.slice(1)).get('run') ?? ''

  test('shows an answer while it comes, and says that it is live', async () => {
    const page = await open()
    await ask(page, { text: 'Tell me', model: 'lorem-60?tps=60' })
    await shows(page, 20)
    expect(await page.locator('article.run').last().getAttribute('data-status')).toBe('running')
    expect(await page.locator('.connection').getAttribute('data-state')).toBe('live')
    expect(await page.locator('.runs [data-status=running]').count()).toBe(1)
    await lastIs(page, 'completed')
    const { output_text } = await lab.run(runOf(page))
    expect(words(await lastText(page))).toBe(words(output_text))
    expect(await page.locator('.said').innerText()).toBe('Tell me')
    await page.locator('.connection[data-state=ended]').waitFor()
    await page.close()
  })

  test('continues exactly when it is reloaded in mid-answer, at twenty random moments', async () => {
    const page = await open()
    await ask(page, { model: 'lorem-600?tps=30' })
    await shows(page, 1)
    const id = runOf(page)
    for (const moment of moments(20, 1_500)) {
      await shows(page, moment)
      await page.reload()
      await page.waitForSelector('article.run')
    }
    await shows(page, 1)
    expect(await page.locator('article.run').getAttribute('data-status')).toBe('running')
    await lastIs(page, 'completed')

    const uncut = await open(`#run=${id}`)
    await lastIs(uncut, 'completed')
    expect(await lastBody(page)).toBe(await lastBody(uncut))
    const { output_text } = await lab.run(id)
    expect(words(await lastText(page))).toBe(words(output_text))
    // Each event once: the numbers of the inspector's rows follow on one another, from the first to the last.
    await page.keyboard.press('Escape')
    await page.locator('.ending button', { hasText: 'Inspect' }).click()
    const rows = await page.locator('.events .seq').allInnerTexts()
    const places = rows.map((row) => row.split('–').map(Number))
    expect(places.map(([first]) => first)).toEqual([1, ...places.slice(0, -1).map((place) => place.at(-1)! + 1)])
    await page.close()
    await uncut.close()
  })

  test('stops the answer, by its button and by Escape, and keeps what came', async () => {
    for (const stop of [(page: Page) => page.click('.stop'), (page: Page) => page.keyboard.press('Escape')]) {
      const page = await open()
      await ask(page, { model: 'lorem-5000?tps=50' })
      await shows(page, 30)
      await stop(page)
      await lastIs(page, 'cancelled')
      const { status, output_text } = await lab.run(runOf(page))
      expect(status).toBe('cancelled')
      expect(words(await lastText(page))).toBe(words(output_text))
      expect(await page.locator('.note.cancelled').innerText()).toBe('Stopped. What had come is kept.')
      // The next message works, in the same conversation.
      await ask(page, { text: 'And now?', model: 'echo' })
      await page.locator('article.run').nth(1).waitFor()
      await lastIs(page, 'completed')
      expect(await lastText(page)).toBe('And now?')
      await page.close()
    }
  })

  test('two tabs and a terminal show the same run', async () => {
    const first = await open()
    await ask(first, { model: 'lorem-150?tps=100' })
    await shows(first, 100)
    const id = runOf(first)
    const second = await open(`#run=${id}`)
    const terminal = runlet(lab.home, ['follow', id])
    await Promise.all([lastIs(first, 'completed'), lastIs(second, 'completed')])
    expect(await lastBody(second)).toBe(await lastBody(first))
    const { stdout, status } = await terminal
    expect(status).toBe(0)
    expect(words(await lastText(first))).toBe(words(stdout))
    await first.close()
    await second.close()
  })

  test('a run that begins elsewhere appears in the list, live, and stops being live when it ends', async () => {
    const page = await open()
    const id = await lab.start('lorem-200?tps=100', 'From elsewhere')
    const link = page.locator(`.runs a[href="#run=${id}"]`)
    await link.waitFor()
    expect(await link.getAttribute('data-status')).toBe('running')
    await page.locator(`.runs a[href="#run=${id}"][data-status=completed]`).waitFor()
    await page.close()
  })

  test('a follow-up waits for its turn, and a steer goes first', async () => {
    const page = await open()
    await ask(page, { text: 'One', model: 'lorem-200?tps=100' })
    await shows(page, 20)
    await page.fill('#message', 'Two')
    await page.press('#message', 'Enter')
    await page.locator('.waiting li').waitFor()
    await page.fill('#message', 'First this')
    await page.press('#message', 'Control+Enter')
    await lastIs(page, 'completed')
    const said = await page
      .locator('.said')
      .evaluateAll((all) =>
        all.map((one) => [(one as HTMLElement).dataset['kind'], one.querySelector('p')?.textContent]),
      )
    expect(said).toEqual([
      ['prompt', 'One'],
      ['steer', 'First this'],
      ['follow_up', 'Two'],
    ])
    expect(await page.locator('.waiting').isHidden()).toBe(true)
    expect(await page.locator('article.run').count()).toBe(1)
    await page.close()
  })

  test('comes back by itself when the network was cut, again and again, and misses nothing', async () => {
    const page = await open()
    await ask(page, { model: 'lorem-400?tps=100' })
    await shows(page, 50)
    const id = runOf(page)
    for (const chars of [200, 500, 900]) {
      await shows(page, chars)
      lab.network.cut()
      await page.locator('.connection[data-state=retrying]').waitFor()
      lab.network.mend()
      await page.locator('.connection[data-state=live], .connection[data-state=ended]').waitFor()
    }
    await lastIs(page, 'completed')
    const { output_text } = await lab.run(id)
    expect(words(await lastText(page))).toBe(words(output_text))
    await page.close()
  })
})

/** So many places in a text, in order; the same each time. */
function moments(amount: number, length: number): number[] {
  let state = 20_261_121
  const random = () => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31
    return state / 2 ** 31
  }
  return Array.from({ length: amount }, () => Math.floor(random() * length)).toSorted((a, b) => a - b)
}
