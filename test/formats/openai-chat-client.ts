import { createParser } from 'eventsource-parser'
import { parseCursor, type Cursor } from '../../src/core/cursor.ts'
import type { FormatOptions } from '../../src/core/format.ts'
import type { FormatClient } from '../../src/testing/format-suite.ts'

/** What a client of OpenAI's knows of an answer. */
export interface ChatState {
  readonly id: string | undefined
  readonly model: string | undefined
  readonly content: string
  readonly reasoning: string
  readonly calls: readonly { readonly id: string; readonly name: string; readonly arguments: string }[]
  readonly finish: string | undefined
  readonly error: string | undefined
}

interface Chunk {
  readonly object?: string
  readonly id?: string
  readonly model?: string
  readonly cursor?: string
  readonly created?: number
  readonly choices?: readonly {
    readonly index: number
    readonly delta: Record<string, unknown>
    readonly finish_reason: string | null
  }[]
  readonly usage?: object
  readonly error?: { readonly code: string }
  readonly runlet?: object
}

export interface ChatClient extends FormatClient<ChatState> {
  /** Every chunk, as it came, `[DONE]` too. */
  readonly chunks: readonly unknown[]
  readonly usage: object | undefined
}

/** Puts an answer together as OpenAI's own client does (`fold by index`), but refuses what that one lets pass. */
export function chatClient({ framing }: Pick<FormatOptions, 'framing'>): ChatClient {
  const chunks: unknown[] = []
  const calls: { id: string; name: string; arguments: string }[] = []
  let id: string | undefined
  let model: string | undefined
  let role: unknown
  let content = ''
  let reasoning = ''
  let finish: string | undefined
  let error: string | undefined
  let usage: object | undefined
  let cursor: Cursor | undefined
  let done = false

  function take(data: string, place: string | undefined): void {
    if (done && error === undefined) throw new Error(`something follows the end: ${data}`)
    const next = place === undefined ? undefined : parseCursor(place)
    // Only the last words have the place of what went before them.
    if (next && cursor && next.seq < cursor.seq) throw new Error(`${place} comes behind ${cursor.seq}`)
    cursor = next ?? cursor
    if (data === '[DONE]') {
      if (finish === undefined) throw new Error('[DONE], and nothing was finished')
      chunks.push(data)
      done = true
      return
    }
    const chunk: Chunk = JSON.parse(data)
    chunks.push(chunk)
    if (chunk.error?.code === 'stream_interrupted') return
    if (chunk.choices) addChoice(chunk)
    if (chunk.error) {
      if (finish !== undefined) throw new Error('an error after the finish')
      if (error !== undefined && error !== chunk.error.code) throw new Error('another error')
      error = chunk.error.code
      done = true
    }
  }

  function addChoice(chunk: Chunk): void {
    if (chunk.object !== 'chat.completion.chunk') throw new Error(`no chunk: ${JSON.stringify(chunk)}`)
    if (id !== undefined && (id !== chunk.id || model !== chunk.model)) throw new Error('another answer')
    id = chunk.id
    model = chunk.model
    usage = chunk.usage ?? usage
    for (const { index, delta, finish_reason } of chunk.choices!) {
      if (index !== 0) throw new Error(`choice ${index}`)
      if (finish !== undefined) throw new Error('a delta after the finish')
      if (delta['role'] !== undefined) {
        if (role !== undefined) throw new Error('a second role')
        role = delta['role']
      } else if (role === undefined) throw new Error('a delta before the role')
      content += typeof delta['content'] === 'string' ? delta['content'] : ''
      reasoning += typeof delta['reasoning_content'] === 'string' ? delta['reasoning_content'] : ''
      for (const call of (delta['tool_calls'] ?? []) as readonly Call[]) {
        if (call.index !== calls.length) throw new Error(`call ${call.index} where ${calls.length} was due`)
        calls.push({ id: call.id, ...call.function })
      }
      finish = finish_reason ?? finish
    }
  }

  const connect = framing === 'sse' ? () => sseReader(take) : () => lineReader(take)
  let feed = connect()
  return {
    feed: (bytes) => feed(bytes),
    cut() {
      feed = connect()
    },
    get state() {
      return { id, model, content, reasoning, calls: [...calls], finish, error }
    },
    get done() {
      return done
    },
    get cursor() {
      return cursor
    },
    get usage() {
      return usage
    },
    chunks,
  }
}

interface Call {
  readonly index: number
  readonly id: string
  readonly function: { readonly name: string; readonly arguments: string }
}

function sseReader(take: (data: string, place: string | undefined) => void): (bytes: Uint8Array) => void {
  const decoder = new TextDecoder()
  const parser = createParser({
    onEvent({ data, id, event }) {
      if (event !== undefined) throw new Error(`an event called ${event}`)
      take(data, id)
    },
    onError(fault) {
      throw fault
    },
  })
  return (bytes) => parser.feed(decoder.decode(bytes, { stream: true }))
}

function lineReader(take: (data: string, place: string | undefined) => void): (bytes: Uint8Array) => void {
  const decoder = new TextDecoder()
  let rest = ''
  return (bytes) => {
    const lines = (rest + decoder.decode(bytes, { stream: true })).split('\n')
    rest = lines.pop()!
    for (const line of lines) {
      const { cursor, ...chunk }: Chunk = JSON.parse(line)
      take(chunk.object === 'done' ? '[DONE]' : JSON.stringify(chunk), cursor)
    }
  }
}
