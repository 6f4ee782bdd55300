import { createParser } from 'eventsource-parser'
import type { Daemon } from './daemon.ts'

/** One event as a client of the daemon saw it. */
export interface Seen {
  readonly id: string
  readonly data: string
}

/** What a client saw of a run, and how the stream ended. */
export interface Sight {
  readonly seen: Seen[]
  /** The stream said `done`. False: the connection broke off, or the reader left. */
  done: boolean
}

/**
 * Reads a run over SSE as a browser would, from after `after`, and adds what comes to `sight`. Returns when the stream
 * ends in any way, or after `limit` events.
 */
export async function readRun(
  daemon: Daemon,
  run: string,
  { sight = { seen: [], done: false }, limit = Infinity }: { readonly sight?: Sight; readonly limit?: number } = {},
): Promise<Sight> {
  const last = sight.seen.at(-1)?.id
  const leave = new AbortController()
  let count = 0
  try {
    const response = await daemon.fetch(`/v1/runs/${run}/events`, {
      headers: { accept: 'text/event-stream', ...(last === undefined ? {} : { 'last-event-id': last }) },
      signal: leave.signal,
    })
    if (response.status !== 200) return sight
    const parser = createParser({
      onEvent({ id, event, data }) {
        if (event === 'done') sight.done = true
        else if (id !== undefined && count < limit) {
          sight.seen.push({ id, data })
          count++
        }
      },
    })
    const decoder = new TextDecoder()
    for await (const chunk of response.body!) {
      parser.feed(decoder.decode(chunk, { stream: true }))
      if (count >= limit) break
    }
  } catch {
    // The daemon was killed, or this reader left: what was seen until then is what counts.
  } finally {
    leave.abort()
  }
  return sight
}

/** The seq of an event id. */
export const seqOf = ({ id }: Seen): number => Number(id.split('-')[1])

/** The visible text of what was seen. */
export function textSeen(sight: Sight): string {
  return sight.seen
    .map(({ data }) => JSON.parse(data))
    .reduce((text: string, event) => (event.type === 'text.delta' ? text + event.text : text), '')
}
