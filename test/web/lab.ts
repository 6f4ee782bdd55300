/** A browser before the page of a built daemon, whose models say what a test wrote down. */
import type { Browser, BrowserContext, BrowserContextOptions, Page } from 'playwright-core'
import { createSim, type Sim } from '../../src/sim/sim.ts'
import type { Script } from '../../src/sim/script.ts'
import { type Daemon, type Home, scratchHome, startDaemon } from '../system/daemon.ts'
import { launchBrowser } from './browser.ts'
import { cuttable, type Cuttable } from './cuttable.ts'

export interface WebLab {
  readonly browser: Browser
  readonly daemon: Daemon
  readonly home: Home
  /** A browser with a profile of its own that came in by a one-time link. */
  signIn(options?: BrowserContextOptions): Promise<BrowserContext>
  /** Where the page is reached: through a network that can be cut. */
  readonly url: string
  readonly network: Cuttable
  /** Begins a run of `openai/MODEL`; returns its id. */
  start(model: string, prompt?: string, more?: object): Promise<string>
  run(id: string): Promise<{ readonly status: string; readonly output_text: string; readonly session_id: string }>
  close(): Promise<void>
}

export interface WebLabOptions {
  /** More models, by name. */
  readonly scripts?: Readonly<Record<string, Script>>
}

export async function webLab({ scripts = {} }: WebLabOptions = {}): Promise<WebLab> {
  const sim: Sim = await createSim({ scripts })
  const home = scratchHome({ OPENAI_API_KEY: 'sk-sim', OPENAI_BASE_URL: `${sim.url}/v1` })
  const network = await cuttable()
  const host = `127.0.0.1:${network.port}`
  const daemon = await startDaemon(home, { args: ['--name', host] })
  network.to(Number(new URL(daemon.url).port))
  const browser = await launchBrowser()

  async function json<T>(path: string, init?: RequestInit): Promise<T> {
    const response = await daemon.fetch(path, init)
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`)
    return (await response.json()) as T
  }
  const post = <T>(path: string, body: object) =>
    json<T>(path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })

  return {
    browser,
    daemon,
    home,
    network,
    url: `http://${host}`,
    async signIn(options) {
      const context = await browser.newContext(options)
      const { url } = await post<{ url: string }>('/v1/page/links', {})
      const page = await context.newPage()
      // The link is made for the name by which the daemon was asked for it.
      await page.goto(`http://${host}/${new URL(url).hash}`)
      await page.waitForSelector('.composer')
      await page.close()
      return context
    },
    async start(model, prompt = 'Go', more = {}) {
      return (await post<{ run_id: string }>('/v1/runs', { model: `openai/${model}`, prompt, ...more })).run_id
    },
    run: (id) => json(`/v1/runs/${id}`),
    async close() {
      await browser.close()
      await network.close()
      await daemon.stop()
      await sim.close()
      home.remove()
    },
  }
}

/** Writes a question into the page, and sends it. */
export async function ask(
  page: Page,
  { text = 'Go', model }: { readonly text?: string; readonly model: string },
): Promise<void> {
  await page.fill('#model', `openai/${model}`)
  await page.fill('#message', text)
  await page.press('#message', 'Enter')
}

/** Waits until the last run of the page has this status. */
export async function lastIs(page: Page, status: string): Promise<void> {
  await page.waitForFunction((wanted) => {
    const last = [...document.querySelectorAll<HTMLElement>('article.run')].at(-1)
    return last?.dataset['status'] === wanted
  }, status)
}

/** What the last run of the page shows, as markup: two readers who agree have the same. */
export async function lastBody(page: Page): Promise<string> {
  return page.locator('article.run .body').last().innerHTML()
}

/** The visible text of the last answer. */
export async function lastText(page: Page): Promise<string> {
  return (await page.locator('article.run').last().locator('.prose').allInnerTexts()).join('\n')
}

/** Waits until the last answer shows so many characters. */
export async function shows(page: Page, chars: number): Promise<void> {
  await page.waitForFunction((least) => {
    const last = [...document.querySelectorAll('article.run')].at(-1)
    const texts = [...(last?.querySelectorAll('.answer > .step > .prose') ?? [])]
    return texts.reduce((sum, { textContent }) => sum + textContent.length, 0) >= least
  }, chars)
}

export const words = (text: string): string => text.replaceAll(/\s+/g, ' ').trim()
