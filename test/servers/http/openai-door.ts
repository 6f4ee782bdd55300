import OpenAI from 'openai'
import { afterEach } from 'vitest'
import { lab, type Lab, type LabOptions } from './lab.ts'

const closing: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close()
})

/** A lab on a real port, asked over the network, and OpenAI's own client pointed at it. What is opened here is closed when the test is over. */
export interface Door extends Lab {
  readonly url: string
  readonly client: OpenAI
  readonly close: () => Promise<void>
  /** Another client of the same server. */
  clientWith(options: ConstructorParameters<typeof OpenAI>[0]): OpenAI
}

export async function openaiDoor(options: LabOptions = {}): Promise<Door> {
  // After an abort, the client's pool may hold a connection that it has not used yet.
  const l = lab({ ...options, limits: { closeMs: 20, ...options.limits } })
  const open = await l.server.listen()
  closing.push(() => open.close())
  const clientWith: Door['clientWith'] = (more) =>
    new OpenAI({ apiKey: l.token, baseURL: `${open.url}/v1`, maxRetries: 0, logLevel: 'off', ...more })
  const ask: Lab['ask'] = (path, init = {}) => {
    const headers = new Headers(init.headers)
    if (!headers.has('authorization')) headers.set('authorization', `Bearer ${l.token}`)
    return fetch(open.url + path, { ...init, headers })
  }
  const post: Lab['post'] = (path, body, headers) => {
    const type = { 'content-type': 'application/json' }
    return ask(path, { method: 'POST', body: JSON.stringify(body), headers: { ...type, ...headers } })
  }
  return { ...l, ask, post, url: open.url, close: () => open.close(), client: clientWith({}), clientWith }
}
