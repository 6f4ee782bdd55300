/** `runlet/client` in a real browser, in a page of another origin that the server lets in. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Browser, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { bundled } from '../client/bundle.ts'
import { lab, runEnds, texts } from '../servers/http/lab.ts'
import { browserPath, launchBrowser } from './browser.ts'
import type { ClientPage } from './client-page.ts'

declare const clientPage: ClientPage

/** A page that only loads modules, as any page that somebody writes around the client. */
async function pageServer() {
  const files: Readonly<Record<string, string>> = {
    '/page.js': await bundled('../web/client-page.ts'),
    '/worker.js': await bundled('../web/client-worker.ts'),
  }
  const server = createServer((request, response) => {
    const script = files[new URL(request.url!, 'http://x').pathname]
    response.setHeader('Content-Type', script === undefined ? 'text/html' : 'text/javascript')
    response.end(script ?? '<!doctype html><title>A page</title><script type="module" src="/page.js"></script>')
  })
  server.listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => {
      server.closeAllConnections()
      return new Promise((resolve) => server.close(resolve))
    },
  }
}

let browser: Browser
let site: Awaited<ReturnType<typeof pageServer>>
const closing: (() => Promise<unknown>)[] = []

describe.skipIf(browserPath === undefined)('in a browser', () => {
  beforeAll(async () => {
    site = await pageServer()
    browser = await launchBrowser()
  })
  afterAll(async () => {
    await browser?.close()
    await site?.close()
  })
  afterEach(async () => {
    for (const close of closing.splice(0).toReversed()) await close()
  })

  /** A server that lets the page in, and a browser that has seen nothing yet. */
  async function started() {
    const l = lab({ origins: [site.origin] })
    const open = await l.server.listen()
    const context = await browser.newContext()
    closing.push(
      () => open.close(),
      () => context.close(),
    )
    return {
      l,
      url: open.url,
      newPage: async () => {
        const page = await context.newPage()
        await page.goto(site.origin)
        return page
      },
    }
  }

  for (const transport of ['fetch', 'event-source'] as const) {
    test(`a run is followed by ${transport}, over three reloads, with every event once`, async () => {
      const { l, url, newPage } = await started()
      await l.begin(undefined)
      // An EventSource of another origin has neither cookie nor header: it is given a token for this one run.
      const asking = {
        method: 'POST',
        headers: { authorization: `Bearer ${l.token}`, 'content-type': 'application/json' },
      }
      const made = (await (await fetch(`${url}/v1/runs/run_lab/tokens`, { ...asking, body: '{}' })).json()) as {
        readonly token: string
      }
      const credentials = transport === 'fetch' ? { token: l.token } : { accessToken: made.token }
      const page = await newPage()
      const asked = new Set<string>()
      page.on('request', (request) => {
        if (request.url().startsWith(url)) asked.add(request.resourceType())
      })
      let last = 3
      let said = ''
      for (let visit = 0; visit < 4; visit++) {
        if (visit > 0) await page.reload()
        const following = page.evaluate((reading) => clientPage.follow(reading), {
          url,
          run: 'run_lab',
          transport,
          ...credentials,
        })
        // A reload ends the script that waits.
        following.catch(() => {})
        for (let n = 0; n < 25; n++) {
          const text = `${visit}.${n} 👩‍🚀 `
          await l.log.append('run_lab', 1, texts(2, text))
          said += text + text
          last += 2
          if (n % 5 === 0) await page.waitForFunction((seq) => clientPage.kept().seqs.at(-1)! >= seq, last, soon)
        }
        if (visit < 3) continue
        await l.log.append('run_lab', 1, runEnds)
        const states = await following
        expect([states.includes('live'), states.at(-1)]).toEqual([true, 'ended'])
      }
      const { seqs, text } = await page.evaluate(() => clientPage.kept())
      expect(seqs).toEqual(Array.from({ length: last + 3 }, (_, i) => i + 1))
      expect(text).toBe(said)
      expect(asked.has('eventsource')).toBe(transport === 'event-source')
    })
  }

  test('a page that was let in reads what a refusal says, by both transports', async () => {
    const { url, newPage } = await started()
    const page = await newPage()
    for (const transport of ['fetch', 'event-source'] as const) {
      const reading = { url, run: 'nope', transport, accessToken: 'wrong' }
      const refused = await page.evaluate((one) => clientPage.refusal(one), reading)
      expect(refused).toEqual({ code: 'unauthorized', reason: 'token_wrong', status: 401 })
    }
  })

  test('six tabs with three runs each share one connection, and one that closes is noticed', async () => {
    const { l, url, newPage } = await started()
    const runs = ['run_a', 'run_b', 'run_c']
    for (const id of [...runs, 'run_last']) await l.begin(undefined, id)
    const worker = `${site.origin}/worker.js?${new URLSearchParams({ server: url, token: l.token }).toString()}`
    const pages: Page[] = []
    for (let n = 0; n < 6; n++) {
      const page = await newPage()
      // The sixth also follows a run of its own.
      const own = { worker, ids: n === 5 ? [...runs, 'run_last'] : runs }
      await page.evaluate((one) => clientPage.share(one.worker, one.ids), own)
      pages.push(page)
    }
    const haveSeen = async (seq: number) => {
      for (const page of pages) {
        const all = { runs, seq }
        await page.waitForFunction(
          (one) => one.runs.every((run) => clientPage.tab.seqs[run]!.at(-1)! >= one.seq),
          all,
          soon,
        )
      }
    }
    await haveSeen(3)
    for (let n = 0; n < 20; n++) for (const id of runs) await l.log.append(id, 1, texts(3, `${id} ${n} `))
    await haveSeen(63)
    // One reading of each run, however many tabs show it.
    expect([l.server.readers, l.readings()]).toEqual([1, 4])

    await pages.pop()!.close()
    await expect.poll(() => l.readings(), { timeout: 10_000 }).toBe(3)
    for (const id of runs) await l.log.append(id, 1, runEnds)
    for (const page of pages) {
      await page.waitForFunction(() => clientPage.tab.ended === 3, undefined, soon)
      const { seqs, texts: said } = await page.evaluate(() => clientPage.tab)
      for (const id of runs) {
        // Views come one for each batch, and each is further than the one before.
        expect(seqs[id]).toEqual([...new Set(seqs[id])].toSorted((a, b) => a - b))
        expect([seqs[id]!.at(-1), said[id]]).toEqual([66, spoken(id)])
      }
    }
    await expect.poll(() => l.server.readers, { timeout: 10_000 }).toBe(0)
  })

  test('a control: without the hub, six tabs with three runs each come to a standstill', async () => {
    const { l, url, newPage } = await started()
    const runs = ['run_a', 'run_b', 'run_c']
    for (const id of runs) await l.begin(undefined, id)
    for (let n = 0; n < 6; n++) {
      const page = await newPage()
      for (const run of runs) {
        const reading = { url, run, transport: 'fetch' as const, token: l.token }
        void page.evaluate((one) => void clientPage.follow(one), reading).catch(() => {})
      }
    }
    // Six connections are what a browser grants one server; the other twelve readers wait for one of them to end.
    await expect.poll(() => l.server.readers, { timeout: 10_000 }).toBe(6)
    const page = await newPage()
    const late = page.evaluate((one) => clientPage.refusal(one), { url, run: 'nope', transport: 'fetch' as const })
    const first = await Promise.race([late.then(() => 'answered'), page.waitForTimeout(2_000).then(() => 'waiting')])
    expect([first, l.server.readers]).toEqual(['waiting', 6])
    late.catch(() => {})
  })
})

/** How often a page is looked at. */
const soon = { polling: 20 } as const

/** All that a run of the tabs says. */
const spoken = (run: string) => Array.from({ length: 20 }, (_, n) => `${run} ${n} `.repeat(3)).join('')
