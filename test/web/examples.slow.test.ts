/** The pages under examples/, in a browser, over a network that is cut in mid-answer. */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { browserPath, launchBrowser } from './browser.ts'
import { cuttable, type Cuttable } from './cuttable.ts'

const repo = fileURLToPath(new URL('../..', import.meta.url))

describe.skipIf(browserPath === undefined)('an example page', () => {
  let browser: Browser
  let program: ChildProcess
  let network: Cuttable
  beforeAll(async () => {
    program = spawn(process.execPath, ['examples/node-http.mjs'], {
      cwd: repo,
      env: { ...process.env, PORT: '0', PACE: '60' },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const [line] = (await once(createInterface(program.stdout!), 'line')) as [string]
    network = await cuttable()
    network.to(Number(new URL(line.replace('listening on ', '')).port))
    browser = await launchBrowser()
  })
  afterAll(async () => {
    await browser.close()
    await network.close()
    const ended = once(program, 'exit')
    program.kill('SIGTERM')
    await ended
  })

  for (const name of ['fetch.html', 'eventsource.html']) {
    test(`${name} shows the same answer over a whole network and over one that is cut`, async () => {
      const page = await browser.newPage()
      const answer = page.locator('#answer')
      const state = page.locator('#state')
      await page.goto(`http://127.0.0.1:${network.port}/${name}`)
      const ask = async (between: () => Promise<void>) => {
        await page.getByRole('button', { name: 'Ask' }).click()
        await answer.filter({ hasText: 'word by word' }).waitFor()
        await between()
        await state.filter({ hasText: /^stop$/ }).waitFor()
        return answer.textContent()
      }
      const whole = await ask(async () => {})
      const cut = await ask(async () => {
        network.cut()
        await state.filter({ hasText: 'reconnecting' }).waitFor()
        network.mend()
      })
      expect(cut).toBe(whole)
      expect(whole!.length).toBeGreaterThan(500)
      await page.close()
    })

    test(`${name} that is reloaded in mid-answer shows the whole answer`, async () => {
      const page = await browser.newPage()
      const answer = page.locator('#answer')
      const ended = page.locator('#state').filter({ hasText: /^stop$/ })
      await page.goto(`http://127.0.0.1:${network.port}/${name}`)
      const ask = page.getByRole('button', { name: 'Ask' })
      await ask.click()
      await ended.waitFor()
      const whole = await answer.textContent()
      await ask.click()
      await answer.filter({ hasText: 'word by word' }).waitFor()
      const before = await answer.textContent()
      await page.reload()
      await ended.waitFor()
      expect(before!.length).toBeLessThan(whole!.length)
      expect(await answer.textContent()).toBe(whole)
      await page.close()
    })

    test(`${name} says so where the run of its address is not there`, async () => {
      const page = await browser.newPage()
      await page.goto(`http://127.0.0.1:${network.port}/${name}#019a0000-0000-7000-8000-000000000000`)
      const told = page.locator('#state').filter({ hasText: 'run' })
      await told.waitFor()
      expect(await told.textContent()).toContain('019a0000-0000-7000-8000-000000000000')
      await page.close()
    })

    test(`${name} can stop the run`, async () => {
      const page = await browser.newPage()
      await page.goto(`http://127.0.0.1:${network.port}/${name}`)
      await page.getByRole('button', { name: 'Ask' }).click()
      await page.locator('#answer').filter({ hasText: 'Hello' }).waitFor()
      await page.getByRole('button', { name: 'Stop' }).click()
      const state = page.locator('#state')
      await state.filter({ hasText: 'cancelled' }).waitFor()
      expect(await state.textContent()).toBe('cancelled')
      await page.close()
    })
  }
})
