import { spawn } from 'node:child_process'
import { get } from 'node:http'
import type { Command } from 'commander'
import { InvalidArgumentError, Option } from 'commander'
import { unreachable } from '../client/http-errors.ts'
import { RunletError } from '../core/error.ts'
import { probeDaemon, rivalOf } from './daemon.ts'
import { invocation } from './invocation.ts'
import { printLines } from './output.ts'
import { pageLink } from './page-link.ts'
import { complain } from './report.ts'
import { myPlaces } from './settings.ts'

interface PageFlags {
  readonly open?: boolean
  readonly url?: URL
}

export function addPage(program: Command): void {
  program
    .command('page')
    .summary('print a link that opens the page, once')
    .description(
      'Asks the running daemon for a link to its page and prints it. Whoever opens it first is let in, within five ' +
        'minutes; the browser then stays in for as long as the page is used at least once a week.',
    )
    .option('--open', 'open it in the browser as well')
    .addOption(
      new Option(
        '--url <url>',
        'how the browser reaches the daemon, where that is another way: https://runlet.example.org',
      ).argParser(readBase),
    )
    .addHelpText('after', '\nExample:\n  runlet page --open')
    .action(async (flags: PageFlags) => page(flags))
}

async function page({ open, url }: PageFlags): Promise<void> {
  const places = myPlaces()
  const daemon = await rivalOf(places.daemon)
  if (!daemon) throw noDaemon()
  if (url) await checkName(url, daemon.url)
  const link = new URL(await pageLink(daemon.url, places))
  const shown = url ? `${url.origin}/${link.hash}` : link.href
  await printLines([shown])
  if (open && !(await openInBrowser(shown))) complain('no browser could be opened from here; open the link in one')
}

/**
 * A link to a name that the daemon does not answer to would open nothing. A proxy before it may call it otherwise than
 * the browser calls the proxy, so the way itself is tried before it is refused.
 */
async function checkName(url: URL, daemonUrl: string): Promise<void> {
  if ((await statusAs(url.host, daemonUrl)) !== 421) return
  const { origin } = url
  if ((await probeDaemon({ url: origin })) === 'answers') return
  throw new RunletError('forbidden', {
    reason: 'host_refused',
    message: `the daemon does not answer to ${url.host}: start it with --name ${url.host}, or give the address of a proxy that leads to it and can be reached from here`,
  })
}

/** What the daemon says to one who calls it by this name. */
function statusAs(host: string, daemonUrl: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const asking = get(`${daemonUrl}/healthz`, { headers: { host }, agent: false, timeout: 2_000 }, (response) => {
      response.resume()
      resolve(response.statusCode)
    })
    asking.once('timeout', () => asking.destroy(new Error('no answer within two seconds')))
    asking.once('error', (cause) => reject(unreachable(daemonUrl, cause)))
  })
}

/** Where to open links on this system: a program that takes a URL. */
const openers: Readonly<Partial<Record<NodeJS.Platform, string>>> = { darwin: 'open', linux: 'xdg-open' }

/** Resolves with whether there was something to open it with. */
function openInBrowser(url: string): Promise<boolean> {
  const opener = openers[process.platform]
  if (opener === undefined) return Promise.resolve(false)
  return new Promise((resolve) => {
    const child = spawn(opener, [url], { stdio: 'ignore', detached: true })
    child.once('error', () => resolve(false))
    child.once('spawn', () => {
      child.unref()
      resolve(true)
    })
  })
}

function readBase(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url && /^https?:$/.test(url.protocol) && url.pathname === '/') return url
  throw new InvalidArgumentError('It must be an address without a path, for example https://runlet.example.org.')
}

function noDaemon(): RunletError {
  const command = invocation()
  return new RunletError('provider_unavailable', {
    reason: 'daemon_missing',
    message: `no daemon is running, and the page is served by one; start it with "${command} serve"`,
  })
}
