/** Ollama's own API: `/api/chat` and `/api/generate`, which differ in where the text stands. */
import * as z from 'zod'
import type { JsonObject } from '../../core/json.ts'
import { type Beat, type Performance, said } from '../performance.ts'
import type { Cue } from '../reel.ts'
import type { AskMessage } from '../script.ts'
import type { Api, Call, Stamp } from './api.ts'
import { baseSchema, toolSchema, toolSpec } from './request.ts'

const shared = {
  kind: 'ollama',
  framing: 'lines',
  streamsByDefault: true,
  contentType: 'application/x-ndjson',
  mark: /^\s*\{.*"(?:message|response)":.*"done":/m,
  endMark: /"done":\s*true/,
  frame: (json) => `${json}\n`,
  trailer: '',
  errorFrame: () => '{"error":"an error was encountered while running the model"}\n',
  errorBody: ({ message }) => ({ error: message }),
} as const satisfies Partial<Api>

export const ollamaChat: Api = {
  ...shared,
  title: 'Ollama chat',
  path: '/api/chat',
  voice: { read: readChat, stream: streamWith(chatBody), whole: wholeWith(chatBody) },
}

export const ollamaGenerate: Api = {
  ...shared,
  title: 'Ollama generate',
  path: '/api/generate',
  voice: { read: readGenerate, stream: streamWith(generateBody), whole: wholeWith(generateBody) },
}

const common = baseSchema.extend({
  think: z.union([z.boolean(), z.string()]).nullish(),
  keep_alive: z.union([z.string(), z.number()]).nullish(),
  options: z.looseObject({ num_predict: z.int().optional() }).nullish(),
})

const chatSchema = common.extend({
  messages: z
    .array(
      z.looseObject({
        role: z.enum(['system', 'user', 'assistant', 'tool']),
        content: z.string().nullish(),
        tool_name: z.string().optional(),
      }),
    )
    .nullish(),
  tools: z.array(toolSchema).nullish(),
})

const generateSchema = common.extend({ prompt: z.string().nullish(), system: z.string().nullish() })

function readChat(body: unknown): Call {
  const request = chatSchema.parse(body)
  const messages = (request.messages ?? []).map(({ role, content, tool_name }) => ({
    role,
    text: content ?? '',
    ...(tool_name === undefined ? {} : { name: tool_name }),
  }))
  return callOf(request, ollamaChat.title, messages, (request.tools ?? []).map(toolSpec))
}

function readGenerate(body: unknown): Call {
  const request = generateSchema.parse(body)
  const messages: AskMessage[] = []
  if (request.system) messages.push({ role: 'system', text: request.system })
  if (request.prompt) messages.push({ role: 'user', text: request.prompt })
  return callOf(request, ollamaGenerate.title, request.prompt ? messages : [], [])
}

function callOf(
  { think, keep_alive, options }: z.infer<typeof common>,
  api: string,
  messages: readonly AskMessage[],
  tools: Call['ask']['tools'],
): Call {
  // Negative numbers mean "no limit" there.
  const limit = options?.num_predict ?? -1
  return {
    ask: {
      api,
      prompt: messages.findLast(({ role }) => role === 'user')?.text ?? '',
      messages,
      tools,
      ...(limit > 0 ? { maxTokens: limit } : {}),
      think: think !== false,
    },
    ...(messages.length > 0 ? {} : { load: keep_alive === 0 ? 'unload' : 'load' }),
  }
}

/** What a line says, where its API puts it. */
type Body = (said: { text?: string; thinking?: string; calls?: readonly CallBeat[] }) => JsonObject

type CallBeat = Beat & { type: 'tool_call' }

function chatBody({ text = '', thinking, calls }: Parameters<Body>[0]): JsonObject {
  return {
    message: {
      role: 'assistant',
      content: text,
      ...(thinking ? { thinking } : {}),
      ...(calls?.length
        ? {
            tool_calls: calls.map(({ id, index, name, input }) => ({
              id,
              function: { index, name, arguments: input },
            })),
          }
        : {}),
    },
  }
}

function generateBody({ text = '', thinking }: Parameters<Body>[0]): JsonObject {
  return { response: text, ...(thinking ? { thinking } : {}) }
}

function streamWith(body: Body) {
  return function* (performance: Performance, call: Call, { model, startedAt }: Stamp): Iterable<Cue> {
    const line = (at: number, rest: JsonObject): Cue => ({
      at,
      frame: `${JSON.stringify({ model, created_at: new Date(startedAt + at).toISOString(), ...rest })}\n`,
    })
    for (const beat of call.load ? [] : performance.beats) {
      if (beat.type === 'reasoning') yield line(beat.at, { ...body({ thinking: beat.text }), done: false })
      else if (beat.type !== 'tool_call') yield line(beat.at, { ...body({ text: beat.text }), done: false })
      // Ollama sends a call once it has all of it, and none that was cut short.
      else if (beat.complete) {
        const at = beat.at + (beat.fragments.length - 1) * performance.tokenMs
        yield line(at, { ...body({ calls: [beat] }), done: false })
      }
    }
    yield line(call.load ? 0 : performance.endsAt, { ...body({}), ...ending(performance, call) })
  }
}

function wholeWith(body: Body) {
  return (performance: Performance, call: Call, { model, startedAt }: Stamp): JsonObject => {
    const created_at = new Date(startedAt + performance.endsAt).toISOString()
    if (call.load) return { model, created_at, ...body({}), ...ending(performance, call) }
    const text = performance.beats.reduce(
      (all, beat) => (beat.type === 'text' || beat.type === 'refusal' ? all + beat.text : all),
      '',
    )
    const calls = performance.beats.filter((beat) => beat.type === 'tool_call').filter(({ complete }) => complete)
    const spoken = body({ text, thinking: said(performance, 'reasoning'), calls })
    return { model, created_at, ...spoken, ...ending(performance, call) }
  }
}

/** The members of the last line. Ollama knows `stop` and `length`; a call ends with `stop`. Durations are nanoseconds. */
function ending({ finish, usage, endsAt }: Performance, { load }: Call): JsonObject {
  if (load) return { done_reason: load, done: true }
  const duration = Math.round(endsAt * 1e6)
  return {
    done_reason: finish === 'length' ? 'length' : 'stop',
    done: true,
    total_duration: duration + 2_000_000,
    load_duration: 1_000_000,
    prompt_eval_count: usage.input_tokens,
    prompt_eval_duration: 1_000_000,
    eval_count: usage.output_tokens,
    eval_duration: Math.max(1, duration),
  }
}
