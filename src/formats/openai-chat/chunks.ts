import { formatCursor, type Cursor } from '../../core/cursor.ts'
import type { FormatOptions } from '../../core/format.ts'
import type { JsonObject } from '../../core/json.ts'
import type { RunHeader } from '../../core/log.ts'
import { isRecord } from '../../wire/json.ts'
import { unbroken } from '../shared/unbroken.ts'
import type { OpenaiError } from './error.ts'
import { openaiCall, openaiHead, type CallerCall } from './words.ts'

/** What a chunk adds to the answer. Empty members say nothing. */
export interface Delta {
  readonly role?: 'assistant'
  readonly content?: string
  readonly reasoning_content?: string
  readonly annotations?: readonly object[]
  readonly tool_calls?: readonly object[]
}

/** Spells the chunks of one run, as JSON without a frame. */
export class Chunks {
  /** `{"id":…,"model":"…"`: the same in every chunk. */
  readonly #head: string

  constructor(run: RunHeader) {
    this.#head = JSON.stringify(openaiHead(run, 'chat.completion.chunk')).slice(0, -1)
  }

  /** Nearly every chunk is one of these, and a template is three times as fast as `JSON.stringify` of the whole. */
  text(member: 'content' | 'reasoning_content', text: string): string {
    return `${this.#head},"choices":[{"index":0,"delta":{"${member}":${JSON.stringify(text)}},"finish_reason":null}]}`
  }

  delta(delta: Delta, finish: string | null = null): string {
    return this.#chunk({ choices: [{ index: 0, delta, finish_reason: finish }] })
  }

  /** An error. Text that was held until here stands beside it, where clients that look for it find it. */
  error(error: OpenaiError, held?: Delta): string {
    if (!held || Object.keys(held).length === 0) return JSON.stringify({ error })
    return this.#chunk({ choices: [{ index: 0, delta: held, finish_reason: null }], error })
  }

  /** A chunk without a choice: the usage, or something to one reader. */
  aside(members: object): string {
    return this.#chunk({ choices: [], ...members })
  }

  /** The provider's own fields, merged into a chunk. What the head and the choice have is ours. */
  fields({ choices, ...fields }: JsonObject): string {
    const given = Array.isArray(choices) && isRecord(choices[0]) ? choices[0] : {}
    const { delta, ...choice } = given
    return this.#chunk({
      ...without(fields, ownMembers),
      choices: [{ ...choice, index: 0, delta: isRecord(delta) ? delta : {}, finish_reason: null }],
    })
  }

  #chunk(members: object): string {
    return `${this.#head},${JSON.stringify(members).slice(1)}`
  }
}

/** What is ours in every chunk and answer, whatever the provider says. */
export const ownMembers: ReadonlySet<string> = new Set(['id', 'object', 'created', 'model', 'usage', 'error'])

export function without(fields: JsonObject, names: ReadonlySet<string>): JsonObject {
  return Object.fromEntries(Object.entries(fields).filter(([name]) => !names.has(name)))
}

/** Calls that go to the caller in one piece, numbered on from those that went before. */
export const callDeltas = (calls: readonly CallerCall[], from: number): object[] =>
  calls.map((call, i) => ({ index: from + i, ...openaiCall(call) }))

/** How chunks are told from each other, and where their places stand. */
export interface Frames {
  readonly contentType: string
  /** Under which a batch keeps its encoding. */
  readonly key: string
  /** One chunk, or an error. */
  frame(place: Cursor, json: string): string
  done(place: Cursor): string
  /** Something to this reader alone, that is no part of the answer. */
  aside(chunks: Chunks, record: object): string
  heartbeat(chunks: Chunks): string
}

export function framesOf({ framing, ids = true }: Pick<FormatOptions, 'framing' | 'ids'>): Frames {
  return framing === 'ndjson' ? lines : ids ? events : eventsWithoutIds
}

const events: Frames = {
  contentType: 'text/event-stream; charset=utf-8',
  key: 'openai-chat.sse',
  frame: (place, json) => `id: ${formatCursor(place)}\ndata: ${unbroken(json)}\n\n`,
  done: (place) => `id: ${formatCursor(place)}\ndata: [DONE]\n\n`,
  // A comment: OpenAI's clients take every event for a chunk, or for an error.
  aside: (_, record) => `: ${unbroken(JSON.stringify(record))}\n\n`,
  heartbeat: () => ': keep-alive\n\n',
}

const eventsWithoutIds: Frames = {
  ...events,
  key: 'openai-chat.sse.bare',
  frame: (_, json) => `data: ${unbroken(json)}\n\n`,
  done: () => 'data: [DONE]\n\n',
}

/** The place is a member of its own, which comes first. */
const lines: Frames = {
  contentType: 'application/x-ndjson; charset=utf-8',
  key: 'openai-chat.ndjson',
  frame: (place, json) => `{"cursor":"${formatCursor(place)}",${unbroken(json).slice(1)}\n`,
  done: (place) => `{"cursor":"${formatCursor(place)}","object":"done"}\n`,
  aside: (chunks, record) => `${unbroken(chunks.aside({ runlet: record }))}\n`,
  heartbeat: (chunks) => `${chunks.aside({})}\n`,
}
