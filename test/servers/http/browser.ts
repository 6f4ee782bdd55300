import { mkdtempSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Lab } from './lab.ts'

/** A folder with the smallest page that a server takes. */
export function pageFolder(): { readonly path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), 'runlet-page-'))
  mkdirSync(join(path, 'assets'))
  writeFileSync(join(path, 'index.html'), '<!doctype html><title>Runlet</title>')
  return { path, remove: () => rmSync(path, { recursive: true }) }
}

export interface AskOptions {
  readonly method?: string
  readonly body?: unknown
  /** Over what the browser itself would send; undefined leaves a header away. */
  readonly headers?: Readonly<Record<string, string | undefined>>
}

/** What a browser does with the page of a lab: headers as it sends them, and a jar for the one cookie. */
export interface Browser {
  /** As it stands in a `Cookie` header. */
  cookie: string | undefined
  /** The attributes of the last `Set-Cookie`. */
  readonly attributes: string
  ask(path: string, options?: AskOptions): Promise<Response>
  /** Opens a link of the lab, and logs in with it. */
  open(link: string): Promise<Response>
}

export function browser({ server }: Lab, base = 'http://127.0.0.1:7411'): Browser {
  let attributes = ''
  const it: Browser = {
    cookie: undefined,
    get attributes() {
      return attributes
    },
    async ask(path, { method = 'GET', body, headers = {} } = {}) {
      const sent = {
        'sec-fetch-site': 'same-origin',
        ...(method === 'GET' ? {} : { origin: base }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        cookie: it.cookie,
        ...headers,
      }
      const given = Object.entries(sent).filter((entry): entry is [string, string] => entry[1] !== undefined)
      const response = await server.fetch(
        new Request(base + path, {
          method,
          headers: given,
          ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        }),
      )
      const set = response.headers.get('set-cookie')
      if (set !== null) {
        const [pair = '', ...rest] = set.split('; ')
        attributes = rest.join('; ')
        it.cookie = pair.endsWith('=') ? undefined : pair
      }
      return response
    },
    open: (link) => it.ask('/v1/page/login', { method: 'POST', body: { code: codeOf(link) } }),
  }
  return it
}

export const codeOf = (link: string) => link.slice(link.indexOf('#login=') + '#login='.length)

/** A link to the page, made with the token. */
export async function linkOf(l: Pick<Lab, 'ask'>): Promise<string> {
  const { url } = (await (await l.ask('/v1/page/links', { method: 'POST' })).json()) as { url: string }
  return url
}

/** Status and reason of an answer. */
export async function refusal(response: Response): Promise<[status: number, reason: string]> {
  const { reason } = (await response.json()) as { reason: string }
  return [response.status, reason]
}
