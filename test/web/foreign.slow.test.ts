import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { BrowserContext } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { browserPath } from './browser.ts'
import { webLab, type WebLab } from './lab.ts'

describe.skipIf(browserPath === undefined)('a page of another origin, in a browser that is signed in', () => {
  let lab: WebLab
  let context: BrowserContext
  let server: Server
  let port: number

  beforeAll(async () => {
    lab = await webLab()
    context = await lab.signIn()
    server = createServer((_, response) => response.setHeader('content-type', 'text/html').end('<p>elsewhere'))
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
    port = (server.address() as AddressInfo).port
  })
  afterAll(async () => {
    await lab?.close()
    server?.close()
  })

  // The first is of one site with the daemon, as browsers see it: its cookie goes along.
  for (const host of ['127.0.0.1', 'localhost']) {
    test(`from ${host}: it can start, read and cancel nothing`, async () => {
      const running = await lab.start('lorem-100000?tps=20')
      const runs = async () => ((await (await lab.daemon.fetch('/v1/runs')).json()) as { runs: unknown[] }).runs.length
      const before = await runs()
      const page = await context.newPage()
      const frames: string[] = []
      await page.goto(`http://${host}:${port}/`)
      const results = await page.evaluate(attack, { base: lab.url, run: running })
      for (const frame of page.frames().slice(1))
        frames.push(
          await frame
            .locator('body')
            .innerText()
            .catch(() => ''),
        )

      const got = Object.entries(results).filter(([, result]) => result !== 'refused')
      expect(got).toEqual([])
      expect(Object.keys(results).length).toBeGreaterThan(12)
      expect(frames.join('')).not.toMatch(/run_id|composer|Ask something/)
      expect((await lab.run(running)).status).toBe('running')
      expect(await runs()).toBe(before)
      await lab.daemon.fetch(`/v1/runs/${running}/cancel`, { method: 'POST' })
      await page.close()
    })
  }

  test('the same attempts from the page itself do what they ask for', async () => {
    const running = await lab.start('lorem-100000?tps=20')
    const page = await context.newPage()
    await page.goto(lab.url)
    const results = await page.evaluate(attack, { base: lab.url, run: running })
    const got = Object.entries(results).flatMap(([name, result]) => (result === 'refused' ? [] : [name]))
    expect(got).toEqual(expect.arrayContaining(['read runs', 'read events', 'start as JSON', 'cancel', 'EventSource']))
    expect((await lab.run(running)).status).toBe('cancelled')
    await page.close()
  })
})

/** Everything that a page can try; what came of each. It runs in the browser. */
async function attack({ base, run }: { readonly base: string; readonly run: string }): Promise<Record<string, string>> {
  const start = JSON.stringify({ model: 'openai/lorem', prompt: 'not mine' })
  const json = { 'content-type': 'application/json' }
  const asked = async (path: string, init: RequestInit = {}) => {
    try {
      const response = await fetch(base + path, { credentials: 'include', ...init })
      return response.ok && response.type !== 'opaque' ? `read ${(await response.text()).slice(0, 40)}` : 'refused'
    } catch {
      return 'refused'
    }
  }
  const element = (tag: 'script' | 'link' | 'img', attributes: Record<string, string>) =>
    new Promise<string>((resolve) => {
      const one = Object.assign(document.createElement(tag), attributes)
      one.addEventListener('load', () => resolve('loaded'))
      one.addEventListener('error', () => resolve('refused'))
      document.body.append(one)
    }).catch(() => 'refused')
  const attempts: Record<string, () => Promise<string>> = {
    'read runs': () => asked('/v1/runs'),
    'read a run': () => asked(`/v1/runs/${run}`),
    'read models': () => asked('/v1/models'),
    'read the session': () => asked('/v1/page/session'),
    'read without CORS': () => asked('/v1/runs', { mode: 'no-cors' }),
    'read events': async () => {
      const stop = new AbortController()
      try {
        const response = await fetch(`${base}/v1/runs/${run}/events`, { credentials: 'include', signal: stop.signal })
        return response.ok ? 'read' : 'refused'
      } catch {
        return 'refused'
      } finally {
        stop.abort()
      }
    },
    EventSource: () =>
      new Promise((resolve) => {
        const source = new EventSource(`${base}/v1/runs/${run}/events`, { withCredentials: true })
        source.addEventListener('open', () => (source.close(), resolve('open')))
        source.addEventListener('error', () => (source.close(), resolve('refused')))
      }),
    'start as JSON': () => asked('/v1/runs', { method: 'POST', headers: json, body: start }),
    'start as text': () =>
      asked('/v1/runs', { method: 'POST', headers: { 'content-type': 'text/plain' }, body: start }),
    'start without CORS': () => asked('/v1/runs', { method: 'POST', mode: 'no-cors', body: start }),
    'start through OpenAI': () => asked('/v1/chat/completions', { method: 'POST', headers: json, body: start }),
    'start with a beacon': async () => {
      navigator.sendBeacon(`${base}/v1/runs`, start)
      return 'refused'
    },
    'make a link': () => asked('/v1/page/links', { method: 'POST', headers: json, body: '{}' }),
    'log in': () => asked('/v1/page/login', { method: 'POST', headers: json, body: '{"code":"x"}' }),
    'script element': () => element('script', { src: `${base}/v1/runs` }),
    'page as a script': () => element('script', { src: `${base}/` }),
    'style element': () => element('link', { rel: 'stylesheet', href: `${base}/v1/runs` }),
    'image element': () => element('img', { src: `${base}/v1/runs` }),
    'a frame': async () => {
      const frame = Object.assign(document.createElement('iframe'), { src: `${base}/` })
      const loaded = new Promise((resolve) => frame.addEventListener('load', resolve))
      document.body.append(frame)
      await loaded
      try {
        return frame.contentDocument?.body.querySelector('.composer') ? 'read' : 'refused'
      } catch {
        return 'refused'
      }
    },
    'a form': async () => {
      const frame = Object.assign(document.createElement('iframe'), { name: 'target' })
      const form = Object.assign(document.createElement('form'), {
        action: `${base}/v1/runs`,
        method: 'post',
        enctype: 'text/plain',
        target: 'target',
      })
      form.append(Object.assign(document.createElement('input'), { name: start.slice(0, -1), value: '}' }))
      document.body.append(frame, form)
      const loaded = new Promise((resolve) => frame.addEventListener('load', resolve))
      form.submit()
      await Promise.race([loaded, new Promise((resolve) => setTimeout(resolve, 1_000))])
      return 'refused'
    },
    'cancel without CORS': () => asked(`/v1/runs/${run}/cancel`, { method: 'POST', mode: 'no-cors' }),
    cancel: () => asked(`/v1/runs/${run}/cancel`, { method: 'POST', headers: json, body: '{}' }),
  }
  const results: Record<string, string> = {}
  for (const [name, attempt] of Object.entries(attempts)) results[name] = await attempt()
  return results
}
