/** OpenAI Chat Completions. Reasoning is spelled `reasoning_content`, as DeepSeek and xAI do; OpenAI itself hides it. */
import * as z from 'zod'
import type { JsonObject } from '../../core/json.ts'
import { type Beat, type Performance, said } from '../performance.ts'
import type { Cue } from '../reel.ts'
import type { Ask, AskMessage } from '../script.ts'
import type { Api, Call, Stamp } from './api.ts'
import { openaiError, openaiErrorFrame } from './openai-errors.ts'
import { baseSchema, toolSchema, toolSpec } from './request.ts'

export const openaiChat: Api = {
  kind: 'openai-chat',
  title: 'OpenAI Chat Completions',
  path: '/v1/chat/completions',
  framing: 'sse',
  streamsByDefault: false,
  contentType: 'text/event-stream; charset=utf-8',
  mark: /"object":\s*"chat\.completion\.chunk"/,
  endMark: /^data: ?\[DONE\]/m,
  frame: (json) => `data: ${json}\n\n`,
  trailer: 'data: [DONE]\n\n',
  errorFrame: openaiErrorFrame,
  errorBody: openaiError,
  voice: { read, stream, whole },
}

const contentSchema = z
  .union([z.string(), z.array(z.looseObject({ type: z.string(), text: z.string().optional() }))])
  .nullish()

const requestSchema = baseSchema.extend({
  messages: z
    .array(
      z.looseObject({
        role: z.enum(['system', 'developer', 'user', 'assistant', 'tool']),
        content: contentSchema,
        tool_call_id: z.string().optional(),
        tool_calls: z.array(z.looseObject({ id: z.string(), function: z.looseObject({ name: z.string() }) })).nullish(),
      }),
    )
    .min(1),
  stream_options: z.looseObject({ include_usage: z.boolean().optional() }).nullish(),
  tools: z.array(toolSchema).nullish(),
  tool_choice: z
    .union([z.enum(['none', 'auto', 'required']), z.looseObject({ function: z.looseObject({ name: z.string() }) })])
    .nullish(),
  max_tokens: z.int().min(1).nullish(),
  max_completion_tokens: z.int().min(1).nullish(),
  reasoning_effort: z.string().nullish(),
  n: z.literal(1, 'the simulator makes one choice').nullish(),
})

type Request = z.infer<typeof requestSchema>

function read(body: unknown): Call {
  const request = requestSchema.parse(body)
  const messages = askMessages(request.messages)
  const maxTokens = request.max_completion_tokens ?? request.max_tokens
  const ask: Ask = {
    api: openaiChat.title,
    prompt: messages.findLast(({ role }) => role === 'user')?.text ?? '',
    messages,
    tools: offered(request),
    ...(maxTokens ? { maxTokens } : {}),
    think: request.reasoning_effort !== 'none',
  }
  return { ask, includeUsage: request.stream_options?.include_usage ?? false }
}

function askMessages(messages: Request['messages']): AskMessage[] {
  const names = new Map<string, string>()
  return messages.map(({ role, content, tool_calls, tool_call_id }) => {
    for (const {
      id,
      function: { name },
    } of tool_calls ?? [])
      names.set(id, name)
    const name = tool_call_id === undefined ? undefined : names.get(tool_call_id)
    return {
      role: role === 'developer' ? 'system' : role,
      text: typeof content === 'string' ? content : (content ?? []).map(({ text }) => text ?? '').join(''),
      ...(name === undefined ? {} : { name }),
    }
  })
}

function offered({ tools, tool_choice }: Request) {
  if (tool_choice === 'none') return []
  const wanted = typeof tool_choice === 'object' ? tool_choice?.function.name : undefined
  return (tools ?? []).map(toolSpec).filter(({ name }) => wanted === undefined || name === wanted)
}

function* stream(performance: Performance, { includeUsage }: Call, stamp: Stamp): Iterable<Cue> {
  const head = JSON.stringify({ ...signature('chat.completion.chunk', stamp), choices: [] }).slice(0, -1)
  const usageKey = includeUsage ? ',"usage":null' : ''
  // A template: `JSON.stringify` of the whole chunk costs six times as much.
  const open = `data: ${head.slice(0, -1)}{"index":0,"delta":`
  const chunk = (delta: string, finish = 'null') =>
    `${open}${delta},"logprobs":null,"finish_reason":${finish}}]${usageKey}}\n\n`

  const { beats, finish, usage, endsAt, tokenMs } = performance
  const first = beats[0]?.type === 'tool_call' ? 'null' : '""'
  yield { at: 0, frame: chunk(`{"role":"assistant","content":${first},"refusal":null}`) }
  for (const beat of beats) {
    if (beat.type === 'tool_call') yield* callCues(beat, tokenMs, chunk)
    else yield { at: beat.at, frame: chunk(`{"${deltaKeys[beat.type]}":${JSON.stringify(beat.text)}}`) }
  }
  yield { at: endsAt, frame: chunk('{}', `"${finish}"`) }
  if (includeUsage) yield { at: endsAt, frame: `data: ${head},"usage":${JSON.stringify(usageBody(usage))}}\n\n` }
  yield { at: endsAt, frame: openaiChat.trailer }
}

const deltaKeys = { text: 'content', reasoning: 'reasoning_content', refusal: 'refusal' } as const

/** Id and name come on the first fragment only, with empty arguments, as OpenAI sends them. */
function callCues(beat: Beat & { type: 'tool_call' }, tokenMs: number, chunk: (delta: string) => string): Cue[] {
  const { index, id, name, at } = beat
  const first = { index, id, type: 'function', function: { name, arguments: '' } }
  return [
    { at, frame: chunk(JSON.stringify({ tool_calls: [first] })) },
    ...beat.fragments.map((fragment, i) => ({
      at: at + i * tokenMs,
      frame: chunk(JSON.stringify({ tool_calls: [{ index, function: { arguments: fragment } }] })),
    })),
  ]
}

function whole(performance: Performance, _: Call, stamp: Stamp): JsonObject {
  const { beats, finish, usage } = performance
  const calls = beats.filter((beat) => beat.type === 'tool_call')
  const text = said(performance, 'text')
  const reasoning = said(performance, 'reasoning')
  const message = {
    role: 'assistant',
    content: text === '' && calls.length > 0 ? null : text,
    ...(reasoning === '' ? {} : { reasoning_content: reasoning }),
    refusal: said(performance, 'refusal') || null,
    ...(calls.length === 0
      ? {}
      : {
          tool_calls: calls.map(({ id, name, fragments }) => ({
            id,
            type: 'function',
            function: { name, arguments: fragments.join('') },
          })),
        }),
  }
  return {
    ...signature('chat.completion', stamp),
    choices: [{ index: 0, message, logprobs: null, finish_reason: finish }],
    usage: usageBody(usage),
  }
}

function signature(object: string, { id, model, startedAt }: Stamp) {
  return {
    id: `chatcmpl-sim-${id}`,
    object,
    created: Math.floor(startedAt / 1000),
    model,
    system_fingerprint: 'fp_sim',
  }
}

function usageBody({ input_tokens, output_tokens, reasoning_tokens, cached_tokens }: Performance['usage']) {
  return {
    prompt_tokens: input_tokens,
    completion_tokens: output_tokens,
    total_tokens: input_tokens + output_tokens,
    prompt_tokens_details: { cached_tokens: cached_tokens ?? 0 },
    completion_tokens_details: { reasoning_tokens: reasoning_tokens ?? 0 },
  }
}
