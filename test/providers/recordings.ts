/** Recordings as the suite wants them, and a second, naive reading of them that shares no code with the providers. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import type { ExpectedAnswer } from '../../src/testing/provider-suite.ts'
import type { StopReason } from '../../src/core/event.ts'
import type { JsonObject } from '../../src/core/json.ts'

const own = new URL('../fixtures/providers/', import.meta.url)
const shared = new URL('../../../shared/fixtures/', import.meta.url)

export const ownFixture = (path: string): Uint8Array => readFileSync(new URL(path, own))

/** The files of a folder of recordings that are kept outside this repository; none where it is not there. */
export function sharedFixtures(folder: string): { readonly name: string; readonly bytes: Uint8Array }[] {
  const url = new URL(`${folder}/`, shared)
  if (!existsSync(url)) return []
  return readdirSync(url)
    .filter((file) => /\.(sse|chunks\.txt|ndjson|json)$/.test(file) && file !== 'requests.json')
    .map((file) => ({ name: file, bytes: readFileSync(new URL(file, url)) }))
}

export interface OfficialReading {
  readonly error?: string
  readonly content?: string
  readonly fin?: readonly string[]
  readonly tools?: readonly (readonly [id: string, name: string, json: string])[]
  readonly text?: string
}

/** What the official clients made of the recordings, by file; nothing where it is not there. */
export const officialClients: Readonly<Record<string, OfficialReading>> = (() => {
  const url = new URL('official-clients.json', shared)
  if (!existsSync(url)) return {}
  return (JSON.parse(readFileSync(url, 'utf8')) as { results: Record<string, OfficialReading> }).results
})()

/** `*.chunks.txt` hold one payload per line, their framing taken off. */
export function reframed(payloads: Uint8Array): Uint8Array {
  const frames = lines(payloads).map((line) => `data: ${line}\n\n`)
  return Buffer.from(`${frames.join('')}data: [DONE]\n\n`)
}

const lines = (bytes: Uint8Array) =>
  Buffer.from(bytes)
    .toString()
    .split('\n')
    .filter((line) => line.trim() !== '')

interface RawCall {
  index?: number | null
  id?: string | null
  function: { name?: string | null; arguments?: string | null }
}
interface RawPart {
  type: string
  text?: string
  thinking?: { text: string }[]
}
interface RawChunk {
  model?: string
  usage?: { prompt_tokens: number; completion_tokens: number } | null
  choices: {
    index?: number
    finish_reason?: string | null
    delta: {
      content?: string | null | RawPart[]
      reasoning?: string | null
      reasoning_content?: string | null
      tool_calls?: RawCall[] | null
    }
  }[]
}

/** The frames of an event stream, each with the number of bytes up to its end. Read the simple way. */
function rawFrames(bytes: Uint8Array): { readonly data: string; readonly endsAt: number }[] {
  let at = 0
  return Buffer.from(bytes)
    .toString()
    .split(/(?<=\r?\n\r?\n)/)
    .flatMap((block) => {
      const data = block
        .split(/\r?\n/)
        .filter((line) => line.startsWith('data:'))
        .map((line) => line.slice(5).trim())
        .join('\n')
      const endsAt = at + Buffer.byteLength(block.replace(/\r\n$/, '\r'))
      at += Buffer.byteLength(block)
      return data === ''
        ? []
        : [{ data, endsAt: data === '[DONE]' ? at - block.length + block.trimEnd().length : endsAt }]
    })
}

/** Where everything of a Chat Completions stream has come that counts: a `finish_reason` and the usage, or `[DONE]`. */
export function chatCompleteAt(bytes: Uint8Array): number {
  const frames = [...rawFrames(bytes)]
  const mark = frames.find(({ data }) => data === '[DONE]')
  if (mark) return mark.endsAt
  let finished = false
  let counted = false
  for (const { data, endsAt } of frames) {
    const chunk = JSON.parse(data) as RawChunk
    counted ||= Boolean(chunk.usage)
    finished ||= chunk.choices.some(({ index, finish_reason }) => !index && Boolean(finish_reason))
    if (finished && counted) return endsAt
  }
  return bytes.length
}

/** A Chat Completions stream, read the simple way: frame by frame, member by member. */
export function rawChat(bytes: Uint8Array): ExpectedAnswer {
  const sum = { model: '', text: '', reasoning: '' }
  const calls: { key: string; name: string; json: string }[] = []
  let finish = ''
  for (const { data } of rawFrames(bytes)) {
    if (data === '[DONE]') break
    const chunk = JSON.parse(data) as RawChunk
    sum.model ||= chunk.model ?? ''
    for (const { index, delta, finish_reason } of chunk.choices) {
      if (index) continue
      finish = finish_reason || finish
      sum.reasoning += delta.reasoning_content || delta.reasoning || ''
      const parts: RawPart[] = Array.isArray(delta.content)
        ? delta.content
        : [{ type: 'text', text: delta.content ?? '' }]
      for (const { type, text = '', thinking = [] } of parts) {
        if (type === 'text') sum.text += text
        if (type === 'thinking') sum.reasoning += thinking.map((thought) => thought.text).join('')
      }
      for (const call of delta.tool_calls ?? []) {
        const key = String(call.index ?? call.id ?? calls.at(-1)!.key)
        let known = calls.find((one) => one.key === key)
        if (!known) calls.push((known = { key, name: '', json: '' }))
        known.name += call.function.name ?? ''
        known.json += call.function.arguments ?? ''
      }
    }
  }
  const reason = calls.length > 0 && finish !== 'length' ? 'tool_calls' : finish || 'unknown'
  return {
    ...sum,
    calls: calls.map(({ name, json }) => ({ name, input: JSON.parse(json || '{}') as JsonObject })),
    reason: reason as StopReason,
  }
}

interface RawLine {
  model: string
  done: boolean
  done_reason?: string
  message?: {
    content: string
    thinking?: string
    tool_calls?: { function: { name: string; arguments: JsonObject } }[]
  }
}

/** An `/api/chat` stream, read the simple way. */
export function rawOllama(bytes: Uint8Array): ExpectedAnswer {
  const all = lines(bytes).map((line) => JSON.parse(line) as RawLine)
  const messages = all.flatMap(({ message }) => message ?? [])
  const calls = messages
    .flatMap(({ tool_calls = [] }) => tool_calls)
    .map((call) => ({ name: call.function.name, input: call.function.arguments }))
  return {
    model: all[0]!.model,
    text: messages.map(({ content }) => content).join(''),
    reasoning: messages.map(({ thinking = '' }) => thinking).join(''),
    calls,
    reason: calls.length > 0 ? 'tool_calls' : (all.at(-1)!.done_reason as StopReason),
  }
}

/** A last line is whole without its line end. */
export const ndjsonCompleteAt = (bytes: Uint8Array): number =>
  Buffer.byteLength(Buffer.from(bytes).toString().trimEnd())
