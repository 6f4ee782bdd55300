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

    test(`${name} can stop the run`, async () => {
      const page = await browser.newPage()
      await page.goto(`http://127.0.0.1:${network.port}/${name}`)
      await page.getByRole('button', { name: 'Ask' }).click()
      await page.locator('#answer').filter({ hasText: 'Hello' }).waitFor()
      await page.getByRole('button', { name: 'Stop' }).click()
      await page.locator('#state').filter({ hasText: 'cancelled' }).waitFor()
      await page.close()
    })
  }
})
