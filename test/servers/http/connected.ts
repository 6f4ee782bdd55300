import { afterEach } from 'vitest'
import type { RunEvent } from '../../../src/core/event.ts'
import type { Script } from '../../../src/testing/scripted-provider.ts'
import { gaiClient, type GaiClient } from '../../formats/gai-client.ts'
import { lab, texts, type Lab, type LabOptions } from './lab.ts'
import { rawRequest, type RawReader } from './raw-reader.ts'

const closing: (() => Promise<void> | void)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close()
})

/** A lab on a real port. What is opened here is closed when the test is over. */
export interface Connected extends Lab {
  readonly port: number
  /** A reader; a paused one takes nothing until its socket is resumed. */
  read(id: string, options?: { readonly paused?: boolean; readonly query?: string }): RawReader
  /** A `POST /v1/runs` whose answer is streamed. */
  start(body: object): RawReader
  readonly close: () => Promise<void>
}

export async function connect(options: LabOptions = {}): Promise<Connected> {
  const l = lab(options)
  const open = await l.server.listen()
  const { port } = open
  closing.push(() => open.close())
  const ask = (request: { method?: string; path: string; headers?: Record<string, string>; body?: string }) => {
    const headers = { Authorization: `Bearer ${l.token}`, Accept: 'text/event-stream', ...request.headers }
    const reader = rawRequest({ port, ...request, headers })
    closing.push(() => void reader.socket.destroy())
    return reader
  }
  return {
    ...l,
    port,
    close: () => open.close(),
    read(id, { paused = false, query = '' } = {}) {
      const reader = ask({ path: `/v1/runs/${id}/events${query}` })
      if (paused) reader.socket.pause()
      return reader
    },
    start(request) {
      const body = JSON.stringify(request)
      const headers = { 'Content-Type': 'application/json', 'Content-Length': String(body.length) }
      return ask({ method: 'POST', path: '/v1/runs', headers, body })
    },
  }
}

/** Lets sockets do what they can do at once. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 100; turn++) await new Promise<void>((resolve) => void setImmediate(resolve))
}

/** What a strict client makes of all that came. */
export function understood(reader: RawReader): GaiClient {
  const client = gaiClient({ framing: 'sse' })
  client.feed(reader.body())
  return client
}

/** A provider that says a word, and then nothing. */
export const silent: readonly Script[] = [
  [[{ type: 'start', model: 'm' }], [{ type: 'text', text: 'Hel' }], { wait: new Promise(() => {}) }],
]

/** 1 MiB in one batch. Loopback connections here buffer less than 24 of these. */
export const mebibyte: readonly RunEvent[] = texts(16, 'x'.repeat(64 * 1024))
export const MANY = 24
